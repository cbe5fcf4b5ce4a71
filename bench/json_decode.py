#!/usr/bin/env python3
"""JSON messages -> typed Arrow on one core: Weir beside arrow-json and DuckDB, on the same files, in one run.

json_decode.py --weir build/bench_json_decode --arrow-json TARGET/release/bench-arrow-json [--data DIR]
Checks that all engines found the same rows and sums, prints a table with ratios, and JSON lines before it.
Exit code 1 when the engines disagree or Weir is below --target times the better peer.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

SHAPES = ("flat", "nested", "wide")
HERE = os.path.dirname(os.path.abspath(__file__))


def one(command):
    """Runs an engine on one core and returns its JSON line."""
    output = subprocess.run(["taskset", "-c", "1" if os.cpu_count() > 1 else "0"] + command, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    print(output.strip(), flush=True)
    return json.loads(output)


def agree(a, b):
    """Same rows and sums; doubles were added in another order."""
    if a["rows"] != b["rows"]:
        return False
    for name, value in a["sums"].items():
        other = b["sums"][name]
        if name == "doubles":
            if abs(value - other) > 1e-6 * max(abs(value), 1.0):
                return False
        elif value != other:
            return False
    return True


def measure(arguments, folder):
    failed = False
    lines = []
    for shape in SHAPES:
        clean, bad = (os.path.join(folder, shape + suffix) for suffix in (".ndjson", "-bad.ndjson"))
        weir = one([arguments.weir, "run", clean, shape, str(arguments.runs)])
        broken = one([arguments.weir, "run", bad, shape, str(arguments.runs)])
        arrow = one([arguments.arrow_json, clean, shape, str(arguments.runs)])
        duck = one([sys.executable, os.path.join(HERE, "peers", "duckdb_json.py"), clean, shape,
                    str(max(2, arguments.runs // 2))])
        for peer in (arrow, duck):
            if not agree(weir, peer):
                print(f"{shape}: weir and {peer['engine']} disagree", file=sys.stderr)
                failed = True
        expected_bad = sum(1 for n in range(weir["rows"]) if n % 100 == 37)
        if broken["errors"] != expected_bad or broken["rows"] + broken["errors"] != weir["rows"]:
            print(f"{shape}: {broken['errors']} errors, expected {expected_bad}", file=sys.stderr)
            failed = True
        better = max(arrow["gb_s_best"], duck["gb_s_best"])
        ratio = weir["gb_s_best"] / better
        failed = failed or ratio < arguments.target
        # Time, not bytes: broken events may be longer or shorter.
        loss = 100 * (1 - weir["cpu_s_best"] / broken["cpu_s_best"])
        lines.append(f"| {shape} | {weir['bytes'] // weir['rows']} B | {weir['gb_s_best']:.2f} "
                     f"({weir['gb_s_median']:.2f}) | {arrow['gb_s_best']:.2f} ({arrow['gb_s_median']:.2f}) | "
                     f"{duck['gb_s_best']:.2f} ({duck['gb_s_median']:.2f}) | {ratio:.1f}x | {loss:.1f} % |")
    print("\n| shape | event | Weir GB/s best (median) | arrow-json | DuckDB read_json | ratio to the better | "
          "slower with 1 % bad |\n|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--arrow-json", required=True)
    parser.add_argument("--data", help="folder for the generated files, kept; default: a temporary one")
    parser.add_argument("--megabytes", type=int, default=210)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--target", type=float, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or temporary
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "wide-bad.ndjson")):
            subprocess.run([arguments.weir, "generate", folder, str(arguments.megabytes)], check=True)
        return measure(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
