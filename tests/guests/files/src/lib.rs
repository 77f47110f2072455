//! Tasks that use what WASI grants, and try what it does not. Each does one operation of the standard library and tells
//! the system's own error where it fails.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime};

unsafe extern "C" {
    // The standard library has these for WASI only where it is not stable.
    fn symlink(target: *const c_char, link: *const c_char) -> c_int;
    fn link(old: *const c_char, new: *const c_char) -> c_int;
}

fn told<T>(result: io::Result<T>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

fn text(path: &str) -> Result<CString, String> {
    CString::new(path).map_err(|e| e.to_string())
}

fn done(code: c_int) -> Result<(), String> {
    match code {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().to_string()),
    }
}

/// The text of a file.
fn read(path: String) -> Result<String, String> {
    told(fs::read_to_string(path))
}

/// A part of a file, after a seek.
fn read_at(path: String, offset: u64, bytes: usize) -> Result<String, String> {
    let part = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut part = vec![0; bytes];
        file.read_exact(&mut part)?;
        String::from_utf8(part).map_err(io::Error::other)
    };
    told(part())
}

/// Makes a file, or overwrites it.
fn write(path: String, content: String) -> Result<(), String> {
    told(fs::write(path, content))
}

/// Writes behind what is there, and syncs.
fn append(path: String, content: String) -> Result<(), String> {
    let append = || {
        let mut file = OpenOptions::new().append(true).open(path)?;
        file.write_all(content.as_bytes())?;
        // The standard library's own `sync_data` is the same as `sync_all` on WASI.
        #[cfg(target_os = "wasi")]
        {
            use std::os::fd::AsRawFd;
            unsafe extern "C" {
                fn fdatasync(file: c_int) -> c_int;
            }
            // SAFETY: a descriptor that is open through the call.
            if unsafe { fdatasync(file.as_raw_fd()) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        file.sync_all()
    };
    told(append())
}

/// Opens a file for reading and truncates it in the same call.
fn open_truncated(path: String) -> Result<(), String> {
    let opened = OpenOptions::new().write(true).truncate(true).open(path);
    told(opened.map(drop))
}

/// Sets a file's length.
fn resize(path: String, bytes: u64) -> Result<(), String> {
    let resize = || OpenOptions::new().write(true).open(path)?.set_len(bytes);
    told(resize())
}

/// Sets a file's times to 2001.
fn touch(path: String) -> Result<(), String> {
    let touch = || {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
        OpenOptions::new().write(true).open(path)?.set_times(times)
    };
    told(touch())
}

/// The names in a directory, sorted.
fn list(path: String) -> Result<Vec<String>, String> {
    let list = || {
        let names = fs::read_dir(path)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    told(list())
}

/// A file's length.
fn length(path: String) -> Result<u64, String> {
    told(fs::metadata(path).map(|m| m.len()))
}

/// Makes a directory.
fn make_dir(path: String) -> Result<(), String> {
    told(fs::create_dir(path))
}

/// Removes a file.
fn remove(path: String) -> Result<(), String> {
    told(fs::remove_file(path))
}

/// Removes an empty directory.
fn remove_dir(path: String) -> Result<(), String> {
    told(fs::remove_dir(path))
}

/// Renames.
fn rename(from: String, to: String) -> Result<(), String> {
    told(fs::rename(from, to))
}

/// Makes a symbolic link.
fn make_symlink(target: String, at: String) -> Result<(), String> {
    let (target, at) = (text(&target)?, text(&at)?);
    // SAFETY: both are texts that end with a zero and live through the call.
    done(unsafe { symlink(target.as_ptr(), at.as_ptr()) })
}

/// Makes a second name for a file.
fn make_link(old: String, new: String) -> Result<(), String> {
    let (old, new) = (text(&old)?, text(&new)?);
    // SAFETY: as above.
    done(unsafe { link(old.as_ptr(), new.as_ptr()) })
}

/// What a symbolic link names.
fn read_symlink(path: String) -> Result<String, String> {
    told(fs::read_link(path).map(|p| p.to_string_lossy().into_owned()))
}

/// Reads a path so many times and tells every different text that it saw. Errors are not told.
fn read_often(path: String, times: u32) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..times {
        if let Ok(text) = fs::read_to_string(&path)
            && !seen.contains(&text)
        {
            seen.push(text);
        }
    }
    seen
}

/// Tells the system how a file will be read.
fn advise(path: String) -> Result<(), String> {
    #[cfg(target_os = "wasi")]
    {
        use std::os::fd::AsRawFd;
        unsafe extern "C" {
            fn posix_fadvise(file: c_int, at: i64, bytes: i64, advice: c_int) -> c_int;
        }
        let file = told(File::open(path))?;
        // SAFETY: a descriptor that is open through the call, and numbers.
        match unsafe { posix_fadvise(file.as_raw_fd(), 0, 0, 1) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error).to_string()),
        }
    }
    #[cfg(not(target_os = "wasi"))]
    told(File::open(path).map(drop))
}

/// All environment variables, sorted.
fn environment() -> Vec<(String, String)> {
    let mut all: Vec<_> = std::env::vars().collect();
    all.sort();
    all
}

/// The arguments.
fn arguments() -> Vec<String> {
    std::env::args().collect()
}

/// What standard input has.
fn input() -> Result<String, String> {
    let mut text = String::new();
    told(io::stdin().read_to_string(&mut text).map(|_| text))
}

/// Connects to an address.
fn connect(address: String) -> Result<(), String> {
    told(std::net::TcpStream::connect(address).map(drop))
}

/// Sleeps, and tells for how many milliseconds by the guest's own clock.
fn sleep(milliseconds: u64) -> u64 {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(milliseconds));
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The order in which a hash table with random seeds gives its keys.
fn hash_order() -> Vec<u32> {
    (0..20)
        .map(|n| (n, ()))
        .collect::<HashMap<_, _>>()
        .into_keys()
        .collect()
}

/// The resolution of the monotonic clock, in nanoseconds.
fn resolution() -> Result<u64, String> {
    #[cfg(target_os = "wasi")]
    {
        #[repr(C)]
        struct Time {
            seconds: i64,
            nanoseconds: std::ffi::c_long,
        }
        unsafe extern "C" {
            static _CLOCK_MONOTONIC: u8;
            fn clock_getres(clock: *const u8, resolution: *mut Time) -> c_int;
        }
        let mut time = Time {
            seconds: 0,
            nanoseconds: 0,
        };
        // SAFETY: the C library's own clock, and a place for its answer that lives through the call.
        done(unsafe { clock_getres(&raw const _CLOCK_MONOTONIC, &raw mut time) })?;
        let whole = u64::try_from(time.seconds).unwrap_or(0) * 1_000_000_000;
        Ok(whole + u64::try_from(time.nanoseconds).unwrap_or(0))
    }
    #[cfg(not(target_os = "wasi"))]
    Err("only inside WebAssembly".into())
}

wasmpool_guest::tasks! {
    read(path), read_at(path, offset, bytes), write(path, content), append(path, content), open_truncated(path),
    resize(path, bytes), touch(path), list(path), length(path), make_dir(path), remove(path), remove_dir(path),
    rename(from, to), make_symlink(target, at), make_link(old, new), read_symlink(path), read_often(path, times),
    environment, arguments, input, connect(address), sleep(milliseconds), hash_order, resolution, advise(path),
}
