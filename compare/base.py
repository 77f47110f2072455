"""The workloads, in terms of what any pool of workers has."""

import os
import tempfile
import time
from time import perf_counter_ns

import tasks

SHORT, LONG, SKEWED = 20_000, 2_000_000, 1000
PATIENCE = 10


def processors():
    return len(os.sched_getaffinity(0))


class Pool:
    """Subclasses give `new(workers)`, `call(pool, f, *args)`, `start(pool, f, *args)` (a handle),
    `result(handle, timeout)`, `map(pool, f, items, chunk)` (`None`: the default) and `end(pool)`."""

    def __init__(self):
        self.kept = {}

    def killed(self, handle):
        """Called when the worker that ran this was killed."""

    def kept_pool(self, workers):
        """A pool that stays, and has done something."""
        if workers not in self.kept:
            pool = self.kept[workers] = self.new(workers)
            assert list(self.map(pool, tasks.square, range(100), None))[9] == 81
        return self.kept[workers]

    def noop(self, ask):
        pool, took = self.kept_pool(1), []
        for i in range(ask["samples"]):
            start = perf_counter_ns()
            square = self.call(pool, tasks.square, i)
            took.append(perf_counter_ns() - start)
            assert square == i * i
        return {"samples": took}

    def squares(self, ask, chunk):
        pool, n = self.kept_pool(processors()), ask["items"]
        start = perf_counter_ns()
        squares = list(self.map(pool, tasks.square, range(n), chunk))
        took = perf_counter_ns() - start
        assert len(squares) == n and sum(squares) == (n - 1) * n * (2 * n - 1) // 6
        return {"samples": [took / n]}

    def squares_1(self, ask):
        return self.squares(ask, 1)

    def squares_auto(self, ask):
        return self.squares(ask, None)

    def skewed(self, ask):
        """Beside what it would take if it could be shared out without a rest."""
        workers = min(processors(), 8)
        pool = self.kept_pool(workers)
        items = [LONG if i == SKEWED // 2 else SHORT for i in range(SKEWED)]
        start = perf_counter_ns()
        assert list(self.map(pool, tasks.spin, items, None)) == items
        took = perf_counter_ns() - start
        # The same items, one after the other in this process: what each costs besides is not the pool's.
        start = perf_counter_ns()
        for item in items:
            tasks.spin(item)
        return {"samples": [took / ((perf_counter_ns() - start) / workers)]}

    def echo(self, ask):
        data = bytes(bytearray(i >> 8 & 255 for i in range(1 << 16))) * (ask["bytes"] >> 16)
        pool = self.kept_pool(1)
        start = perf_counter_ns()
        echoed = self.call(pool, tasks.echo, data)
        took = perf_counter_ns() - start
        assert echoed == data
        return {"samples": [took]}

    def shared_sum(self, ask):
        import numpy
        from multiprocessing import shared_memory

        pool, n = self.kept_pool(2), ask["bytes"] // 8
        if not hasattr(self, "memory"):
            self.memory = shared_memory.SharedMemory(create=True, size=n * 8)
            numbers = numpy.frombuffer(self.memory.buf, dtype=numpy.uint64)
            numbers[:] = numpy.arange(n, dtype=numpy.uint64) * numpy.uint64(0x5851F42D4C957F2D)
            self.sum = int(numbers.sum(dtype=numpy.uint64))
            del numbers
        start = perf_counter_ns()
        halves = [self.start(pool, tasks.shared_sum, self.memory.name, at, n // 2) for at in (0, n // 2)]
        total = sum(self.result(half, 60) for half in halves) % 2**64
        took = perf_counter_ns() - start
        assert total == self.sum
        return {"samples": [took * (1 << 30) / ask["bytes"]]}

    def start_pool(self, ask):
        took = []
        for _ in range(ask["samples"]):
            start = perf_counter_ns()
            pool = self.new(processors())
            assert self.call(pool, tasks.square, 7) == 49
            took.append(perf_counter_ns() - start)
            self.end(pool)
        return {"samples": took}

    def recover(self, ask):
        """A worker is killed in the middle of an item: until the next item's result, and what became of the first."""
        pool, took, notes = self.new(1), [], set()
        self.call(pool, tasks.square, 1)
        with tempfile.TemporaryDirectory() as folder:
            for i in range(ask["samples"]):
                path = os.path.join(folder, str(i))
                killed = self.start(pool, tasks.stay, path)
                until = time.monotonic() + PATIENCE
                while not os.path.exists(path):
                    assert time.monotonic() < until, "the item never began"
                    time.sleep(0.001)
                with open(path) as file:
                    number = int(file.read())
                start = perf_counter_ns()
                os.kill(number, 9)
                self.killed(killed)
                try:
                    square = self.result(self.start(pool, tasks.square, i), PATIENCE)
                    took.append(perf_counter_ns() - start)
                    assert square == i * i
                except Exception as error:
                    name = type(error).__name__
                    hangs = "Timeout" in name
                    what = f"no next result in {PATIENCE} s" if hangs else f"the next item raises {name}"
                    return {"missing": what}
                try:
                    self.result(killed, 0.2)
                except Exception as error:
                    name = type(error).__name__
                    notes.add("who waits for the killed item waits on" if "Timeout" in name else f"the killed item raises {name}")
        self.end(pool)
        return {"samples": took, "note": "; ".join(sorted(notes))}
