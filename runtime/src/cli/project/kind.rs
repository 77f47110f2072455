//! Which file tells what kind of project a folder holds.

use std::path::Path;

/// What projects are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `cargo build`.
    Cargo,
    /// `npm run build`.
    Npm,
    /// `zig build`.
    Zig,
    /// `make`.
    Make,
    /// componentize-py.
    Python,
}

impl Kind {
    /// In the order in which they are looked for.
    pub const ALL: [Self; 5] = [Self::Cargo, Self::Npm, Self::Zig, Self::Make, Self::Python];

    /// The file that tells it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Cargo => "Cargo.toml",
            Self::Npm => "package.json",
            Self::Zig => "build.zig",
            Self::Make => "Makefile",
            Self::Python => "src/app.py",
        }
    }

    /// The kind of project in a folder, if there is any.
    pub fn of(folder: &Path) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| folder.join(kind.file()).is_file())
    }
}

/// What to do where there is none.
pub fn looked_for() -> String {
    let files = Kind::ALL.map(Kind::file).join(", ");
    format!("looked for {files}; `wasmpool new NAME --lang LANGUAGE` makes a project")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_of_the_list_decides() {
        let folder = std::env::temp_dir().join(format!("wasmpool-kind-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        assert_eq!(Kind::of(&folder), None);
        for kind in Kind::ALL.into_iter().rev() {
            std::fs::write(folder.join(kind.file()), "").unwrap();
            assert_eq!(Kind::of(&folder), Some(kind));
        }
        std::fs::remove_dir_all(folder).unwrap();
        for kind in Kind::ALL {
            assert!(looked_for().contains(kind.file()));
        }
    }
}
