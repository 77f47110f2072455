//! Streams of files for `wasi:filesystem`, read and written in the calling thread: wasmtime-wasi's own start threads
//! for them, which a locked worker cannot. Paths and permissions stay wasmtime-wasi's.

use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::{Descriptor, File};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};
use wasmtime_wasi_io::bytes::Bytes;

use super::host::Host;
use super::instance::State;

/// The interface whose functions are replaced, in the version that wasmtime-wasi links.
const TYPES: &str = "wasi:filesystem/types@0.2.12";
/// Bytes that a guest may read or write at once.
const AT_ONCE: usize = 64 << 10;

type Opened<T> = wasmtime::Result<(Result<Resource<T>, ErrorCode>,)>;
type Ctx<'a, H> = StoreContextMut<'a, State<H>>;

/// Replaces the three functions that open streams. The linker must allow shadowing.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]descriptor.read-via-stream",
        |mut store: Ctx<'_, H>,
         (file, at): (Resource<Descriptor>, u64)|
         -> Opened<DynInputStream> {
            let table = store.data_mut().wasi_table();
            let stream = match table.get(&file)? {
                Descriptor::Dir(_) => return Ok((Err(ErrorCode::IsDirectory),)),
                Descriptor::File(file) => Reading {
                    file: file.file.clone(),
                    at,
                    ended: false,
                },
            };
            Ok((Ok(table.push(Box::new(stream) as DynInputStream)?),))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store: Ctx<'_, H>, (file, at): (Resource<Descriptor>, u64)| {
            writing(store.data_mut(), &file, Some(at))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut store: Ctx<'_, H>, (file,): (Resource<Descriptor>,)| {
            writing(store.data_mut(), &file, None)
        },
    )?;
    Ok(())
}

fn writing<H: Host>(
    state: &mut State<H>,
    file: &Resource<Descriptor>,
    at: Option<u64>,
) -> Opened<DynOutputStream> {
    let table = state.wasi_table();
    let file = match table.get(file)? {
        Descriptor::Dir(_) => return Ok((Err(ErrorCode::BadDescriptor),)),
        Descriptor::File(File {
            perms: FsPerms::ReadOnly,
            ..
        }) => {
            return Ok((Err(ErrorCode::NotPermitted),));
        }
        Descriptor::File(file) => file.file.clone(),
    };
    let stream = Writing { file, at };
    Ok((Ok(table.push(Box::new(stream) as DynOutputStream)?),))
}

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

/// Reads a file from a position on.
struct Reading {
    file: Arc<std::fs::File>,
    at: u64,
    ended: bool,
}

impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.ended {
            return Err(StreamError::Closed);
        }
        let mut buffer = vec![0; size.min(AT_ONCE)];
        if buffer.is_empty() {
            return Ok(Bytes::new());
        }
        let count = loop {
            match self.file.read_at(&mut buffer, self.at) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(failed)?,
            }
        };
        if count == 0 {
            self.ended = true;
            return Err(StreamError::Closed);
        }
        self.at += count as u64;
        buffer.truncate(count);
        Ok(buffer.into())
    }
}

/// Writes a file from a position on, or always at its end.
struct Writing {
    file: Arc<std::fs::File>,
    at: Option<u64>,
}

impl OutputStream for Writing {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match &mut self.at {
            Some(at) => {
                self.file.write_all_at(&bytes, *at).map_err(failed)?;
                *at += bytes.len() as u64;
            }
            None => append(&self.file, &bytes).map_err(failed)?,
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_ONCE)
    }
}

fn append(file: &std::fs::File, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};
    while !bytes.is_empty() {
        match pwritev2(file, &[io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

macro_rules! ready_at_once {
    ($stream:ty) => {
        impl Pollable for $stream {
            fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
            where
                'a: 'b,
                Self: 'b,
            {
                Box::pin(std::future::ready(()))
            }
        }
    };
}
ready_at_once!(Reading);
ready_at_once!(Writing);
