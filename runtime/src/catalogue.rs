//! The catalogue of errors: each has a code that stays, and says what happened, why, and what to do.
//!
//! A pure leaf: data alone. Which error has which code is said where the errors are, by matches without a wildcard; which
//! exit code follows is said by `cli::exit`.

use std::fmt;

macro_rules! catalogue {
    ($($variant:ident $name:literal { $what:literal $why:literal $fix:literal })*) => {
        /// What kind of error it is: a name that stays the same from release to release, as messages may not.
        ///
        /// `wasmpool explain CODE` prints the three sentences.
        ///
        /// ```
        /// use wasmpool::catalogue::Code;
        ///
        /// let code: Code = "timeout".parse().unwrap();
        /// assert_eq!(code, Code::Timeout);
        /// assert_eq!(code.to_string(), "timeout");
        /// println!("{}\n{}\n{}", code.what(), code.why(), code.fix());
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $what] $variant,)*
        }

        impl Code {
            /// Every code, those of items first.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code itself: lower case, with hyphens.
            ///
            /// ```
            /// # use wasmpool::catalogue::Code;
            /// assert_eq!(Code::WorkerLost.name(), "worker-lost");
            /// ```
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// What happened, in a sentence.
            ///
            /// ```
            /// # use wasmpool::catalogue::Code;
            /// println!("{}", Code::WorkerLost.what());
            /// ```
            pub const fn what(self) -> &'static str {
                match self { $(Code::$variant => $what,)* }
            }

            /// Why such a thing happens, in a sentence.
            ///
            /// ```
            /// # use wasmpool::catalogue::Code;
            /// println!("{}", Code::WorkerLost.why());
            /// ```
            pub const fn why(self) -> &'static str {
                match self { $(Code::$variant => $why,)* }
            }

            /// What to do about it, in a sentence.
            ///
            /// ```
            /// # use wasmpool::catalogue::Code;
            /// // Each has all three.
            /// assert!(Code::ALL.iter().all(|code| !code.fix().is_empty()));
            /// ```
            pub const fn fix(self) -> &'static str {
                match self { $(Code::$variant => $fix,)* }
            }
        }
    };
}

