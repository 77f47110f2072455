"""The tasks of the world `languages` in Python.

`wit_world` and `componentize_py_types` are made from WIT by componentize-py; `componentize-py bindings` writes them out
for an editor to read. What WIT calls a result's error is raised as `Err`.
"""

import json
import re
from collections import Counter

import wit_world
from componentize_py_types import Err
from wit_world.imports import buffers, log, queues, results

BLOCK = 64 * 1024
DATA = 8


def words(text: str) -> list[str]:
    return [word for word in re.split("[ \t\n\r]+", text) if word]


def opened(kind, what: str, name: str):
    try:
        return kind.open(name)
    except Err as error:
        raise Err(f"cannot open the {what} {name}: {error.value}")


class WitWorld(wit_world.WitWorld):
    def square(self, x: int) -> int:
        wrapped = x * x % 2**64
        return wrapped - 2**64 if wrapped >= 2**63 else wrapped

    def word_count(self, text: str) -> list[tuple[str, int]]:
        found = words(text)
        log.log(log.Level.INFO, f"{len(found)} words")
        return list(Counter(found).items())

    def reverse(self, bytes: bytes) -> bytes:
        return bytes[::-1]

    def count_to(self, n: int) -> int:
        for i in range(1, n + 1):
            results.emit(json.dumps(i).encode())
        return n

    def add_up(self, buffer: str) -> int:
        with opened(buffers.Buffer, "buffer", buffer) as opened_buffer:
            length = opened_buffer.length()
            blocks = range(DATA, length, BLOCK)
            total = sum(sum(opened_buffer.read(at, min(BLOCK, length - at))) for at in blocks)
            try:
                opened_buffer.update_u64(0, buffers.Operation.ADD, total)
            except Err as error:
                raise Err(f"cannot change the buffer {buffer}: {error.value}")
            return total

    def split(self, text: str, queue: str) -> int:
        found = words(text)
        with opened(queues.Queue, "queue", queue) as opened_queue:
            try:
                for word in found:
                    opened_queue.put(word.encode(), None)
            except Err as error:
                raise Err(f"cannot put into the queue {queue}: {error.value}")
        return len(found)

    def tally(self, queue: str) -> list[tuple[str, int]]:
        counts = Counter()
        with opened(queues.Queue, "queue", queue) as opened_queue:
            while True:
                try:
                    counts[opened_queue.get(None).decode()] += 1
                except Err as error:
                    if isinstance(error.value, queues.GetError_Closed):
                        return list(counts.items())
                    raise Err(f"cannot get from the queue {queue}: {error.value}")
