//! The guest that measures, where `cargo xtask guests` puts it.

use std::path::PathBuf;

/// Its module; `None` if it was not built.
pub fn speed() -> Option<PathBuf> {
    let folder = std::env::var_os("WASMPOOL_GUESTS").map(PathBuf::from);
    let beside = || {
        let this = std::env::current_exe().expect("this program has a path");
        let target = this.ancestors().nth(3).expect("it lies in a target folder");
        target.join("guests")
    };
    let module = folder.unwrap_or_else(beside).join("speed.wasm");
    module.is_file().then_some(module)
}
