//! Entries of the compile cache that somebody else has written, or changed.
//!
//! The first byte says how the rest is meant: as a whole entry, or as changes to a good one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::cache::{Cache, CacheKey, CodeSource};
use crate::ipc::manifest::{MAX_ENCODED_BYTES, Manifest};
use crate::memory::bounded;

/// What reading takes besides the entry: a buffer to copy with.
const BUFFER: usize = 512 << 10;

/// A cache in a folder of its own, with one good entry, which is removed with it.
struct Place {
    folder: PathBuf,
    cache: Cache,
    key: CacheKey,
    file: PathBuf,
    good: Vec<u8>,
    code: Vec<u8>,
}

impl Place {
    fn new() -> Place {
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("wasmpool-fuzz-{}-{thread}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let cache = Cache::open(&folder, 1 << 30).expect("a cache");
        let key = CacheKey::new(&[7; 32], b"a module");
        let (_, manifest) = super::manifest::seeds().remove(0);
        let mut manifest = Manifest::decode(&manifest).expect("a seed");
        let code: Vec<u8> = (0..5000u32).map(|i| (i * 7) as u8).collect();
        manifest.code_bytes = code.len() as u64;
        cache
            .put(&key, CodeSource::Bytes(&code), code.len() as u64, &manifest)
            .expect("it is stored");
        let entry = cache.entries().expect("a list").remove(0);
        let file = folder.join(entry.name);
        let good = fs::read(&file).expect("it was stored");
        Place {
            folder,
            cache,
            key,
            file,
            good,
            code,
        }
    }

    /// Whether these bytes are taken for an entry.
    fn takes(&self, bytes: &[u8]) -> bool {
        fs::write(&self.file, bytes).expect("it can be written");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&self.file, private).expect("it is ours");
        let entry = bounded(bytes, 4, BUFFER + MAX_ENCODED_BYTES / 64, || {
            self.cache.get(&self.key)
        });
        if let Some(entry) = &entry {
            let mut read = vec![0; self.code.len()];
            use std::os::unix::fs::FileExt;
            entry.file.read_exact_at(&mut read, 0).expect("its code");
            assert_eq!(
                (read, entry.code_len),
                (self.code.clone(), self.code.len() as u64)
            );
        }
        entry.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

thread_local! {
    static PLACE: Place = Place::new();
}

pub fn run(data: &[u8]) -> bool {
    let Some((how, rest)) = data.split_first() else {
        return false;
    };
    PLACE.with(|place| {
        let bytes = match how % 2 {
            0 => rest.to_vec(),
            _ => changed(&place.good, rest),
        };
        let taken = place.takes(&bytes);
        assert_eq!(
            taken,
            bytes == place.good,
            "only what was stored is an entry"
        );
        taken
    })
}

/// The bytes with changes: each is a place, counted from the end, and what is added to the byte there. What is left over
/// is cut off, or appended.
fn changed(good: &[u8], mut changes: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    while let Some(([low, high, add], rest)) = changes.split_first_chunk() {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
        let at = bytes.len() - 1 - at;
        bytes[at] = bytes[at].wrapping_add(*add);
        changes = rest;
    }
    match changes {
        [cut] => bytes.truncate(bytes.len() - usize::from(*cut)),
        more => bytes.extend_from_slice(more),
    }
    bytes
}

pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    // Magic, layout, lengths of the manifest and of the code, and an authentication code that cannot be right.
    let mut forged = vec![0; 4096];
    forged.extend(super::manifest::seeds().remove(0).1);
    let manifest_bytes = (forged.len() - 4096) as u32;
    forged.extend(b"wasmpool");
    forged.extend(1u32.to_le_bytes());
    forged.extend(manifest_bytes.to_le_bytes());
    forged.extend(56_789u64.to_le_bytes());
    forged.extend([0; 32]);
    vec![
        ("whole", vec![1]),
        ("cut", vec![1, 1]),
        ("longer", vec![1, 0, 0]),
        ("tag", vec![1, 0, 0, 1]),
        ("code-length", vec![1, 32, 0, 1]),
        ("manifest-length", vec![1, 40, 0, 1]),
        ("layout", vec![1, 44, 0, 1]),
        ("magic", vec![1, 48, 0, 1]),
        ("manifest", vec![1, 60, 0, 1]),
        ("code", vec![1, 0, 16, 1]),
        ("forged", [&[0][..], &forged].concat()),
        ("empty", vec![0]),
    ]
}
