// What is around the examples in the documentation that open pools: a block, since `include!` takes an expression here.
// Each example is a process of its own. It gets a folder of its own, with modules in it; beside its executable
// lie the program `wasmpool` and the cache. rustdoc removes all of it.
{
    let libraries = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let program = std::env::split_paths(&libraries)
        .flat_map(|folder| [folder.join("wasmpool"), folder.join("../wasmpool")])
        .find(|path| path.is_file())
        .expect("examples open pools with the program: build it first, in the same profile");
    let executable = std::env::current_exe().unwrap();
    let beside = executable.parent().unwrap();
    match std::os::unix::fs::symlink(program, beside.join("wasmpool")) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => panic!("{error}"),
        _ => {}
    }
    let folder = beside.join(format!("example-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    std::fs::write("tasks.wasm", include_str!("tasks.wat")).unwrap();
    std::fs::write("args.wasm", include_str!("args.wat")).unwrap();
    std::fs::write("squares.wasm", include_str!("squares.wat")).unwrap();
    // SAFETY: this process has no other thread that could look at the environment.
    unsafe { std::env::set_var("XDG_CACHE_HOME", beside.join("cache")) };
}
