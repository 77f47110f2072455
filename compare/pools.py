"""Peers that are pools of processes on this machine."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter_ns

import tasks
from base import Pool


class Multiprocessing(Pool):
    def __init__(self, method):
        super().__init__()
        self.context = multiprocessing.get_context(method)

    def new(self, workers, **options):
        return self.context.Pool(workers, **options)

    def call(self, pool, f, *args):
        return pool.apply(f, args)

    def start(self, pool, f, *args):
        return pool.apply_async(f, args)

    def result(self, handle, timeout):
        return handle.get(timeout)

    def map(self, pool, f, items, chunk):
        return pool.map(f, items, chunk)

    def end(self, pool):
        pool.terminate()
        pool.join()

    def process_an_item(self, ask):
        """A pool whose workers end after an item."""
        pool, took = self.new(1, maxtasksperchild=1), []
        for i in range(ask["samples"] + 1):
            start = perf_counter_ns()
            square = pool.apply(tasks.square, (i,))
            took.append(perf_counter_ns() - start)
            assert square == i * i
        self.end(pool)
        return {"samples": took[1:]}


class Executor(Pool):
    def call(self, pool, f, *args):
        return pool.submit(f, *args).result()

    def start(self, pool, f, *args):
        return pool.submit(f, *args)

    def result(self, handle, timeout):
        return handle.result(timeout)

    def map(self, pool, f, items, chunk):
        return pool.map(f, items, **({"chunksize": chunk} if chunk else {}))

    def end(self, pool):
        pool.shutdown()


class Futures(Executor):
    def new(self, workers):
        return ProcessPoolExecutor(workers, multiprocessing.get_context("fork"))

    def process_an_item(self, ask):
        # Not allowed with `fork`; `spawn` takes sixty milliseconds more.
        context = multiprocessing.get_context("forkserver")
        took = []
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
            for i in range(ask["samples"] + 1):
                start = perf_counter_ns()
                square = pool.submit(tasks.square, i).result()
                took.append(perf_counter_ns() - start)
                assert square == i * i
        return {"samples": took[1:]}


class Loky(Executor):
    def new(self, workers):
        from joblib.externals.loky import ProcessPoolExecutor as Loky

        return Loky(workers)

    def end(self, pool):
        pool.shutdown(kill_workers=True)


class Joblib(Pool):
    """`joblib.Parallel`, which keeps its workers as long as it is entered."""

    # It has no handle to an item.
    recover = None

    def new(self, workers):
        from joblib import Parallel
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(kill_workers=True)
        # With one it would run items in this process. No memory-mapped files, which would be on a disk.
        pool = Parallel(max(2, workers), backend="loky", max_nbytes=None)
        pool.__enter__()
        return pool

    def call(self, pool, f, *args):
        from joblib import delayed

        return pool([delayed(f)(*args)])[0]

    def map(self, pool, f, items, chunk):
        from joblib import delayed

        pool.batch_size = chunk or "auto"
        return pool(delayed(f)(item) for item in items)

    def shared_sum(self, ask):
        self.start = lambda pool, f, *args: (pool, f, args)
        handles = []

        def result(handle, _timeout):
            # Both halves are one call; asked for with the second.
            handles.append(handle)
            if len(handles) % 2:
                return 0
            from joblib import delayed

            pool = handle[0]
            return sum(pool(delayed(f)(*args) for _, f, args in handles[-2:]))

        self.result = result
        return super().shared_sum(ask)

    def kept_pool(self, workers):
        # There is one set of workers a process.
        if workers not in self.kept:
            self.kept.clear()
        return super().kept_pool(workers)

    def end(self, pool):
        from joblib.externals.loky import get_reusable_executor

        pool.__exit__(None, None, None)
        get_reusable_executor().shutdown(kill_workers=True)


class MultiprocessingWasmtime(Multiprocessing):
    """A pool of forked processes, each of which runs a module with wasmtime, with a fresh instance an item."""

    shared_sum = process_an_item = skewed = recover = echo = noop = None
    noop_instance = Pool.noop

    def __init__(self):
        super().__init__("fork")
        # Another process compiles: one forked from one that has hangs.
        compile = "import sys, wasmtime, tasks; sys.stdout.buffer.write(" \
            "wasmtime.Module(wasmtime.Engine(), tasks.SQUARE).serialize())"
        folder = os.path.dirname(os.path.abspath(__file__))
        self.code = bytes(subprocess.run([sys.executable, "-c", compile], cwd=folder, check=True, capture_output=True).stdout)

    def new(self, workers):
        return self.context.Pool(workers, tasks.load_module, (self.code,))

    def call(self, pool, f, *args):
        return super().call(pool, tasks.square_in_instance, *args)

    def map(self, pool, f, items, chunk):
        return super().map(pool, tasks.square_in_instance, items, chunk)
