//! Tasks that use what processes share, each in one way, for the tests of the pool. What is shared is named by
//! parameters; a timeout is in milliseconds, and null for none. Failures carry the text of the error.

mod attaching;
mod buffers;
mod pipes;
mod queues;
mod state;
mod sync;

use std::error::Error;
use std::time::Duration;

use wasmpool_guest::buffer::Buffer;
use wasmpool_guest::pipe::PipeEnd;
use wasmpool_guest::queue::Queue;
use wasmpool_guest::sync::{Barrier, Condition, Event, Lock, Semaphore};

use attaching::{
    attach_and_panic, attach_and_spin, attach_many, attach_times, fill_attached, keep_attached,
    nonzero_after_detaching, nonzero_in_new_memory, peek_attached, store_into_attached_read_only,
    sum_attached, sum_attached_as_slice, sum_attached_floats,
};
use buffers::{
    atomic, atomic32, buffer_facts, compare_exchange, compute_until, increment, increment_float,
    notify_number, read_bytes, sum_copied, value, wait_number, write_bytes, write_read_only,
};
use pipes::{echo_pipe, exchange, flood, hold_pipe, poll_pipe, receive, send, send_when_finished};
use queues::{
    close_queue, consume, get, get_and_panic, get_and_spin, get_some, join_queue, produce, put,
    put_all, put_some, queue_facts, relay, relay_some, task_done, try_get, try_put, work,
};
use state::{emit_many, init, use_model};
use sync::{
    abort_barrier, acquire, acquire_twice, barrier_facts, barrier_rounds, barrier_wait,
    clear_event, condition_wait, deadlock, hold_and_panic, hold_and_spin, hold_twice_until,
    hold_until, increment_locked, keep_equal, keep_equal_by_semaphore, keep_held, notify,
    notify_without_lock, ping_pong, release_semaphore, reset_barrier, semaphore_value, set_event,
    take_semaphore, take_token, wait_event, with_semaphore,
};

/// Of a task that fails with the text of whatever went wrong.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn milliseconds(timeout: Option<u64>) -> Option<Duration> {
    timeout.map(Duration::from_millis)
}

/// Never ends.
fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Opens so many handles to something at once, and drops them.
fn open(kind: &str, name: &str, handles: u32) -> Outcome<u32> {
    let open: fn(&str) -> Outcome<Box<dyn std::any::Any>> = match kind {
        "buffer" => |name| Ok(Box::new(Buffer::open(name)?)),
        "queue" => |name| Ok(Box::new(Queue::open(name)?)),
        "pipe" => |name| Ok(Box::new(PipeEnd::open(name)?)),
        "lock" => |name| Ok(Box::new(Lock::open(name)?)),
        "semaphore" => |name| Ok(Box::new(Semaphore::open(name)?)),
        "event" => |name| Ok(Box::new(Event::open(name)?)),
        "condition" => |name| Ok(Box::new(Condition::open(name)?)),
        "barrier" => |name| Ok(Box::new(Barrier::open(name)?)),
        other => return Err(format!("no kind `{other}`").into()),
    };
    let mut opened = Vec::new();
    for _ in 0..handles {
        opened.push(open(name)?);
    }
    Ok(handles)
}

