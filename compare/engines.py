"""Peers that run WebAssembly in the caller's own process: no process to kill, no wall but the engine's."""

import os
import tempfile
from time import perf_counter_ns

import tasks


class Wasmtime:
    def __init__(self):
        import wasmtime

        self.wasmtime = wasmtime
        self.engine = wasmtime.Engine()
        self.module = wasmtime.Module(self.engine, tasks.SQUARE)
        self.code = self.module.serialize()
        self.store = wasmtime.Store(self.engine)
        self.exports = wasmtime.Instance(self.store, self.module, []).exports(self.store)

    def noop(self, ask):
        square, store, took = self.exports["square"], self.store, []
        for i in range(ask["samples"]):
            start = perf_counter_ns()
            found = square(store, i)
            took.append(perf_counter_ns() - start)
            assert found == i * i
        return {"samples": took}

    def noop_instance(self, ask):
        took = []
        for i in range(ask["samples"]):
            start = perf_counter_ns()
            store = self.wasmtime.Store(self.engine)
            instance = self.wasmtime.Instance(store, self.module, [])
            found = instance.exports(store)["square"](store, i)
            took.append(perf_counter_ns() - start)
            assert found == i * i
        return {"samples": took}

    def squares_auto(self, ask):
        square, store, n = self.exports["square"], self.store, ask["items"]
        start = perf_counter_ns()
        squares = [square(store, i) for i in range(n)]
        took = perf_counter_ns() - start
        assert sum(squares) == (n - 1) * n * (2 * n - 1) // 6
        return {"samples": [took / n]}

    squares_1 = squares_auto

    def echo(self, ask):
        memory, store, length = self.exports["memory"], self.store, ask["bytes"]
        data = bytes(bytearray(i >> 8 & 255 for i in range(1 << 16))) * (length >> 16)
        start = perf_counter_ns()
        if memory.data_len(store) < length + 65536:
            self.exports["grow"](store, (length + 131071 - memory.data_len(store)) // 65536)
        memory.write(store, data, 65536)
        echoed = memory.read(store, 65536, 65536 + length)
        took = perf_counter_ns() - start
        assert echoed == data
        return {"samples": [took]}

    def start_pool(self, ask):
        """From compiled code in a file to the first result; nothing is started."""
        took = []
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "code")
            with open(path, "wb") as file:
                file.write(self.code)
            for _ in range(ask["samples"]):
                start = perf_counter_ns()
                engine = self.wasmtime.Engine()
                module = self.wasmtime.Module.deserialize_file(engine, path)
                store = self.wasmtime.Store(engine)
                found = self.wasmtime.Instance(store, module, []).exports(store)["square"](store, 7)
                took.append(perf_counter_ns() - start)
                assert found == 49
        return {"samples": took}


# The same function with extism's own way to have input and give output.
PLUGIN = """
(module
  (import "extism:host/env" "input_load_u64" (func $input (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "square") (result i32)
    (local $x i64) (local $at i64)
    (local.set $x (call $input (i64.const 0)))
    (local.set $at (call $alloc (i64.const 8)))
    (call $store (local.get $at) (i64.mul (local.get $x) (local.get $x)))
    (call $output (local.get $at) (i64.const 8))
    (i32.const 0)))
"""


class Extism:
    def __init__(self):
        import extism
        import wasmtime

        self.extism = extism
        self.module = bytes(wasmtime.wat2wasm(PLUGIN))
        self.plugin = extism.Plugin(self.module)

    def call(self, plugin, x):
        return int.from_bytes(plugin.call("square", x.to_bytes(8, "little")), "little")

    def noop(self, ask):
        took = []
        for i in range(ask["samples"]):
            start = perf_counter_ns()
            square = self.call(self.plugin, i)
            took.append(perf_counter_ns() - start)
            assert square == i * i
        return {"samples": took}

    def squares_auto(self, ask):
        n, call, plugin = ask["items"], self.call, self.plugin
        start = perf_counter_ns()
        squares = [call(plugin, i) for i in range(n)]
        took = perf_counter_ns() - start
        assert sum(squares) == (n - 1) * n * (2 * n - 1) // 6
        return {"samples": [took / n]}

    squares_1 = squares_auto

    def start_pool(self, ask):
        """From the module to the first result."""
        took = []
        for _ in range(ask["samples"]):
            start = perf_counter_ns()
            square = self.call(self.extism.Plugin(self.module), 7)
            took.append(perf_counter_ns() - start)
            assert square == 49
        return {"samples": took}
