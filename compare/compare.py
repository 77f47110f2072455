#!/usr/bin/env python3
"""Compares wasmpool with what people use today: `python3 compare/compare.py`, half an hour; `--quick`, some minutes.

Makes a virtual environment in the target folder, installs the pinned peers there, and runs the same work with each peer
and with `wasmpool bench`, in turns, round after round. Prints for each workload and peer the median, and the ratio of
wasmpool to the peer within each round: its median, and the middle 80 % of it. A ratio below 1 is in wasmpool's favour.

Every peer runs in a process of its own (measure.py), and every result is checked. A peer that cannot be installed, fails,
or does not answer is reported as missing, with the reason, and never as beaten. With `--busy` all of it is done a second
time with a process on every processor that computes.

What wasmpool runs is WebAssembly, and what the pools of Python run is Python: where an item computes nothing, that makes
no difference; where it does (`skewed`), each is compared with its own perfect share, and not with the other.

Needs Python 3.9 with `venv`, and nothing else; the Python that runs this is the one that the peers run with.
"""

import argparse
import json
import os
import platform
import re
import select
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# What is installed, and for which peers.
PINNED = {
    "joblib": ["joblib==1.6.0", "numpy==2.4.6"],
    "numpy": ["numpy==2.4.6"],
    "wasmtime": ["wasmtime==50.0.1"],
    "extism": ["extism==1.1.1", "wasmtime==50.0.1"],
    "distributed": ["distributed==2026.8.0", "dask==2026.8.0", "numpy==2.4.6"],
    "ray": ["ray==2.60.0", "numpy==2.4.6"],
}

# Each peer: what it needs besides the standard library, and how it differs in what it does.
PEERS = {
    "multiprocessing, fork": ([], "no isolation from the task"),
    "multiprocessing, spawn": ([], "no isolation from the task"),
    "multiprocessing, forkserver": ([], "no isolation from the task"),
    "concurrent.futures": ([], "no isolation from the task"),
    "joblib": (["joblib"], "no isolation from the task"),
    "loky": (["joblib"], "no isolation from the task"),
    "multiprocessing + wasmtime": (["wasmtime"], "no limits and no second wall; a fresh instance an item"),
    "wasmtime, in process": (["wasmtime"], "less: one thread, no processes, no limit of time"),
    "extism, in process": (["extism"], "less: one thread, no processes"),
    "distributed": (["distributed"], "more: across machines; no isolation from the task"),
    "Ray": (["ray"], "more: across machines; no isolation from the task"),
}

# Each workload: the row of `wasmpool bench`, what the peer is asked for besides, how it is shown, what it is.
WORKLOADS = {
    "noop": ("apply-shared", {"samples": 300}, "time", "one no-op item in a warm pool of one worker: round trip"),
    "noop-instance": ("apply-instance", {"samples": 300}, "time", "the same, a fresh instance an item"),
    "squares-1": ("map-chunk-1", {"items": 100_000}, "time", "map of 100,000 squares, chunk size 1: an item"),
    "squares-auto": ("map-auto", {"items": 100_000}, "time", "map of 100,000 squares, the default chunk size: an item"),
    "skewed": ("skewed", {}, "ratio", "1,000 items, one 100 times as long: the time over that of a perfect share"),
    "echo": ("echo", {"bytes": 64 << 20}, "time", "64 MiB into an item and out again"),
    "shared-sum": ("sum-attached", {"bytes": 0}, "time", "sum of an array in shared memory by two workers: a GiB"),
    "start-pool": ("start-pool", {"samples": 3}, "time", "from nothing to the first result, a worker a processor"),
    "process-an-item": ("apply-process", {"samples": 10}, "time", "a fresh process for each item: round trip"),
    "recover": ("recover-kill", {"samples": 3}, "time", "a worker is killed in mid-item: until the next item's result"),
}

