//! Where guests spent their time, as counts of samples. Owns what a profile holds and its bounds. Pure: no input or output.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::text::printable;

/// Stacks that are told apart, at most.
const MAX_STACKS: usize = 1 << 14;
/// Bytes of their names together, at most.
const MAX_BYTES: usize = 16 << 20;
/// Functions of a stack, at most: one beyond what a worker tells.
const MAX_FRAMES: usize = 129;
/// Bytes of a function's name, at most.
const MAX_NAME_BYTES: usize = 512;

/// What [`PoolBuilder::profile`](super::PoolBuilder::profile) gathered.
///
/// A sample is taken where a guest enters a function or begins a turn of a loop, at the first one after it was asked for.
/// What it then waited for, in a call of the host, counts for where it is afterwards. The names are the module's own, made
/// fit to print. At most 16,384 stacks and 16 MiB of their names are told apart.
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().profile(1000).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", 0..1000i64)?;
/// let profile = pool.profile().expect("it was asked for");
/// for function in profile.functions().iter().take(10) {
///     println!("{} of {}: {}", function.own, profile.samples(), function.name);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    frequency: u32,
    samples: u64,
    other: u64,
    bytes: usize,
    /// Names of functions, the outermost first, a line each.
    stacks: HashMap<Box<str>, u64>,
}

/// A stack, and how often it was seen.
///
/// ```
/// use wasmpool::pool::Profile;
///
/// for stack in Profile::default().stacks() {
///     println!("{} times {}", stack.samples, stack.frames.join(" > "));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stack<'a> {
    /// The names of its functions, the outermost first.
    pub frames: Vec<&'a str>,
    /// How many samples.
    pub samples: u64,
}

/// A function, and how often it was seen.
///
/// ```
/// use wasmpool::pool::Profile;
///
/// for function in Profile::default().functions() {
///     println!("{}: {} itself, {} with what it calls", function.name, function.own, function.total);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSamples<'a> {
    /// Its name.
    pub name: &'a str,
    /// Samples in which it was the innermost.
    pub own: u64,
    /// Samples in which it was anywhere, counted once each.
    pub total: u64,
}

impl Profile {
    pub(super) fn new(frequency: u32) -> Self {
        Profile {
            frequency,
            ..Profile::default()
        }
    }

    /// One of these stacks, for tests.
    #[cfg(test)]
    pub(crate) fn of(frequency: u32, stacks: &[(&str, u64)]) -> Self {
        let mut profile = Profile::new(frequency);
        for (stack, samples) in stacks {
            profile.add(stack.as_bytes(), *samples);
        }
        profile
    }

    /// Counts a worker's sample. The worker's word: anything may stand in it.
    pub(super) fn add(&mut self, stack: &[u8], samples: u64) {
        self.samples = self.samples.saturating_add(samples);
        let text = String::from_utf8_lossy(stack);
        let frames: Vec<_> = text.split('\n').take(MAX_FRAMES).map(name).collect();
        let stack = frames.join("\n");
        if let Some(count) = self.stacks.get_mut(&*stack) {
            *count = count.saturating_add(samples);
        } else if self.stacks.len() < MAX_STACKS && self.bytes + stack.len() <= MAX_BYTES {
            self.bytes += stack.len();
            self.stacks.insert(stack.into(), samples);
        } else {
            self.other = self.other.saturating_add(samples);
        }
    }

    /// How many samples a second were asked for, of each worker that runs an item.
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().profile(250).open("tasks.wasm")?;
    /// assert_eq!(pool.profile().map(|profile| profile.frequency()), Some(250));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// How many samples there are.
    ///
    /// ```
    /// assert_eq!(wasmpool::pool::Profile::default().samples(), 0);
    /// ```
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// How many of them are of stacks that there was no room for.
    ///
    /// ```
    /// let profile = wasmpool::pool::Profile::default();
    /// if profile.other() > 0 {
    ///     println!("{} of {} samples are not in the picture", profile.other(), profile.samples());
    /// }
    /// ```
    pub fn other(&self) -> u64 {
        self.other
    }

