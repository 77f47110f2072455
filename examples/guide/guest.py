"""What the guides quote, in Python: functions with types of their own, which use what a pool offers."""

from contextlib import contextmanager

import wit_world
from componentize_py_types import Err
from wit_world.imports import buffers, context, log, pipes, sync

MARGIN = 500_000_000  # nanoseconds


def late() -> bool:
    left = context.time_left()
    return left is not None and left < MARGIN


@contextmanager
def held(lock):
    if lock.acquire(None) == sync.Acquired.ABANDONED:
        log.log(log.Level.WARN, "somebody ended while holding the lock")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def failures():
    """What WIT calls an error becomes the message of a failed item."""
    try:
        yield
    except Err as error:
        raise Err(str(error.value))


class WitWorld(wit_world.WitWorld):
    def series(self, terms: int) -> tuple[int, float]:
        total = 0.0
        for n in range(terms):
            if n % 1000 == 0 and (late() or context.cancelled()):
                return n, 4 * total
            total += (-1) ** n / (2 * n + 1)
        return terms, 4 * total

    def label(self) -> str:
        return f"item {context.item_index()}, attempt {context.attempt()}"

    def answer(self, end: str) -> int:
        answered = 0
        with failures(), pipes.End.open(end) as opened:
            while True:
                try:
                    message = opened.receive(None)
                except Err as error:
                    if isinstance(error.value, pipes.ReceiveError_EndOfFile):
                        return answered
                    raise
                opened.send(message[::-1], None)
                answered += 1

    def increase(self, lock: str, number: str, amount: int) -> int:
        with failures(), sync.Lock.open(lock) as opened, buffers.Buffer.open(number) as shared:
            with held(opened):
                total = shared.load_u64(0) + amount
                shared.store_u64(0, total)
                return total

    def deposit(self, condition: str, number: str, amount: int) -> int:
        with failures(), sync.Condition.open(condition) as changed, buffers.Buffer.open(number) as shared:
            with changed.lock() as lock, held(lock):
                total = shared.load_u64(0) + amount
                shared.store_u64(0, total)
                changed.notify_all()
                return total

    def withdraw(self, condition: str, number: str, amount: int) -> int:
        with failures(), sync.Condition.open(condition) as changed, buffers.Buffer.open(number) as shared:
            with changed.lock() as lock, held(lock):
                while shared.load_u64(0) < amount:
                    changed.wait(None)
                total = shared.load_u64(0) - amount
                shared.store_u64(0, total)
                return total

    def visit(self, semaphore: str, inside: str) -> int:
        with failures(), sync.Semaphore.open(semaphore) as seats, buffers.Buffer.open(inside) as shared:
            with held(seats):
                now = shared.update_u64(0, buffers.Operation.ADD, 1) + 1
                shared.update_u64(0, buffers.Operation.SUB, 1)
                return now

    def meet(self, event: str, barrier: str) -> int:
        with failures(), sync.Event.open(event) as start, sync.Barrier.open(barrier) as others:
            start.wait(None)
            return others.wait(None)
