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
    for (name, content) in generate(&[Path::new(wit)], world)?.iter() {
        let path = Path::new(out).join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The files for a world of the last of these folders, which may use what is in those before it.
fn generate(wit: &[&Path], world: &str) -> Result<Files> {
    let mut resolve = Resolve::default();
    let mut package = None;
    for folder in wit {
        package = Some(resolve.push_path(folder)?.0);
    }
    let world = resolve.select_world(package.as_slice(), Some(world))?;

    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The templates of `wasmpool new` carry bindings, so that nobody needs the generator for a first task.
    #[test]
    fn new_projects_have_the_bindings_of_their_world() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let templates = root.join("runtime/templates");
        let wit = [root.join("wit/0.1.0"), templates.join("shared/wit")];
        let files = generate(&[&wit[0], &wit[1]], "guest").unwrap();
        let mut names: Vec<&str> = Vec::new();
        for (name, content) in files.iter() {
            let file = templates.join("bindings/bindings").join(name);
            let there = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            assert!(there == content, "{} is not what is made", file.display());
            names.push(name);
        }
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
