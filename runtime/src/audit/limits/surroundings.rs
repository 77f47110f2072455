//! What an item has of the machine that nobody granted it: nothing.

use super::{HOSTILE, Seen, Spec, limits, pool};
use crate::audit::report::Check;
use crate::pool::Error;

pub(super) fn checks() -> Vec<Check> {
    let nothing = [
        ("variables", "environment variables"),
        ("arguments", "arguments"),
        ("directories", "directories"),
    ]
    .map(|(function, what)| {
        Spec::new(
            "surroundings",
            function,
            format!("a guest has no {what}"),
            "WASI of the worker, which has none itself",
        )
        .check(|| {
            let found = ask(function)?;
            Ok(Seen::new(found == 0, format!("it was given {found}")))
        })
    });
    let socket = Spec::new(
        "surroundings",
        "socket",
        "a guest makes no socket",
        "WASI of the worker, which could make none",
    )
    .check(|| {
        let error = ask("socket")?;
        Ok(match error {
            0 => Seen::new(false, "it was given one"),
            2 => Seen::new(true, "refused with access-denied"),
            other => Seen::new(true, format!("refused with error {}", other - 1)),
        })
    });
    nothing.into_iter().chain([socket]).collect()
}

fn ask(function: &str) -> Result<i64, Error> {
    pool(HOSTILE, limits())?.apply::<i64, i64>(function, 0)
}
