"""What Python's multiprocessing does with two processes, for `shared`.

Each line of standard input asks for one measurement: what, bytes of a message, how often. The answer is a line of
nanoseconds of one operation.
"""

import multiprocessing as mp
import sys
from time import perf_counter_ns


class OverPipe:
    """A pipe with the methods of a queue."""

    def __init__(self, ctx):
        self.out, self.into = ctx.Pipe(duplex=False)

    def put(self, message):
        self.into.send_bytes(message)

    def get(self):
        return self.out.recv_bytes()


def new(ctx, kind):
    return {"Queue": ctx.Queue, "SimpleQueue": ctx.SimpleQueue, "Pipe": lambda: OverPipe(ctx)}[kind]()


def put_many(started, queue, message, count):
    started.put(b"")
    for _ in range(count):
        queue.put(message)


def echo(there, back, count):
    for _ in range(count):
        back.put(there.get())


def throughput(ctx, kind, size, count):
    """From one process to another, from the first message got to the last."""
    queue, started = new(ctx, kind), ctx.SimpleQueue()
    process = ctx.Process(target=put_many, args=(started, queue, b"\7" * size, count))
    process.start()
    started.get()
    start = perf_counter_ns()
    got = sum(len(queue.get()) for _ in range(count))
    took = perf_counter_ns() - start
    process.join()
    assert got == size * count
    return [took / count]


def round_trip(ctx, kind, size, count):
    """To another process and back, through two queues."""
    there, back, message, warm = new(ctx, kind), new(ctx, kind), b"\7" * size, 20
    process = ctx.Process(target=echo, args=(there, back, warm + count))
    process.start()
    took = []
    for _ in range(warm + count):
        start = perf_counter_ns()
        there.put(message)
        assert len(back.get()) == size
        took.append(perf_counter_ns() - start)
    process.join()
    return took[warm:]


def lock(ctx, _kind, _size, count):
    """Acquired and released, with nobody else."""
    lock = ctx.Lock()
    start = perf_counter_ns()
    for _ in range(count):
        lock.acquire()
        lock.release()
    return [(perf_counter_ns() - start) / count]


def value(ctx, _kind, _size, count):
    """Added to under its lock, with nobody else."""
    value = ctx.Value("Q", 0)
    start = perf_counter_ns()
    for _ in range(count):
        with value.get_lock():
            value.value += 1
    took = perf_counter_ns() - start
    assert value.value == count
    return [took / count]


def main():
    ctx = mp.get_context("fork")
    what = {"throughput": throughput, "round_trip": round_trip, "lock": lock, "value": value}
    for line in sys.stdin:
        name, kind, size, count = line.split()
        took = what[name](ctx, kind, int(size), int(count))
        print(*(round(nanos) for nanos in took), flush=True)


main()
