"""Gradient cases judged by PyTorch, in the format of the shared conformance folder.

    python make_gradient_cases.py OUT [--only REGEX] [--skip-existing] [--list]

Every case is drawn from a seed of its own name, so that any subset comes out the same. Needs torch, torchvision,
timm, onnx, onnxscript and onnxruntime; none of them is needed to run the cases.
"""

import argparse
import re
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from gradient_cases import harness  # noqa: E402

FAMILIES = ["pointwise", "convolution", "reduction", "normalization", "indexing", "layout", "resize", "sequence", "networks"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="regular expression on case names or families")
    parser.add_argument("--skip-existing", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()

    cases = [
        case
        for family in FAMILIES
        for case in import_module(f"gradient_cases.{family}").cases
        if re.search(arguments.only, case.name) or re.fullmatch(arguments.only, case.group)
    ]
    twice = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
    if twice:
        sys.exit(f"named twice: {', '.join(twice)}")
    if arguments.list:
        print("\n".join(f"{case.group:14} {case.name}" for case in cases))
        return

    made, refused, dubious, count = 0, [], [], Counter()
    for case in cases:
        if arguments.skip_existing and (arguments.out / case.name / "case.json").exists():
            continue
        started = time.time()
        try:
            operators, note = case.make(arguments.out)
        except Exception as problem:  # noqa: BLE001 - whatever an exporter throws is the reason for the skip
            reason = " ".join(str(problem).split())[:200] or type(problem).__name__
            refused.append((case.name, reason))
            print(f"skip  {case.name:40} {reason}", flush=True)
            continue
        made += 1
        count.update(operators)
        if note:
            dubious.append((case.name, note))
        print(f"ok    {case.name:40} {time.time() - started:5.1f} s  {' '.join(operators)[:110]} {note}", flush=True)

    print(f"\n{made} cases made, {len(refused)} skipped; operators by number of cases:")
    names = sorted(count)
    for start in range(0, len(names), 6):
        print("  " + "  ".join(f"{name} {count[name]}" for name in names[start : start + 6]))
    if refused:
        print("\nskipped:")
        for name, reason in refused:
            print(f"  {name}: {reason}")
    if dubious:
        print("\nnotes (a numeric slope apart from the judge's is a kink nearby, or a case to look at):")
        for name, note in dubious:
            print(f"  {name}: {note}")


if __name__ == "__main__":
    main()
