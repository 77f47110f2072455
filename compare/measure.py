"""One peer, measured: `measure.py PEER`, started by compare.py with the interpreter that has the peer.

Each line of standard input asks for one workload as a JSON object: its name, and how much of it. The answer is a line of
JSON: {"samples": [...]} of one operation each, in nanoseconds unless the workload says otherwise, with a "note" where what
happened needs words; or {"missing": "why"}. Every result is checked.
"""

import importlib
import json
import os
import sys
import traceback

import tasks


class Missing(Exception):
    """The peer has no such thing, or fails at it: why."""


PEERS = {
    "multiprocessing, fork": ("pools", "Multiprocessing", "fork"),
    "multiprocessing, spawn": ("pools", "Multiprocessing", "spawn"),
    "multiprocessing, forkserver": ("pools", "Multiprocessing", "forkserver"),
    "concurrent.futures": ("pools", "Futures", None),
    "joblib": ("pools", "Joblib", None),
    "loky": ("pools", "Loky", None),
    "Ray": ("clusters", "Ray", None),
    "distributed": ("clusters", "Distributed", None),
    "multiprocessing + wasmtime": ("pools", "MultiprocessingWasmtime", None),
    "wasmtime, in process": ("engines", "Wasmtime", None),
    "extism, in process": ("engines", "Extism", None),
}


def main():
    module, kind, variant = PEERS[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    # Whatever a peer prints is no answer.
    os.dup2(2, 1)
    try:
        make = getattr(importlib.import_module(module), kind)
        peer = make(variant) if variant else make()
        failed = None
    except Exception as error:
        peer, failed = None, f"{type(error).__name__}: {error}"
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            if failed:
                raise Missing(failed)
            measure = getattr(peer, ask["workload"].replace("-", "_"), None)
            if measure is None:
                raise Missing("it has nothing of the kind")
            answer = measure(ask)
        except Missing as missing:
            answer = {"missing": str(missing)}
        except Exception as error:
            traceback.print_exc()
            answer = {"missing": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)
    if hasattr(peer, "leave"):
        peer.leave()
    # Some of them wait for ever for their own processes.
    os._exit(0)


if __name__ == "__main__":
    assert tasks.square(3) == 9
    main()
