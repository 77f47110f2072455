//! The functions of the classic introduction to multiprocessing.

use std::error::Error;

use wasmpool_guest::buffer::Value;
use wasmpool_guest::log;
use wasmpool_guest::queue::Queue;

fn hello(name: &str) {
    log::info!("hello {name}");
}

fn square(x: i64) -> Result<i64, String> {
    x.checked_mul(x)
        .ok_or_else(|| format!("the square of {x} does not fit 64 bits"))
}

fn greet(queue: &str) -> Result<(), Box<dyn Error>> {
    Queue::open(queue)?.put_value("Hello from process")?;
    Ok(())
}

fn increment(value: &str, times: u32) -> Result<(), Box<dyn Error>> {
    let value = Value::<i64>::open(value)?;
    for _ in 0..times {
        value.fetch_add(1)?;
    }
    Ok(())
}

wasmpool_guest::tasks! {
    /// Says hello to somebody.
    hello,
    /// Squares a number.
    square,
    /// Puts a greeting into a queue.
    greet,
    /// Adds 1 to a shared value, so many times.
    increment(value, times),
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmpool_guest::testing::Shared;

    #[test]
    fn they_do_what_they_say() {
        assert_eq!(square(-12), Ok(144));
        assert!(square(i64::MAX).is_err());
        let shared = Shared::new().queue("q").value("v", 2i64);
        shared.within(|| {
            greet("q").unwrap();
            let greeting: String = Queue::open("q").unwrap().get_value().unwrap();
            assert_eq!(greeting, "Hello from process");
            increment("v", 40).unwrap();
            assert_eq!(Value::<i64>::open("v").unwrap().get(), 42);
        });
    }
}
