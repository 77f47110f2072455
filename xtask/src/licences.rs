//! `cargo xtask licences`: may every dependency be shipped, and does it come from a place that we accept?
//!
//! Needs no network. Reads the same deny.toml as cargo-deny, which checks more: where it is installed, `cargo xtask ci`
//! runs it as well.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::project::{Package, Project};
use crate::run;

/// The part of deny.toml that is understood here. cargo-deny refuses what neither of the two knows.
#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licences,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

/// Checks every package that the workspace needs on the targets of deny.toml.
///
/// # Errors
/// Names each package whose licence is missing, unreadable or not allowed, or that comes from elsewhere than the
/// package registry.
pub fn check(project: &Project) -> Result<()> {
    let path = project.root.join("deny.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let policy: Policy = toml::from_str(&text).context("deny.toml")?;
    let allowed = parse(&policy.licenses.allow)?;

    let packages = project.dependencies(&policy.graph.targets)?;
    let complaints: Vec<String> = packages
        .iter()
        .flat_map(|package| complaints(package, &allowed))
        .collect();
    if !complaints.is_empty() {
        bail!("deny.toml does not allow:\n  {}", complaints.join("\n  "));
    }
    run::say(&format!(
        "licences and origins of {} packages are as deny.toml wants",
        packages.len()
    ));
    Ok(())
}

fn parse(allow: &[String]) -> Result<Vec<Licensee>> {
    allow
        .iter()
        .map(|name| Licensee::parse(name).with_context(|| format!("deny.toml allows `{name}`")))
        .collect()
}

fn complaints(package: &Package, allowed: &[Licensee]) -> Vec<String> {
    let name = format!("{} {}", package.name, package.version);
    let mut complaints = Vec::new();
    match &package.license {
        None => complaints.push(format!("{name}: it names no licence")),
        Some(licence) => match Expression::parse_mode(licence, ParseMode::LAX) {
            Err(error) => complaints.push(format!("{name}: licence `{licence}`: {error}")),
            Ok(expression) => {
                if !expression.evaluate(|need| allowed.iter().any(|one| one.satisfies(need))) {
                    complaints.push(format!("{name}: licence `{licence}`"));
                }
            }
        },
    }
    if let Some(source) = &package.source
        && !source.starts_with("registry+")
    {
        complaints.push(format!("{name}: it comes from {source}"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(licence: Option<&str>, source: Option<&str>, expected: usize) {
        let package = serde_json::from_value(serde_json::json!({
            "name": "p", "version": "1.0.0", "id": "p", "license": licence, "source": source,
            "manifest_path": "/p/Cargo.toml",
        }))
        .unwrap();
        let allow = ["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"];
        let allowed = parse(&allow.map(str::to_owned)).unwrap();
        let found = complaints(&package, &allowed);
        assert_eq!(found.len(), expected, "{licence:?} {source:?}: {found:?}");
    }

    #[test]
    fn expressions_are_evaluated() {
        check(Some("MIT"), None, 0);
        check(Some("MIT/Apache-2.0"), None, 0);
        check(Some("GPL-3.0-only OR MIT"), None, 0);
        check(Some("(Apache-2.0 OR MIT) AND BSD-3-Clause"), None, 0);
        check(Some("Apache-2.0 WITH LLVM-exception"), None, 0);
        check(Some("Apache-2.0"), None, 1);
        check(Some("MIT AND GPL-3.0-only"), None, 1);
        check(Some("My-Own-Words"), None, 1);
        check(None, None, 1);
    }

    #[test]
    fn packages_come_from_the_registry_or_from_here() {
        check(Some("MIT"), Some("registry+https://example.org/index"), 0);
        check(Some("MIT"), Some("git+https://example.org/p.git#1234"), 1);
        check(None, Some("git+https://example.org/p.git#1234"), 2);
    }

    #[test]
    fn an_unknown_licence_in_the_policy_is_refused() {
        assert!(parse(&["Nothing-Like-This".to_owned()]).is_err());
    }
}