// Of single items first, as in `failure`; then of whole commands, by their exit codes.
catalogue! {
    Failed "failed" {
        "The task returned an error for this item, or a command ended with an exit code other than 0."
        "The task's author decided that it cannot do this item; the message is the task's own."
        "Read the message, and change the item or the task."
    }
    InvalidInput "invalid-input" {
        "The item does not fit the type that the function takes."
        "It was checked inside the worker, before the function was called; the message says where in the item, and what was expected there."
        "Compare the item with the function's signature, which `wasmpool map MODULE:FUNCTION --sig` prints."
    }
    Trap "trap" {
        "The guest's code stopped in its middle, or broke the rules by which it talks to its host."
        "A panic, an access out of bounds, a division by zero, too deep a recursion, or spent fuel ends an instance; the backtrace says where."
        "Correct the task at the innermost frame that is yours; raise --fuel if that was spent."
    }
    Timeout "timeout" {
        "The item ran longer than its time limit, and its worker was killed."
        "The task loops or waits for ever, or the item needs more time than --timeout gives it."
        "Raise --timeout, or have --backtrace-on-timeout tell where the guest was."
    }
    Memory "memory" {
        "The guest needed more memory than it may have, and could not go on without it."
        "A growth beyond --memory is refused, and most programs abort on that; the process as a whole has a limit too."
        "Raise --memory, or make the items smaller."
    }
    OutputLimit "output-limit" {
        "The item's result, or its log, is larger than its limit."
        "Whatever a guest gives is bounded, so that none can flood its host."
        "Raise --result-bytes or --log-bytes, or have the task write to a granted directory."
    }
    WorkerLost "worker-lost" {
        "The worker process of this item died again and again."
        "A signal, the machine's out-of-memory killer or a fault of the engine ended it, more often than --retries allows."
        "Look for killed processes in the system's log, use fewer --workers, and report a module that crashes its worker every time."
    }
    Cancelled "cancelled" {
        "The item was not run to its end."
        "It was cancelled by whoever submitted it, by an interrupt, or because another item failed."
        "Run it again; --on-error continue keeps the failure of one item from ending the others."
    }
    ItemCodec "item-codec" {
        "An item could not be encoded, or a result could not be decoded."
        "The types of the program that embeds the pool are not those of the task."
        "Make the Rust types those that the task takes and returns, or use the calls that take and give bytes."
    }
    ItemsFailed "items-failed" {
        "Some items failed, and the others were run."
        "With --on-error continue each failure was told when it happened, with a code of its own."
        "Look for the lines above, or have --output records print errors among the results."
    }
    Deadlock "deadlock" {
        "Every process of the pipeline waits for another one."
        "Each waits for a message, a lock or a barrier that only another one could give; the message says who waits for what."
        "Change the order in which locks are taken, close queues that are done, or give waits a timeout."
    }
    Usage "usage" {
        "The command line cannot be understood."
        "An argument is missing, given too often, or not text."
        "See `wasmpool help COMMAND`."
    }
    CommandUnknown "command-unknown" {
        "There is no such command."
        "The first argument is none of those that `wasmpool help` lists."
        "Check its spelling: the nearest command is named if there is one."
    }
    OptionUnknown "option-unknown" {
        "The command has no such option."
        "It is misspelt, belongs to another command, or is an item that begins with a hyphen."
        "Check its spelling, or write `--` before items that begin with a hyphen."
    }
    ValueInvalid "value-invalid" {
        "An option was given a value that it does not take."
        "Sizes and times need their units, counts begin at 1, and some options know only a few words."
        "Write it as the message says; an environment variable can be where it came from."
    }
    OptionsConflict "options-conflict" {
        "Two options contradict each other, or one needs another."
        "What they ask for cannot be had together; the message says why."
        "Leave one of them out."
    }
    TargetInvalid "target-invalid" {
        "The argument for the module names none, or no function behind its colon."
        "One of its two parts is empty."
        "Write a file's name, and behind a colon the function, such as task.wasm:square."
    }
    ItemsMissing "items-missing" {
        "There are no items to run the function over."
        "None were given as arguments, and none of --input, --lines, --csv and --files was."
        "Give items as arguments, or say where to read them from; `--input -` reads JSON lines from standard input."
    }
    InputUnreadable "input-unreadable" {
        "A file that is to be read cannot be read."
        "It is not there, is a folder, or may not be read by you."
        "Check its name, from the current folder, and its permissions; the nearest name in its folder is given if there is one."
    }
    InputTooLarge "input-too-large" {
        "A file or standard input is larger than what is read at once."
        "It is kept in memory as a whole, which is bounded."
        "Give it as a file of a granted directory, or in smaller pieces."
    }
    InputTwice "input-twice" {
        "Standard input was to be read for two things."
        "The module and the items were both given as `-`, and there is one standard input."
        "Put one of them into a file."
    }
    GlobEmpty "glob-empty" {
        "No file matches a pattern."
        "A pattern that no shell has expanded is expanded as a shell would: `*` matches no `/` and no hidden file."
        "Check the pattern from the current folder, with `ls`."
    }
    TableUnfit "table-unfit" {
        "The columns of the CSV file are not the parameters of the function."
        "Its first line has to name each parameter that is no option, once, and nothing else."
        "Change the first line, or choose the function whose signature the hint shows."
    }
    OutputRefused "output-refused" {
        "The results cannot be written where they were to go."
        "The directory cannot be made or entered, or a result would replace an input."
        "Give another directory with --output-dir."
    }
    FunctionUnknown "function-unknown" {
        "The module exports no function of this name."
        "It is misspelt, or is in another module; `_` stands for `-`, and the interface may be left out."
        "See `wasmpool inspect MODULE` for what there is; the nearest name is given if there is one."
    }
    FunctionAmbiguous "function-ambiguous" {
        "Several interfaces of the module export a function of this name."
        "The name alone does not say which of them is meant."
        "Use one of the full names that the message lists."
    }
    FunctionUnnamed "function-unnamed" {
        "The module has several functions, and none was named."
        "A name may be left out only where there is no choice."
        "Write MODULE:FUNCTION, with one of those that the message lists."
    }
    TaskUnknown "task-unknown" {
        "The module has no task of this name."
        "The module was written with the guest SDK, and lists other tasks."
        "Use one that the message lists, or add this one to the module's `tasks!`."
    }
    NotCacheable "not-cacheable" {
        "The module's results cannot be kept for later runs."
        "It imports clocks, randomness or its context, so that a result can depend on more than its item."
        "Add --deterministic, leave out --cache-results, or build the module without that import."
    }
    GrantRefused "grant-refused" {
        "A directory or a variable that guests were to be granted cannot be."
        "The directory is not there or may not be read by you, two have one name for the guest, or there are too many."
        "Correct --dir or --env; a directory has to exist before the run."
    }
    ProjectMissing "project-missing" {
        "The folder given as a module holds no project."
        "A folder is built first, by the first file in it that tells what it is written in, and it has none of them."
        "Give the module itself, or make a project with `wasmpool new`."
    }
    ProjectBroken "project-broken" {
        "The project given as a module cannot be built."
        "Its language's tool is missing, cannot be started or failed, or no module came of it; what the tool said is shown."
        "Run the command that the message shows in that folder, and correct what it says."
    }
    NameRefused "name-refused" {
        "A project cannot have this name, or its folder is in use."
        "Names have to be good in every language and tool, and no file is ever replaced."
        "Take the name that the hint suggests, or an empty folder."
    }
    CacheUnusable "cache-unusable" {
        "The cache cannot be used."
        "Its folder has to be yours alone, because what is in it is run: neither a link, nor another user's, nor open to others."
        "Do what the hint says, or name another folder in WASMPOOL_CACHE_DIR."
    }
    MonitorUnusable "monitor-unusable" {
        "Running pools cannot be asked what they do."
        "The folder of their sockets has to be yours alone: neither a link, nor another user's, nor open to others."
        "Remove the folder that the message names, or make it private; pools make it anew."
    }
    PipelineInvalid "pipeline-invalid" {
        "The file describes no pipeline that could run."
        "A key is unknown, a value is wrong, a process uses what there is not, or a queue has nobody at one of its ends."
        "Correct the file where the message points."
    }
    ConfigInvalid "config-invalid" {
        "The configuration file cannot be used."
        "It is no TOML, or has a key or a value that no option has; nothing in it is skipped in silence."
        "Correct the line that the message names, or leave the file out with --no-config."
    }
    ConfigUntrusted "config-untrusted" {
        "A configuration file that was found, and not named, would take protection away."
        "Whoever can put a file into a folder could otherwise grant directories to code that you do not trust."
        "If the file is yours, name it with --config FILE or in WASMPOOL_CONFIG; else leave it out with --no-config."
    }
    RowUnknown "row-unknown" {
        "The benchmark has no such row."
        "The name is none of those that `wasmpool bench --list` prints."
        "Check its spelling: the nearest row is named if there is one."
    }
    CodeUnknown "code-unknown" {
        "No error has this code."
        "The code is none of those that `wasmpool explain` lists."
        "Take the word in brackets behind `error`, or the word behind an item's name."
    }
    ModuleUnreadable "module-unreadable" {
        "The module cannot be read."
        "There is no such file, it is none, or may not be read by you."
        "Check its name, from the current folder, and its permissions; the nearest name in its folder is given if there is one."
    }
    ModuleRefused "module-refused" {
        "The file is no module that can be run."
        "It is no WebAssembly, is damaged, or is a module that neither is a component nor says how to become one."
        "Do what the hint says, or build it as a component, with the guest SDK, or as a WASI command."
    }
    ModuleOverLimit "module-over-limit" {
        "The module asks for more than a limit allows."
        "Its size, or the memory or tables that it begins with, are refused before it is run."
        "Raise the limit that the message names, such as --memory, or build a smaller module."
    }
    ImportMissing "import-missing" {
        "The module imports something that is not offered."
        "It was built for another host, another version of an interface, or needs what no guest gets, such as threads."
        "Build it without that import; `wasmpool check MODULE` lists all that are missing."
    }
    FunctionNotCallable "function-not-callable" {
        "The function is there, but cannot be called with values from outside."
        "It takes or returns handles, streams or futures, which no JSON stands for."
        "Export a function of plain values beside it."
    }
    FunctionNone "function-none" {
        "The module exports no function that can be called."
        "It exports nothing, or only what takes or returns handles."
        "Export a function from the component's world; `wasmpool inspect MODULE` says of each export what is wrong."
    }
    CompileTimeout "compile-timeout" {
        "Compiling the module took longer than its time limit."
        "The module is very large, the machine is busy, or the module was made to be slow to compile."
        "Raise --compile-timeout, or give a smaller module."
    }
    CompileMemory "compile-memory" {
        "Compiling the module needs more memory than its limit."
        "The module is very large, or was made to be costly to compile."
        "Raise --compile-memory, or give a smaller module."
    }
    CompilerLost "compiler-lost" {
        "The compiler process ended without an answer."
        "It crashed, or was killed for want of memory; nothing of it reached this process."
        "Raise --compile-memory, and report a module that crashes the compiler every time."
    }
    StartFailed "start-failed" {
        "Workers of this module do not get ready."
        "Its own start function traps, takes too long or needs too much, or an interface that it imports has another type here."
        "Correct what the backtrace names; `wasmpool check MODULE` shows each step."
    }
    TasksUnlisted "tasks-unlisted" {
        "The module's tasks cannot be listed."
        "The guest is asked for them, and failed or gave no answer."
        "Read the message, and see `wasmpool check MODULE`."
    }
    ResultInvalid "result-invalid" {
        "A guest returned what is not JSON where JSON was promised."
        "It does not use the SDK as it is, or was made to deceive."
        "Correct the task, or take its bytes as they are with --output raw."
    }
    ProtectionMissing "protection-missing" {
        "This machine does not offer a layer of protection that is required."
        "The kernel lacks it, or a container or a setting forbids it; with --strict all layers are required."
        "See `wasmpool audit` for each layer; allow user namespaces and landlock, or leave --strict out if the others are enough."
    }
    OutputFailed "output-failed" {
        "What was to be printed or written cannot be."
        "The disk is full, or the file may not be written by you."
        "Make room, or write to another place."
    }
    Machine "machine" {
        "The machine refused what the command needs for itself."
        "There are no threads, processes or descriptors left, or a signal cannot be listened to."
        "Raise the limits of this user (`ulimit -a`), or stop other programs."
    }
    PoolFault "pool-fault" {
        "The pool itself is at fault, or the machine under it."
        "A process of the pool could not be started or reached, or answered what it never should."
        "Try again, see `wasmpool audit`, and report it with the message if it stays."
    }
    PoolClosed "pool-closed" {
        "The pool takes no more work."
        "It was closed or terminated before."
        "Open another pool, or close it later."
    }
    BenchWrong "bench-wrong" {
        "Something that was measured gave a wrong result, or did not run."
        "A measurement counts only if its results are right; the rows are named."
        "See the report for each row's reason, and report it if it stays."
    }
    Interrupted "interrupted" {
        "The command was interrupted before its end."
        "Ctrl-C was pressed, or the process was asked to end with SIGTERM."
        "Run it again; results that were printed before are whole."
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such code.
///
/// ```
/// use wasmpool::catalogue::{Code, UnknownCode};
///
/// assert_eq!("no-such-code".parse::<Code>(), Err(UnknownCode));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no error has this code")]
pub struct UnknownCode;

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Code::ALL.iter().find(|code| code.name() == text);
        found.copied().ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_is_there_once_and_reads_back() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(code.name().parse(), Ok(*code));
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.name().chars().all(plain), "{code}");
        }
        assert_eq!("no-such-code".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn each_entry_has_three_sentences() {
        for code in Code::ALL {
            let sentences = [code.what(), code.why(), code.fix()];
            for sentence in sentences {
                let begins = sentence.starts_with(|c: char| c.is_uppercase());
                assert!(begins && sentence.ends_with('.'), "{code}: {sentence}");
                assert!((20..200).contains(&sentence.len()), "{code}: {sentence}");
                assert!(!sentence.contains('\n'), "{code}");
            }
            let different: BTreeSet<_> = sentences.into();
            assert_eq!(different.len(), 3, "{code}");
        }
    }
}
