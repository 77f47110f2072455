//! A program for WASI, which does what its first argument says. It knows nothing of pools.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static RUNS: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> io::Result<u8> {
    let more = |at: usize| args.get(at).map(String::as_str).unwrap_or_default();
    match more(1) {
        "cat" => {
            io::copy(&mut io::stdin(), &mut io::stdout())?;
        }
        "args" => {
            for arg in args {
                println!("{arg}");
            }
        }
        "lines" => {
            for (number, line) in io::stdin().lines().enumerate() {
                println!("{} {}", number + 1, line?);
            }
        }
        "env" => {
            for (name, value) in std::env::vars() {
                println!("{name}={value}");
            }
        }
        "exit" => {
            println!("not heard of");
            eprintln!("first words");
            // Without an end.
            eprint!("last words");
            return Ok(more(2).parse().unwrap_or(255));
        }
        "leave" => {
            println!("left early");
            std::process::exit(more(2).parse().unwrap_or(255));
        }
        "panic" => panic!("{}", more(2)),
        "abort" => std::process::abort(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "sleep" => {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(more(2).parse().unwrap_or(0)));
            println!("{}", start.elapsed().as_millis());
        }
        "flood" => {
            let line = [b'x'; 64 << 10];
            loop {
                io::stdout().write_all(&line)?;
            }
        }
        "bytes" => io::stdout().write_all(&[0, 0xff, b'\n', 0x1b])?,
        "grow" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 1 << 20]);
                std::hint::black_box(&all);
            }
        }
        "runs" => println!("{}", RUNS.fetch_add(1, Ordering::Relaxed) + 1),
        "read" => io::stdout().write_all(&fs::read(more(2))?)?,
        "write" => {
            let mut input = Vec::new();
            io::stdin().read_to_end(&mut input)?;
            fs::write(more(2), input)?;
        }
        "connect" => {
            TcpStream::connect(more(2))?;
            println!("connected");
        }
        "both" => {
            println!("to standard output");
            eprintln!("to standard error");
        }
        other => {
            eprintln!("no such thing: {other}");
            return Ok(64);
        }
    }
    Ok(0)
}
