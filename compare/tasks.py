"""What is run, as importable functions: peers pickle them by name."""

import time


def square(x):
    return x * x


def echo(data):
    return data


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def spin(nanos):
    """Computes for so many nanoseconds of a processor's time, and returns them."""
    end = time.thread_time_ns() + nanos
    while time.thread_time_ns() < end:
        pass
    return nanos


def process_number():
    """The worker's own."""
    import os

    return os.getpid()


def stay(path):
    """Says who runs it, in a file, and does not return for a long time."""
    import os

    with open(path + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".new", path)
    time.sleep(60)


def shared_sum(name, start, length):
    """The sum of a part of the 64-bit numbers in shared memory, attached for this sum."""
    import numpy
    from multiprocessing import resource_tracker, shared_memory

    # Only who made it removes it. (Python 3.13 has `track=False` for that.)
    register, resource_tracker.register = resource_tracker.register, lambda *args: None
    try:
        memory = shared_memory.SharedMemory(name)
    finally:
        resource_tracker.register = register
    numbers = numpy.frombuffer(memory.buf, dtype=numpy.uint64, count=length, offset=start * 8)
    total = int(numbers.sum(dtype=numpy.uint64))
    del numbers
    memory.close()
    return total


# The same function as a WebAssembly module, for the peers that run one.
SQUARE = """
(module
  (memory (export "memory") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "square") (param i64) (result i64) (i64.mul (local.get 0) (local.get 0))))
"""

_engine = _module = None


def load_module(code):
    """Of a worker that runs WebAssembly: once. Never compiles, which hangs in a process forked from one that has."""
    global _engine, _module
    import wasmtime

    _engine = wasmtime.Engine()
    _module = wasmtime.Module.deserialize(_engine, code)


def square_in_instance(x):
    """A fresh instance for this item."""
    import wasmtime

    store = wasmtime.Store(_engine)
    return wasmtime.Instance(store, _module, []).exports(store)["square"](store, x)
