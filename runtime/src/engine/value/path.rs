//! Where in an item something is wrong, and what was probably meant.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de;

use super::types::{Int, Kind, Ty};
use super::wit::brief;

/// A JSON pointer (RFC 6901) as it is walked: each level points to the one above it, so that it costs nothing until
/// it is shown.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Index(&'p Path<'p>, usize),
    Name(&'p Path<'p>, &'p str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Path::Root => Ok(()),
            Path::Index(above, index) => write!(f, "{above}/{index}"),
            Path::Name(above, name) => {
                write!(f, "{above}/")?;
                for c in name.chars() {
                    match c {
                        '~' => f.write_str("~0")?,
                        '/' => f.write_str("~1")?,
                        c => f.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// Holds the message of the error that stopped the reading of an item.
///
/// The deserializer's own error type has no room for a path, so the message waits here while that error unwinds.
#[derive(Default)]
pub(super) struct Report(RefCell<Option<String>>);

impl Report {
    /// Records what is wrong at a place, and gives the error to stop with.
    pub(super) fn fail<E: de::Error>(&self, at: &Path<'_>, what: impl fmt::Display) -> E {
        let message = match at {
            Path::Root => what.to_string(),
            _ => format!("{at}: {what}"),
        };
        *self.0.borrow_mut() = Some(message);
        E::custom("the item does not fit its type")
    }

    /// The message for people: what was recorded, else that the text is not JSON.
    pub(super) fn message(self, error: &serde_json::Error) -> String {
        self.0
            .into_inner()
            .unwrap_or_else(|| format!("invalid JSON: {error}"))
    }
}

/// Where a value stands, and where to report what is wrong with it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path<'a>,
    report: &'a Report,
}

impl<'a> Place<'a> {
    pub(super) fn root(report: &'a Report) -> Self {
        Place {
            path: &Path::Root,
            report,
        }
    }

    pub(super) fn at(self, path: &'a Path<'a>) -> Self {
        Place { path, ..self }
    }

    pub(super) fn fail<E: de::Error>(self, what: impl fmt::Display) -> E {
        self.report.fail(self.path, what)
    }

    pub(super) fn mismatch<E: de::Error>(self, ty: &Ty, got: impl fmt::Display) -> E {
        self.fail(format_args!("expected {}, got {got}", Expected(ty)))
    }
}

/// A type, with the range of an integer.
pub(super) struct Expected<'t>(pub(super) &'t Ty);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&brief(&self.0.ty))?;
        match self.0.kind {
            Kind::Int(int) => match int {
                Int::S8 => write!(f, " ({} to {})", i8::MIN, i8::MAX),
                Int::U8 => write!(f, " (0 to {})", u8::MAX),
                Int::S16 => write!(f, " ({} to {})", i16::MIN, i16::MAX),
                Int::U16 => write!(f, " (0 to {})", u16::MAX),
                Int::S32 => write!(f, " ({} to {})", i32::MIN, i32::MAX),
                Int::U32 => write!(f, " (0 to {})", u32::MAX),
                Int::S64 => write!(f, " ({} to {})", i64::MIN, i64::MAX),
                Int::U64 => write!(f, " (0 to {})", u64::MAX),
            },
            Kind::Char => f.write_str(" (a string of one character)"),
            _ => Ok(()),
        }
    }
}

/// Bytes of a piece of an item that a message quotes.
const QUOTED: usize = 40;

/// A string from an item, quoted for a message: shortened, control characters escaped.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// Names a message lists when none is near.
const LISTED: usize = 8;

/// Ends a sentence about an unknown name: the nearest of the names there are, or else all of them.
pub(super) fn suggest<'n>(wrong: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    // An edit distance costs the product of the lengths: nobody mistypes a name of this length.
    let near = (wrong.len() <= 64)
        .then(|| {
            names
                .clone()
                .filter(|name| name.len() <= 64)
                .map(|name| (distance(wrong, name), name))
                .min()
                .filter(|(distance, name)| *distance <= name.len().max(wrong.len()).div_ceil(3))
        })
        .flatten();
    if let Some((_, name)) = near {
        return format!("did you mean `{name}`?");
    }
    let mut text = String::from("there is ");
    if names.clone().next().is_none() {
        text.push_str("none");
    }
    for (index, name) in names.enumerate() {
        if index == LISTED {
            text.push_str(", …");
            break;
        }
        let _ = write!(text, "{}`{name}`", if index > 0 { ", " } else { "" });
    }
    text
}

/// The Levenshtein distance of two short names, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
