"""The tasks: plain functions, which `app.py` exports to wasmpool."""


def square(x: int) -> int:
    """The square of a number; a ValueError if it does not fit 32 bits."""
    squared = x * x
    if squared > 2**31 - 1:
        raise ValueError(f"the square of {x} does not fit 32 bits")
    return squared


def count_words(text: bytes) -> int:
    """How many words a text has."""
    return len(text.split())