# Peers for which 100,000 items, each sent alone, would take too long get fewer; the cost is told for one.
FEWER = {"concurrent.futures": 20_000, "joblib": 20_000, "loky": 20_000, "distributed": 2_000, "Ray": 4_000}
HEAVY = ("distributed", "Ray")
# What measure.py says of a workload that a peer does not have.
NOTHING = "it has nothing of the kind"
OURS = "every item under limits, behind two walls"
PATIENCE = 120


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds [default: 7; with --quick: 2]")
    parser.add_argument("--quick", action="store_true", help="two rounds, without the peers that take seconds to start")
    parser.add_argument("--busy", action="store_true", help="also with a computing process on every processor")
    parser.add_argument("--peer", action="append", metavar="NAME", help="only this one; can be repeated")
    parser.add_argument("--workload", action="append", metavar="NAME", help="only this one; can be repeated")
    parser.add_argument("--list", action="store_true", help="tell peers and workloads, and measure nothing")
    parser.add_argument("--wasmpool", type=Path, metavar="FILE", help="the program [default: cargo builds it]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON besides")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown besides")
    options = parser.parse_args()
    for given, known, what in ((options.peer, PEERS, "peer"), (options.workload, WORKLOADS, "workload")):
        for name in given or []:
            if name not in known:
                parser.error(f"no {what} `{name}`; there are {', '.join(known)}")
    return options


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")).resolve()


def program(options):
    if options.wasmpool:
        return options.wasmpool.resolve()
    subprocess.run(["cargo", "build", "--quiet", "--workspace", "--release"], cwd=HERE.parent, check=True)
    return target() / "release" / "wasmpool"


def install(names):
    """An interpreter, and why the groups that it lacks are not there."""
    folder = target() / "compare" / "venv"
    python, missing = folder / "bin" / "python", {}
    if not python.exists():
        made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
        if made.returncode:
            # Those of the standard library can be measured all the same.
            reason = f"no virtual environment can be made: {last_line(made.stdout + made.stderr)}"
            return Path(sys.executable), {name: reason for name in PINNED}
    for name in names:
        mark = folder / (name + " " + " ".join(PINNED[name]))
        if mark.exists():
            continue
        print(f"installing {', '.join(PINNED[name])}", file=sys.stderr)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED[name]]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            missing[name] = f"it cannot be installed: {last_line(made.stderr)}"
        else:
            mark.touch()
    return python, missing


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason was given"


