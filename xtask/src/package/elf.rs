//! Whether a program needs a loader, and so the shared libraries of the machine that it runs on.

use std::path::Path;

use anyhow::{Context, Result};

/// The type of a program header that names a loader.
const PT_INTERP: u32 = 3;

/// Whether an ELF program of 64 bits, little-endian, names a loader.
///
/// # Errors
/// When it cannot be read, or is no such program.
pub fn needs_loader(program: &Path) -> Result<bool> {
    let bytes = std::fs::read(program).with_context(|| format!("{}", program.display()))?;
    types(&bytes)
        .map(|types| types.contains(&PT_INTERP))
        .with_context(|| format!("{} is no program of this machine", program.display()))
}

/// The types of its program headers.
fn types(bytes: &[u8]) -> Option<Vec<u32>> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let at = |from: usize, len: usize| bytes.get(from..from.checked_add(len)?);
    let offset = u64::from_le_bytes(at(32, 8)?.try_into().ok()?);
    let size = u16::from_le_bytes(at(54, 2)?.try_into().ok()?);
    let count = u16::from_le_bytes(at(56, 2)?.try_into().ok()?);
    let each = |n: u16| {
        let from = offset.checked_add(u64::from(n) * u64::from(size))?;
        let ty = at(usize::try_from(from).ok()?, 4)?;
        Some(u32::from_le_bytes(ty.try_into().ok()?))
    };
    (0..count).map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_one_and_its_source_is_not() {
        assert!(needs_loader(&std::env::current_exe().unwrap()).is_ok());
        assert!(needs_loader(Path::new(file!())).is_err());
        assert_eq!(types(b"\x7fELF\x02\x01"), None);
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = 3;
        assert_eq!(types(&bytes), Some(vec![PT_INTERP]));
        bytes[56] = 2;
        assert_eq!(types(&bytes), None);
    }
}
