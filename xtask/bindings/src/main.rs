//! `c-bindings WIT WORLD OUT`: writes the C header, the C code and the object file with the component's types that a
//! guest of the world WORLD of the folder WIT needs, into the folder OUT.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use wit_bindgen_core::{Files, wit_parser::Resolve};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [wit, world, out] = args.as_slice() else {
        bail!("usage: c-bindings WIT WORLD OUT");
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;

    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let path = Path::new(out).join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