wasmpool_guest::tasks! {
    /// Opens so many handles to something at once.
    open(kind, name, handles),
    /// A buffer's length and whether it may be written.
    buffer_facts,
    /// Copies bytes out of a buffer.
    read_bytes(buffer, offset, length),
    /// Copies bytes into a buffer.
    write_bytes(buffer, offset, bytes),
    /// One atomic operation on 64 bits: load, store, add, sub, and, or, xor or exchange. The old number.
    atomic(buffer, offset, operation, operand),
    /// The same on 32 bits.
    atomic32(buffer, offset, operation, operand),
    /// Compares and exchanges 64 bits. The old number.
    compare_exchange(buffer, offset, expected, replacement),
    /// Waits while 64 bits are as expected. How that ended.
    wait_number(buffer, offset, expected, timeout),
    /// Wakes waiters of a number. How many.
    notify_number(buffer, offset, count),
    /// Adds 1 to a shared integer so many times.
    increment(value, times),
    /// Adds 1 to a shared float so many times.
    increment_float(value, times),
    /// A shared integer.
    value,
    /// The sum of a part of an array of u64, by copies.
    sum_copied(array, from, to),
    /// How many operations that change a buffer are refused, since it is read-only: all.
    write_read_only,
    /// The sum of a part of an attached array of u64.
    sum_attached(array, from, to),
    /// The same, where nobody writes.
    sum_attached_as_slice(array, from, to),
    /// The sum of a part of an attached array of f64.
    sum_attached_floats(array, from, to),
    /// Sets a part of an attached array of u64.
    fill_attached(array, from, to, number),
    /// One byte of an attached buffer.
    peek_attached(buffer, offset),
    /// Attaches a buffer so many times, one after the other.
    attach_times(buffer, times),
    /// Attaches a buffer so many times at once.
    attach_many(buffer, times),
    /// Stores into a buffer that is attached for reading.
    store_into_attached_read_only,
    /// Attaches a buffer and never detaches it.
    keep_attached,
    /// Attaches a buffer, writes its first byte, and panics.
    attach_and_panic(buffer, byte),
    /// Computes until a number is not 0, if it is to. Whether it was.
    compute_until(value, wait),
    /// Attaches a buffer and loops for ever.
    attach_and_spin,
    /// How many bytes of a region are not zero once a buffer was detached from it.
    nonzero_after_detaching,
    /// How many bytes of so many new MiB are not zero.
    nonzero_in_new_memory,
    /// Puts a message.
    put(queue, message, timeout),
    /// Puts a message if there is room.
    try_put(queue, message),
    /// Gets a message.
    get(queue, timeout),
    /// Gets a message if there is one.
    try_get,
    /// Puts messages, all of them.
    put_all(queue, messages),
    /// Puts the first of these messages, and as many of the others as there is room for. How many.
    put_some(queue, messages),
    /// Gets messages, at most so many.
    get_some(queue, most),
    /// A queue's length and direction.
    queue_facts,
    /// Closes a queue.
    close_queue,
    /// Joins a queue. Whether that was in time.
    join_queue(queue, timeout),
    /// Says that a message is dealt with.
    task_done,
    /// Gets messages until the queue is closed, and puts each into another. How many.
    relay(from, to),
    /// The same, at most so many at once.
    relay_some(from, to, most),
    /// Puts so many values: the producer and a number.
    produce(queue, producer, count),
    /// Gets the values of producers until the queue is closed.
    consume,
    /// Gets numbers until the queue is closed, and puts their squares into another; confirms each if asked to.
    work(queue, results, task_done),
    /// Gets a message and panics.
    get_and_panic,
    /// Gets a message and loops for ever.
    get_and_spin,
    /// Sends every message back, until the end of file.
    echo_pipe,
    /// Sends messages, finishes, and receives until the end of file.
    exchange(end, messages),
    /// Sends one message.
    send(end, message, timeout),
    /// Receives one message.
    receive(end, timeout),
    /// Sends a message until the pipe is full. How often.
    flood(end, message, timeout),
    /// Finishes, and sends.
    send_when_finished,
    /// Whether something can be received.
    poll_pipe(end, timeout),
    /// Opens an end and loops for ever.
    hold_pipe,
    /// Acquires a lock and releases it. Whether it was abandoned.
    acquire(lock, timeout),
    /// Acquires a lock twice at once.
    acquire_twice,
    /// Adds 1 to a number of 64 bits, so many times, by copies under a lock.
    increment_locked(lock, value, times),
    /// Acquires a lock and loops for ever.
    hold_and_spin,
    /// Acquires a lock and panics.
    hold_and_panic,
    /// Acquires a lock, sets an event, waits for another, and releases the lock.
    hold_until(lock, held, done),
    /// Acquires a recursive lock twice, releases it once, sets an event, waits for another, and releases the lock.
    hold_twice_until(lock, once, done),
    /// Adds 1 to two numbers of 64 bits, so many times, under a lock. How often they were to be repaired.
    keep_equal(lock, buffer, times),
    /// The same under a semaphore of one unit.
    keep_equal_by_semaphore(semaphore, buffer, times),
    /// Acquires a lock and returns without releasing it.
    keep_held,
    /// Acquires a lock, waits at a barrier, and acquires another lock.
    deadlock(first, second, barrier),
    /// Takes a unit so many times and gives it back. The most that were seen inside.
    with_semaphore(semaphore, inside, times),
    /// Takes a unit and keeps it. Whether it was abandoned.
    take_semaphore(semaphore, timeout),
    /// Gives a unit back.
    release_semaphore,
    /// How many units are free.
    semaphore_value,
    /// Waits for an event. Whether it was in time.
    wait_event(event, timeout),
    /// Sets an event.
    set_event,
    /// Clears an event.
    clear_event,
    /// Waits at a barrier so many times. The numbers it gave.
    barrier_rounds(barrier, rounds),
    /// Waits at a barrier.
    barrier_wait(barrier, timeout),
    /// A barrier's parties, how many wait, and whether it is broken.
    barrier_facts,
    /// Breaks a barrier.
    abort_barrier,
    /// Makes a barrier whole again.
    reset_barrier,
    /// Takes turns so many times: this one's are when the number is even (0) or odd (1).
    ping_pong(condition, number, parity, turns),
    /// Waits for a condition once.
    condition_wait(condition, timeout),
    /// Waits until there is a token, and takes it.
    take_token(condition, tokens),
    /// Notifies at most so many. How many.
    notify(condition, count),
    /// Notifies without the lock.
    notify_without_lock,
    /// Emits so many values of so many bytes.
    emit_many(count, bytes),
    /// Keeps a model for later items.
    init,
    /// One number of the model.
    use_model,
}

#[cfg(test)]
mod tests;
