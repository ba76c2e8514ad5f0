"""The conversation between the benchmark's driver and one peer: JSON lines on stdin and stdout.

At the start the peer writes {"ready": true, "system": …, "versions": …, "threads": …, "rows": […]}. Then, command by command:
    {"row": "all", "frozen_bn": false, "seconds": 5}   or   {"row": …, "steps": 20}
    → {"row": …, "milliseconds_per_image": median, "fastest": …, "steps": …, "peak_memory_bytes": …, "variant": …, …}
    {"row": …, "prepare": true} builds and tries a row without measuring it; {"quit": true} or the end of stdin ends it.
A row is built, warmed up and its variants compared when first asked for; that time is not measured. What goes wrong
with one command is answered {"row": …, "error": …}, and the peer goes on.
"""

import argparse
import json
import os
import statistics
import sys
import time

ROUNDS = 6
ROWS = ["all", "top6", "top6-cached", "forward"]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--frozen-bn", action="store_true", help="gamma and beta are not trained, unless a command says otherwise")
    parser.add_argument("--no-compile", action="store_true", help="do not try the compiled variants")
    parser.add_argument("--once", action="store_true", help="measure every row once for --seconds, print a table, end")
    parser.add_argument("--seconds", type=float, default=10.0)
    return parser.parse_args()


def reset_peak_memory():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        # Elsewhere the peak is that of the whole process; the driver may start one process a row.
        pass


def peak_memory():
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class Peer:
    """`build(row, frozen_bn, variant)` gives a function that takes one whole step and waits until it is done."""

    def __init__(self, options, system, versions, variants, build, parameters):
        self.options, self.system, self.versions = options, system, versions
        self.variants, self.build, self.parameters = variants, build, parameters
        self.ready = {}

    def prepare(self, row, frozen):
        """The fastest variant of a row, from a short look at each."""
        key = (row, frozen and row != "forward")
        if key in self.ready:
            return self.ready[key]
        steps, fastest, tried = {}, {}, {}
        for variant in self.variants(row):
            started = time.perf_counter()
            try:
                step = self.build(row, key[1], variant)
                step()
                step()
            except Exception as problem:  # noqa: BLE001 - a variant that does not work here is left out
                tried[variant] = " ".join(str(problem).split())[:160] or type(problem).__name__
                print(f"{row}, {variant}: {tried[variant]}", file=sys.stderr, flush=True)
                continue
            steps[variant], fastest[variant] = step, float("inf")
            print(f"{row}, {variant}: prepared in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if not steps:
            raise RuntimeError(f"no variant of {row} works: {tried}")
        # In turn, so that a neighbour's load falls on all of them.
        for _ in range(ROUNDS if len(steps) > 1 else 0):
            for variant, step in steps.items():
                hopeless = min(fastest.values()) * 3 < fastest[variant] < float("inf")
                if not hopeless:
                    fastest[variant] = min(fastest[variant], timed(step))
        tried |= {variant: round(seconds * 1e3 / self.options.batch, 4) for variant, seconds in fastest.items() if seconds < float("inf")}
        if len(steps) > 1:
            print(f"{row}: {tried} ms/image at best", file=sys.stderr, flush=True)
        chosen = min(steps, key=lambda variant: fastest[variant])
        self.ready[key] = (steps[chosen], chosen, tried)
        return self.ready[key]

    def measure(self, command):
        row, frozen = command["row"], bool(command.get("frozen_bn", self.options.frozen_bn))
        if row not in ROWS:
            raise ValueError(f"no row {row!r}; there are {', '.join(ROWS)}")
        step, variant, tried = self.prepare(row, frozen)
        answer = {"row": row, "frozen_bn": frozen, "variant": variant, "tried": tried, "trained_parameters": self.parameters(row, frozen)}
        if command.get("prepare"):
            return answer
        step()
        reset_peak_memory()
        times, started = [], time.perf_counter()
        while True:
            times.append(timed(step))
            if "steps" in command and len(times) >= command["steps"]:
                break
            if "steps" not in command and time.perf_counter() - started >= command.get("seconds", 5):
                break
        return answer | {
            "milliseconds_per_image": statistics.median(times) * 1e3 / self.options.batch,
            "fastest": min(times) * 1e3 / self.options.batch,
            "steps": len(times),
            "peak_memory_bytes": peak_memory(),
        }

    def serve(self, channel):
        if self.options.once:
            for row in ROWS:
                result = self.measure({"row": row, "seconds": self.options.seconds})
                print(f"{row:12} {result['milliseconds_per_image']:8.3f} ms/image  {result['peak_memory_bytes'] / 2**20:7.0f} MiB  {result['variant']}", file=channel, flush=True)
            return
        hello = {"ready": True, "system": self.system, "versions": self.versions, "threads": self.options.threads, "batch": self.options.batch, "rows": ROWS}
        print(json.dumps(hello), file=channel, flush=True)
        for line in sys.stdin:
            if not line.strip():
                continue
            command = {}
            try:
                command = json.loads(line)
                if command.get("quit"):
                    break
                answer = self.measure(command)
            except Exception as problem:  # noqa: BLE001 - the driver decides what a failure means
                answer = {"row": command.get("row") if isinstance(command, dict) else None, "error": f"{type(problem).__name__}: {problem}"[:500]}
            print(json.dumps(answer), file=channel, flush=True)


def timed(step):
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def keep_freed_memory():
    """By default glibc returns large blocks to the system at once, and every step pays for fresh pages (up to a fifth)."""
    import ctypes

    try:
        library = ctypes.CDLL("libc.so.6")
        mmap_threshold, trim_threshold = -3, -1
        library.mallopt(mmap_threshold, 2**30)
        library.mallopt(trim_threshold, 2**31 - 1)
    except (OSError, AttributeError):
        pass


def own_stdout():
    """Libraries print to stdout, from C++ too; what they print goes to stderr, and only answers to the driver."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel
