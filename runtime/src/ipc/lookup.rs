//! Which exported function a user means.
//!
//! Owns the rules by which a name is found in a [`Manifest`], and what is said when it is not. Calls nothing.

use thiserror::Error;

use super::manifest::{Function, Manifest};
use crate::text;

/// How many names an error lists.
const LISTED: usize = 12;

/// Why a name stands for no function that can be called. Names are those of a checked manifest; `wanted` is as given.
///
/// ```
/// use wasmpool::module::LookupError;
/// use wasmpool::pool::Error;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// match pool.apply::<_, i64>("sqare", 3i64) {
///     Err(Error::Function(LookupError::Unknown { nearest, .. })) => {
///         assert_eq!(nearest.as_deref(), Some("square"));
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookupError {
    /// No function has this name.
    #[error("no function `{wanted}` is exported{}", listed(.available))]
    Unknown {
        /// The name that was looked for.
        wanted: String,
        /// The name that is spelled most like it, if one is near.
        nearest: Option<String>,
        /// What is exported and can be called.
        available: Vec<String>,
    },
    /// Several functions have this name, in different interfaces.
    #[error("`{wanted}` is exported by several interfaces{}", listed(.candidates))]
    Ambiguous {
        /// The name that was looked for.
        wanted: String,
        /// The full names.
        candidates: Vec<String>,
    },
    /// The function exists, but the pool cannot call it.
    #[error("`{name}` cannot be called: {reason}")]
    NotCallable {
        /// The function's full name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl LookupError {
    /// What to do about it, if anything is known.
    ///
    /// ```
    /// use wasmpool::module::LookupError;
    ///
    /// let error = LookupError::Unknown {
    ///     wanted: "sqare".into(),
    ///     nearest: Some("square".into()),
    ///     available: vec!["square".into()],
    /// };
    /// assert_eq!(error.to_string(), "no function `sqare` is exported; there are square");
    /// assert_eq!(error.hint().as_deref(), Some("did you mean `square`?"));
    /// ```
    pub fn hint(&self) -> Option<String> {
        match self {
            LookupError::Unknown {
                nearest: Some(nearest),
                ..
            } => Some(format!("did you mean `{nearest}`?")),
            LookupError::Unknown { available, .. } if available.is_empty() => {
                Some("export a function from the component's world".into())
            }
            LookupError::Unknown { .. } | LookupError::NotCallable { .. } => None,
            LookupError::Ambiguous { candidates, .. } => candidates
                .first()
                .map(|name| format!("use the full name, such as `{name}`")),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names.len() {
        0 => "; none is that can be called".into(),
        n if n > LISTED => format!(
            "; there are {}, and {} more",
            names[..LISTED].join(", "),
            n - LISTED
        ),
        _ => format!("; there are {}", names.join(", ")),
    }
}

/// Whether two names are the same to a user: `_` stands for `-`.
pub fn same_name(a: &str, b: &str) -> bool {
    let normal = |c: char| if c == '_' { '-' } else { c };
    a.chars().map(normal).eq(b.chars().map(normal))
}

/// Finds the exported function that `wanted` names.
///
/// In this order: the full name; the full name without the version of its interface; the interface without its
/// package (`api#square`); the function alone. `_` stands for `-`. A name must be unique at the first of these where
/// it is found at all.
///
/// # Errors
/// If there is none, if there are several, or if the one there is cannot be called.
pub fn find_function<'a>(
    manifest: &'a Manifest,
    wanted: &str,
) -> Result<&'a Function, LookupError> {
    for form in [
        Form::Full,
        Form::Unversioned,
        Form::Interface,
        Form::Function,
    ] {
        let found: Vec<_> = manifest
            .functions
            .iter()
            .filter(|f| same_name(&form.of(&f.name), wanted))
            .collect();
        match found.as_slice() {
            [] => {}
            [function] => {
                return match &function.callable {
                    Ok(()) => Ok(function),
                    Err(reason) => Err(LookupError::NotCallable {
                        name: function.name.clone(),
                        reason: reason.clone(),
                    }),
                };
            }
            several => {
                let candidates = several.iter().map(|f| f.name.clone()).collect();
                return Err(LookupError::Ambiguous {
                    wanted: wanted.into(),
                    candidates,
                });
            }
        }
    }
    let available: Vec<_> = manifest
        .functions
        .iter()
        .filter(|f| f.callable.is_ok())
        .map(|f| f.name.clone())
        .collect();
    Err(LookupError::Unknown {
        wanted: wanted.into(),
        nearest: nearest(&wanted.replace('_', "-"), &available),
        available,
    })
}

/// The parts of `local:demo/api@1.0.0#square` by which it may be called.
#[derive(Clone, Copy)]
enum Form {
    Full,
    Unversioned,
    Interface,
    Function,
}

impl Form {
    fn of(self, name: &str) -> String {
        let (interface, function) = match name.split_once('#') {
            Some((interface, function)) => (Some(interface), function),
            None => (None, name),
        };
        let unversioned = interface.map(|i| i.split_once('@').map_or(i, |(name, _)| name));
        match (self, unversioned) {
            (Form::Full, _) => name.into(),
            (Form::Function, _) | (_, None) => function.into(),
            (Form::Unversioned, Some(interface)) => format!("{interface}#{function}"),
            (Form::Interface, Some(interface)) => {
                format!(
                    "{}#{function}",
                    interface.rsplit('/').next().unwrap_or(interface)
                )
            }
        }
    }
}

/// The function whose own name, without its interface, is spelled most like that of `wanted`.
fn nearest(wanted: &str, available: &[String]) -> Option<String> {
    let bare = Form::Function.of(wanted);
    let names = available.iter().map(|name| Form::Function.of(name));
    text::nearest(&bare, names).map(|place| available[place].clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::manifest::tests::sample;

    fn manifest(names: &[&str]) -> Manifest {
        let mut manifest = sample();
        let function = manifest.functions.remove(0);
        manifest.functions = names
            .iter()
            .map(|n| Function {
                name: (*n).into(),
                ..function.clone()
            })
            .collect();
        manifest
    }

    #[test]
    fn names_are_found_in_every_form() {
        let all = manifest(&[
            "top-level",
            "local:demo/api@1.0.0#square",
            "local:demo/other#cube",
            "a:b/c#top-level",
        ]);
        for (wanted, name) in [
            ("local:demo/api@1.0.0#square", "local:demo/api@1.0.0#square"),
            ("local:demo/api#square", "local:demo/api@1.0.0#square"),
            ("api#square", "local:demo/api@1.0.0#square"),
            ("square", "local:demo/api@1.0.0#square"),
            ("cube", "local:demo/other#cube"),
            ("top-level", "top-level"),
            ("top_level", "top-level"),
            ("c#top_level", "a:b/c#top-level"),
        ] {
            assert_eq!(
                find_function(&all, wanted).map(|f| f.name.as_str()),
                Ok(name),
                "{wanted}"
            );
        }
    }

    #[test]
    fn an_ambiguous_name_lists_its_candidates() {
        let error = find_function(&manifest(&["a:b/c#f", "a:b/d#f"]), "f").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`f` is exported by several interfaces; there are a:b/c#f, a:b/d#f"
        );
        assert_eq!(
            error.hint().unwrap(),
            "use the full name, such as `a:b/c#f`"
        );
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let error = find_function(&manifest(&["a:b/c#square", "cube"]), "sqaure").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no function `sqaure` is exported; there are a:b/c#square, cube"
        );
        assert_eq!(error.hint().unwrap(), "did you mean `a:b/c#square`?");
        let error = find_function(&manifest(&["cube"]), "unrelated").unwrap_err();
        assert_eq!(error.hint(), None);
        let error = find_function(&manifest(&[]), "f").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no function `f` is exported; none is that can be called"
        );
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_function_that_cannot_be_called_says_why() {
        let mut manifest = manifest(&["f"]);
        manifest.functions[0].callable = Err("it takes a resource".into());
        let error = find_function(&manifest, "f").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`f` cannot be called: it takes a resource"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..100).map(|i| format!("function-{i}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let error = find_function(&manifest(&names), "x").unwrap_err();
        assert!(
            error.to_string().ends_with("function-11, and 88 more"),
            "{error}"
        );
    }
}
