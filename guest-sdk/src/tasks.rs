//! What a task is: a function of some parameters, and its entry in the component's table.

use crate::chunk::{Run, check_frames};
use crate::host::Encoding;

/// A function that can be a task: `Args` is the tuple of its parameters.
pub trait Task<Args> {
    /// What the function returns.
    type Output;
    /// How many parameters it has.
    const ARITY: usize;
    /// Calls it.
    fn call(&self, args: Args) -> Self::Output;
}

macro_rules! task_of {
    ($count:literal $($parameter:ident)*) => {
        impl<Function, Output, $($parameter),*> Task<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Output,
        {
            type Output = Output;
            const ARITY: usize = $count;
            #[inline]
            #[allow(non_snake_case)]
            fn call(&self, ($($parameter,)*): ($($parameter,)*)) -> Output {
                self($($parameter),*)
            }
        }
    };
}

task_of!(0);
task_of!(1 A);
task_of!(2 A B);
task_of!(3 A B C);
task_of!(4 A B C D);
task_of!(5 A B C D E);
task_of!(6 A B C D E F);
task_of!(7 A B C D E F G);
task_of!(8 A B C D E F G H);

/// The number of a task's parameters.
pub const fn arity_of<F: Task<Args>, Args>(_: &F) -> usize {
    F::ARITY
}

/// One task of a component.
pub struct Entry {
    /// The function's name in Rust.
    pub name: &'static str,
    /// Its documentation, as written.
    pub description: &'static str,
    /// Runs it over a chunk.
    pub run: fn(Run<'_>) -> Vec<u8>,
}

impl Entry {
    /// The name by which the pool calls the task: in the style of WIT, `word-count` for `word_count`.
    pub fn task_name(&self) -> String {
        self.name.trim_start_matches("r#").replace('_', "-")
    }

    /// The documentation without the indentation of its lines.
    pub fn task_description(&self) -> String {
        let lines: Vec<&str> = self.description.lines().map(str::trim).collect();
        lines.join("\n").trim().to_owned()
    }

    /// Runs the task over a chunk. Returns the results that were not reported on the way, or, before anything is run,
    /// the offset of the first frame that breaks the framing.
    pub fn run_chunk(
        &self,
        input: Encoding,
        output: Encoding,
        chunk: &mut [u8],
    ) -> Result<Vec<u8>, u64> {
        check_frames(chunk)?;
        Ok((self.run)(Run {
            input,
            output,
            chunk,
        }))
    }
}

/// Makes a component of this crate: names the functions that are its tasks.
///
/// Each is a function in scope, by its name; documentation comments before it describe the task to the pool's users. With
/// the parameters' names, `area(width, height)`, a task of several parameters also takes a JSON object. The pool calls
/// `word_count` by the name `word-count`, and accepts both spellings.
///
/// A name that is given twice, or with another number of parameters than the function has, does not compile:
///
/// ```compile_fail
/// fn area(width: u32, height: u32) -> u32 { width * height }
/// wasmpool_guest::tasks!(area, area);
/// ```
///
/// ```compile_fail
/// fn area(width: u32, height: u32) -> u32 { width * height }
/// wasmpool_guest::tasks!(area(width));
/// ```
///
/// Use it once in a crate. It exports the component's functions, which is code marked `unsafe`: in a crate that forbids
/// unsafe code, deny it instead.
///
/// ```
/// /// Where the first number of these lies, in the rest.
/// fn position(wanted: i64, numbers: Vec<i64>) -> Option<usize> {
///     numbers.iter().position(|number| *number == wanted)
/// }
///
/// wasmpool_guest::tasks! {
///     /// Looks for a number.
///     position(wanted, numbers),
/// }
///
/// # fn main() {
/// // In a test it is a function like any other.
/// assert_eq!(position(3, vec![1, 2, 3]), Some(2));
/// # }
/// ```
#[macro_export]
macro_rules! tasks {
    ($($(#[doc = $doc:literal])* $task:ident $(($($parameter:ident),+ $(,)?))?),+ $(,)?) => {
        #[allow(unsafe_code, clippy::undocumented_unsafe_blocks)]
        const _: () = {
            // Two tasks of one name do not compile.
            #[allow(non_camel_case_types, dead_code)]
            enum Names { $($task),+ }

            static TASKS: &[$crate::__private::Entry] =
                $crate::__table!($($(#[doc = $doc])* $task $(($($parameter),+))?),+);

            $crate::__export!(TASKS);
        };
    };
}

/// The table of tasks, as an expression.
#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ($($(#[doc = $doc:literal])* $task:ident $(($($parameter:ident),+))?),+) => {
        &[$($crate::__private::Entry {
            name: ::core::stringify!($task),
            description: ::core::concat!($($doc, "\n"),*),
            run: |run| {
                #[allow(unused_imports)]
                use $crate::__private::dispatch::*;
                const PARAMETERS: &[&str] = &[$($(::core::stringify!($parameter)),+)?];
                const _: () = ::core::assert!(
                    PARAMETERS.is_empty() || PARAMETERS.len() == $crate::__private::arity_of(&$task),
                    "the task is registered with another number of parameters than the function has"
                );
                let taking = arguments_of(&$task).taking();
                let outcome = (&&&&&result_of(&$task)).outcome();
                let giving = value_of(&$task, outcome).giving();
                run.each($task, PARAMETERS, taking, outcome, giving)
            },
        }),+]
    };
}

/// Exports a table of tasks from a component.
#[doc(hidden)]
#[macro_export]
#[cfg(target_family = "wasm")]
macro_rules! __export {
    ($tasks:ident) => {
        use $crate::__private::bindings::exports::wasmpool::task::map;

        struct Component;

        impl map::Guest for Component {
            fn list_tasks() -> ::std::vec::Vec<map::Task> {
                $crate::__private::list_tasks($tasks)
            }

            fn run(
                task: u32,
                input: map::Encoding,
                output: map::Encoding,
                chunk: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, map::RunError> {
                $crate::__private::run($tasks, task, input, output, chunk)
            }
        }

        $crate::__private::bindings::export!(Component with_types_in $crate::__private::bindings);
    };
}

/// Outside WebAssembly the table is only checked.
#[doc(hidden)]
#[macro_export]
#[cfg(not(target_family = "wasm"))]
macro_rules! __export {
    ($tasks:ident) => {
        const _: &[$crate::__private::Entry] = $tasks;
    };
}