    /// The stacks, in the order of their names.
    ///
    /// ```
    /// let profile = wasmpool::pool::Profile::default();
    /// let deepest = profile.stacks().into_iter().max_by_key(|stack| stack.frames.len());
    /// assert_eq!(deepest, None);
    /// ```
    pub fn stacks(&self) -> Vec<Stack<'_>> {
        let mut stacks: Vec<_> = self
            .stacks
            .iter()
            .map(|(names, samples)| Stack {
                frames: names.split('\n').collect(),
                samples: *samples,
            })
            .collect();
        stacks.sort();
        stacks
    }

    /// The functions, those with the most samples of their own first.
    ///
    /// ```
    /// let profile = wasmpool::pool::Profile::default();
    /// if let Some(hottest) = profile.functions().first() {
    ///     println!("most of the time in {}", hottest.name);
    /// }
    /// ```
    pub fn functions(&self) -> Vec<FunctionSamples<'_>> {
        let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for stack in self.stacks() {
            if let Some(innermost) = stack.frames.last() {
                counts.entry(innermost).or_default().0 += stack.samples;
            }
            for name in stack.frames.into_iter().collect::<BTreeSet<_>>() {
                counts.entry(name).or_default().1 += stack.samples;
            }
        }
        let function = |(name, (own, total))| FunctionSamples { name, own, total };
        let mut functions: Vec<_> = counts.into_iter().map(function).collect();
        functions.sort_by_key(|f| std::cmp::Reverse((f.own, f.total)));
        functions
    }

    /// The stacks as other tools read them: a line each, its functions divided by semicolons, then its samples. A
    /// semicolon in a name is written as a colon.
    ///
    /// ```no_run
    /// # let pool = wasmpool::pool::Pool::builder().profile(100).open("tasks.wasm")?;
    /// if let Some(profile) = pool.profile() {
    ///     // Lines as `main;parse;next_token 17`.
    ///     std::fs::write("profile.folded", profile.folded())?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn folded(&self) -> String {
        let mut out = String::new();
        for stack in self.stacks() {
            let names: Vec<_> = stack.frames.iter().map(|f| f.replace(';', ":")).collect();
            out.push_str(&format!("{} {}\n", names.join(";"), stack.samples));
        }
        out
    }
}

fn name(text: &str) -> String {
    match printable(text, MAX_NAME_BYTES).replace('\t', " ") {
        empty if empty.trim().is_empty() => "[no name]".into(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_by_stack_and_by_function() {
        let profile = Profile::of(
            100,
            &[("main\na", 2), ("main\na\na", 3), ("main\na", 1), ("b", 4)],
        );
        assert_eq!((profile.samples(), profile.other()), (10, 0));
        let stacks = profile.stacks();
        let stacks: Vec<_> = stacks.iter().map(|s| (&s.frames[..], s.samples)).collect();
        let wanted: [(&[&str], u64); 3] =
            [(&["b"], 4), (&["main", "a"], 3), (&["main", "a", "a"], 3)];
        assert_eq!(stacks, wanted);
        let functions = profile.functions();
        let functions: Vec<_> = functions.iter().map(|f| (f.name, f.own, f.total)).collect();
        assert_eq!(functions, [("a", 6, 6), ("b", 4, 4), ("main", 0, 6)]);
        assert_eq!(profile.folded(), "b 4\nmain;a 3\nmain;a;a 3\n");
    }

    #[test]
    fn what_a_worker_says_is_made_fit_to_print() {
        let mut profile = Profile::new(100);
        profile.add(b"a;b\n\x1b[2J\xff\n\n<svg>", 1);
        let stacks = profile.stacks();
        let wanted = ["a;b", "\\u{1b}[2J\u{fffd}", "[no name]", "<svg>"];
        assert_eq!(stacks[0].frames, wanted);
        let folded = "a:b;\\u{1b}[2J\u{fffd};[no name];<svg> 1\n";
        assert_eq!(profile.folded(), folded);
        profile.add("f\n".repeat(1000).as_bytes(), 1);
        assert!(
            profile
                .stacks()
                .iter()
                .all(|s| s.frames.len() <= MAX_FRAMES)
        );
    }

    #[test]
    fn stacks_and_their_bytes_are_bounded() {
        let mut many = Profile::new(100);
        for i in 0..MAX_STACKS + 10 {
            many.add(i.to_string().as_bytes(), 1);
        }
        assert_eq!(
            (many.samples() - many.other(), many.other()),
            (MAX_STACKS as u64, 10)
        );
        many.add(b"7", 1);
        assert_eq!(many.other(), 10, "one that is known has its place");

        let mut large = Profile::new(100);
        for i in 0..1000 {
            large.add(
                format!("{i}{}", "\nx".repeat(3).replace('x', &"x".repeat(30_000))).as_bytes(),
                1,
            );
        }
        assert!(large.bytes <= MAX_BYTES);
        let bytes: usize = large.stacks.keys().map(|names| names.len()).sum();
        assert_eq!(bytes, large.bytes);
    }
}