class Peer:
    """A process that measures one peer when it is asked. Started when it is first needed, ended when it hangs."""

    def __init__(self, python, name):
        self.command = [str(python), str(HERE / "measure.py"), name]
        self.process = None

    def ask(self, workload, what):
        if self.process is None:
            environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", RAY_USAGE_STATS_ENABLED="0")
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
        answer = b""
        try:
            self.process.stdin.write(json.dumps(dict(what, workload=workload)).encode() + b"\n")
            self.process.stdin.flush()
            until = time.monotonic() + PATIENCE
            while not answer.endswith(b"\n"):
                left = until - time.monotonic()
                if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                    self.end()
                    return {"missing": f"no answer in {PATIENCE} s"}
                piece = os.read(self.process.stdout.fileno(), 1 << 20)
                if not piece:
                    raise BrokenPipeError
                answer += piece
        except BrokenPipeError:
            self.end()
            return {"missing": "its process died"}
        return json.loads(answer)

    def end(self):
        """Ends its process and those that this has started: they are one session."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.process = None


class Load:
    """A process on every processor that computes, if there is to be any."""

    def __init__(self, on):
        self.count = len(os.sched_getaffinity(0)) if on else 0

    def __enter__(self):
        spin = [sys.executable, "-c", "while True: pass"]
        self.processes = [subprocess.Popen(spin) for _ in range(self.count)]
        time.sleep(0.3 if self.count else 0)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def ours(wasmpool, workload, quick):
    """The same work by wasmpool: medians, and the 99th percentile, of its row."""
    row = WORKLOADS[workload][0]
    rounds = "1" if quick else "3"
    ran = subprocess.run([wasmpool, "bench", row, "--rounds", rounds, "--format", "json"],
                         capture_output=True, text=True, timeout=PATIENCE)
    if not ran.stdout:
        return {"missing": last_line(ran.stderr)}, None
    report = json.loads(ran.stdout)
    line = next(line for line in report["rows"] if line["id"] == row)
    if line["state"] != "measured":
        return {"missing": line["reason"]}, report["machine"]
    found = {"median": line["median"], "p99": line["p99"]}
    if workload == "recover":
        # The row looks at that.
        found["note"] = "the killed item fails as worker-lost"
    if workload == "skewed":
        found = {"median": line["beside"]["ratio"], "p99": line["beside"]["ratio"]}
    if workload == "shared-sum":
        # So much was summed as the machine has memory for.
        size, unit = re.search(r"sum of ([0-9.]+) ([KMG])iB", line["what"]).groups()
        bytes = float(size) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]
        scale = (1 << 30) / bytes
        found = {"median": found["median"] * scale, "p99": found["p99"] * scale, "bytes": int(bytes)}
    return found, report["machine"]


def theirs(answer):
    samples = sorted(answer.get("samples", []))
    if not samples:
        return {"missing": answer.get("missing", "it gave no sample")}
    at = lambda part: samples[round((len(samples) - 1) * part)]
    return {"median": at(0.5), "p99": at(0.99), "note": answer.get("note", "")}


def compare(options, wasmpool, python, peers, missing):
    """Rows: state, workload, peer, and what was found in each round."""
    workloads = options.workload or list(WORKLOADS)
    rounds = options.rounds or (2 if options.quick else 7)
    asked = {name: Peer(python, name) for name in peers}
    found, machine = {}, None
    try:
        for state in ["quiet", "busy"] if options.busy else ["quiet"]:
            for round in range(rounds):
                for workload in workloads:
                    print(f"{state}, round {round + 1} of {rounds}: {workload}", file=sys.stderr)
                    with Load(state == "busy"):
                        us, here = ours(wasmpool, workload, options.quick)
                        machine = machine or here
                        found.setdefault((state, workload, "wasmpool"), []).append((us, us))
                        # In another order each time.
                        for name in (peers if round % 2 == 0 else reversed(peers)):
                            key = (state, workload, name)
                            them = ask(asked[name], name, workload, us, missing, found.get(key))
                            found.setdefault(key, []).append((us, them))
                # Those that hold much memory or many processes would be in the others' way.
                for name in HEAVY:
                    if name in asked:
                        asked[name].end()
    finally:
        for peer in asked.values():
            peer.end()
    return found, machine


def ask(peer, name, workload, us, missing, before):
    if name in missing:
        return {"missing": missing[name]}
    # What it does not have, or does not survive, it will not have in the next round.
    if before and "missing" in before[-1][1]:
        return before[-1][1]
    what = dict(WORKLOADS[workload][1])
    if workload == "shared-sum":
        what["bytes"] = us.get("bytes", 1 << 28)
    if "items" in what:
        what["items"] = FEWER.get(name, what["items"])
    found = theirs(peer.ask(workload, what))
    if what.get("items", 0) < WORKLOADS[workload][1].get("items", 0):
        found["note"] = f"{what['items']:,} items"
    return found


def summary(found):
    """A row for each workload and peer: its median, and the ratio of wasmpool to it."""
    rows = []
    for (state, workload, name), pairs in found.items():
        kind, what = WORKLOADS[workload][2:]
        row = {"state": state, "workload": workload, "what": what, "peer": name, "unit": "ns" if kind == "time" else "ratio"}
        row["differs"] = PEERS[name][1] if name in PEERS else OURS
        both = [(us, them) for us, them in pairs if "missing" not in us and "missing" not in them]
        reasons = [them["missing"] for _, them in pairs if "missing" in them]
        if reasons or not both:
            row["missing"] = reasons[-1] if reasons else "wasmpool's own row is missing"
        if both and not reasons:
            row["median"] = statistics.median(them["median"] for _, them in both)
            row["p99"] = statistics.median(them["p99"] for _, them in both)
            row["note"] = "; ".join(sorted({them["note"] for _, them in both if them.get("note")}))
            row["rounds"] = len(both)
            if name != "wasmpool":
                row["ratio"] = spread([us["median"] / them["median"] for us, them in both])
                if workload == "noop":
                    row["ratio_p99"] = spread([us["p99"] / them["p99"] for us, them in both])
        rows.append(row)
    return rows


def spread(ratios):
    ratios = sorted(ratios)
    at = lambda part: ratios[round((len(ratios) - 1) * part)]
    return {"median": statistics.median(ratios), "p10": at(0.1), "p90": at(0.9)}


def shown(number, unit="ns"):
    if unit == "ratio":
        return f"{number:.2f} x"
    for most, scale, name in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms"), (1e18, 1e9, "s")):
        if number < most:
            return f"{number / scale:.3g} {name}"
    return f"{number:.3g} ns"


def ratio(of):
    return f"{of['median']:.3g} ({of['p10']:.3g} to {of['p90']:.3g})" if of else ""


def tables(rows):
    """For each state and workload: its words, lines of cells, and the peers that have nothing of the kind."""
    for state in dict.fromkeys(row["state"] for row in rows):
        for workload in dict.fromkeys(row["workload"] for row in rows):
            lines, without = [], []
            for row in rows:
                if (row["state"], row["workload"]) != (state, workload):
                    continue
                if row.get("missing") == NOTHING:
                    without.append(row["peer"])
                elif "missing" in row:
                    lines.append([row["peer"], "missing", "", "", row["missing"]])
                else:
                    words = "; ".join(filter(None, [row["note"], row["differs"]]))
                    p99 = shown(row["p99"]) if workload == "noop" else ""
                    lines.append([row["peer"], shown(row["median"], row["unit"]), p99, ratio(row.get("ratio")), words])
            yield f"{WORKLOADS[workload][3]} ({state})", lines, "; ".join(without)


HEAD = ["", "median", "p99", "wasmpool / it", "how it differs"]


def as_text(rows):
    out = []
    for title, lines, without in tables(rows):
        widths = [max(len(line[at]) for line in [HEAD, *lines]) for at in range(4)]
        out.append(title)
        for line in [HEAD, *lines]:
            cells = [line[0].ljust(widths[0]), *(line[at].rjust(widths[at]) for at in (1, 2)), line[3].ljust(widths[3])]
            out.append(("  " + "  ".join(cells) + "  " + line[4]).rstrip())
        out += [f"  nothing of the kind: {without}"] if without else []
        out.append("")
    return "\n".join(out)


def as_markdown(rows, head):
    out = [head, ""]
    for title, lines, without in tables(rows):
        out += [f"**{title}**", "", f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|"]
        out += [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
        out += ["", f"Nothing of the kind: {without}."] if without else []
        out.append("")
    return "\n".join(out)


def main():
    options = arguments()
    if options.list:
        print("workloads:", *(f"  {name:16} {what[3]}" for name, what in WORKLOADS.items()), sep="\n")
        print("peers:", *(f"  {name:28} {differs}" for name, (_, differs) in PEERS.items()), sep="\n")
        return
    peers = options.peer or [name for name in PEERS if not (options.quick and name in HEAVY)]
    wasmpool = program(options)
    needed = list(dict.fromkeys(["numpy"] + [group for name in peers for group in PEERS[name][0]]))
    python, lacking = install(needed)
    missing = {name: lacking[group] for name in peers for group in PEERS[name][0] if group in lacking}
    found, machine = compare(options, wasmpool, python, peers, missing)
    rows = summary(found)
    head = f"wasmpool beside its peers: Python {platform.python_version()}, {machine_in_words(machine)}"
    print(head, as_text(rows), sep="\n\n")
    if options.json:
        pinned = sorted({pin for group in needed for pin in PINNED[group]})
        whole = {"schema": 1, "machine": machine, "python": platform.python_version(), "pinned": pinned, "rows": rows}
        options.json.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(rows, head))


def machine_in_words(machine):
    if not machine:
        return "an unknown machine"
    return (f"{machine['processor'] or 'an unknown processor'}, {machine['processors']} processors, "
            f"Linux {machine['kernel']}, load {machine['load'][0]:.2f} at the start")


if __name__ == "__main__":
    main()
