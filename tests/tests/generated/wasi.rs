//! Core modules that call WASI preview 1 at random, with arguments that often make sense.

use wasmpool_tests::Random;

/// Functions of WASI preview 1: a letter a parameter, for what it is.
const WASI: [(&str, &str); 45] = [
    ("args_get", "pp"),
    ("args_sizes_get", "pp"),
    ("environ_get", "pp"),
    ("environ_sizes_get", "pp"),
    ("clock_res_get", "np"),
    ("clock_time_get", "nlp"),
    ("fd_advise", "flln"),
    ("fd_allocate", "fll"),
    ("fd_close", "f"),
    ("fd_datasync", "f"),
    ("fd_fdstat_get", "fp"),
    ("fd_fdstat_set_flags", "fn"),
    ("fd_fdstat_set_rights", "fll"),
    ("fd_filestat_get", "fp"),
    ("fd_filestat_set_size", "fl"),
    ("fd_filestat_set_times", "flln"),
    ("fd_pread", "fvclp"),
    ("fd_prestat_get", "fp"),
    ("fd_prestat_dir_name", "fpn"),
    ("fd_pwrite", "fvclp"),
    ("fd_read", "fvcp"),
    ("fd_readdir", "fpnlp"),
    ("fd_renumber", "ff"),
    ("fd_seek", "flnp"),
    ("fd_sync", "f"),
    ("fd_tell", "fp"),
    ("fd_write", "fvcp"),
    ("path_create_directory", "fsc"),
    ("path_filestat_get", "fnscp"),
    ("path_filestat_set_times", "fnsclln"),
    ("path_link", "fnscfsc"),
    ("path_open", "fnscnllnp"),
    ("path_readlink", "fscpnp"),
    ("path_remove_directory", "fsc"),
    ("path_rename", "fscfsc"),
    ("path_symlink", "scfsc"),
    ("path_unlink_file", "fsc"),
    ("poll_oneoff", "ppcp"),
    ("proc_exit", "n"),
    ("sched_yield", ""),
    ("random_get", "pn"),
    ("sock_accept", "fnp"),
    ("sock_recv", "fvcnpp"),
    ("sock_send", "fvcnp"),
    ("sock_shutdown", "fn"),
];

/// The next one, with metadata of a component that exports `run`.
pub fn module(random: &mut Random) -> Vec<u8> {
    let mut imports = String::new();
    for (name, params) in WASI {
        let params: Vec<_> = params
            .chars()
            .map(|p| if p == 'l' { "i64" } else { "i32" })
            .collect();
        let result = if name == "proc_exit" {
            ""
        } else {
            "(result i32)"
        };
        let params = params.join(" ");
        imports.push_str(&format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {params}) {result}))\n"
        ));
    }
    let mut calls = String::new();
    for _ in 0..1 + random.below(30) {
        let (name, params) = WASI[random.below(WASI.len())];
        let arguments: String = params.chars().map(|p| argument(p, random)).collect();
        match name {
            "proc_exit" if random.below(8) > 0 => {}
            "proc_exit" => calls.push_str(&format!("(call ${name} {arguments})\n")),
            _ => calls.push_str(&format!("(drop (call ${name} {arguments}))\n")),
        }
    }
    // At 64 what to read and write: 16 bytes at 1040, 64 KiB at 65536. At 1024 paths.
    let text = format!(
        r#"(module {imports}
            (memory (export "memory") 4)
            (data (i32.const 64) "\10\04\00\00\10\00\00\00\00\00\01\00\00\00\01\00")
            (data (i32.const 1024) "ab/../a\00/etc/passwd and more")
            (func (export "run") (param i64) (result i64)
                {calls}
                (local.get 0)))"#
    );
    let mut module = wat::parse_str(text).expect("it is a module");
    let mut resolve = wit_parser::Resolve::default();
    let wit = "package made:up; world calls { export run: func(x: s64) -> s64; }";
    let package = resolve.push_str("calls.wit", wit).expect("it is a world");
    let world = resolve
        .select_world(&[package], None)
        .expect("there is one");
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8, false)
        .expect("it is a module");
    module
}

fn argument(kind: char, random: &mut Random) -> String {
    if kind == 'l' {
        let value = [0, 1, 7, 4096, -1, i64::MAX, 1 << 40, random.number() as i64][random.below(8)];
        return format!("(i64.const {value})");
    }
    let value = match (kind, random.below(12)) {
        (_, 0) => random.number() as i32,
        (_, 1) => -1,
        // The first directory that is granted is 3; what is opened comes behind it.
        ('f', _) => [0, 1, 2, 3, 3, 3, 4, 4, 5, 6][random.below(10)],
        // A place for results, a list of places, a path, a count or length.
        ('p', _) => 2048 + 8 * random.below(4000) as i32,
        ('v', _) => 64 + 8 * random.below(2) as i32,
        ('s', _) => 1024 + random.below(8) as i32,
        ('c', _) => [0, 1, 1, 2, 2, 7][random.below(6)],
        _ => [0, 1, 2, 3, 4, 5, 8, 15, 16, 64, 4096, 200_000][random.below(12)],
    };
    format!("(i32.const {value})")
}
