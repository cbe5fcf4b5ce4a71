#!/usr/bin/env python3
"""Avro messages (Confluent's framing) -> typed Arrow on one core: Weir beside arrow-avro, on the same bytes.

avro_decode.py --weir build/bench_avro_decode --arrow-avro TARGET/release/bench-arrow-avro [--data DIR]
Checks that both found the same rows and sums, prints JSON lines and a table. Exit code 1 when they disagree or Weir is
below --target times the peer.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

SHAPES = ("flat", "nested")


def one(command):
    """Runs an engine on one core and returns its JSON line."""
    output = subprocess.run(["taskset", "-c", "1" if os.cpu_count() > 1 else "0"] + command, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    print(output.strip(), flush=True)
    return json.loads(output)


def agree(a, b):
    """Same rows and sums; doubles were printed with three digits."""
    if a["rows"] != b["rows"] or a["errors"] or b["errors"]:
        return False
    return all(abs(value - b["sums"][name]) <= (1e-6 * max(abs(value), 1.0) if name == "doubles" else 0)
               for name, value in a["sums"].items())


def measure(arguments, folder):
    failed = False
    lines = []
    for shape in SHAPES:
        weir = one([arguments.weir, "run", folder, shape, str(arguments.runs)])
        peer = one([arguments.arrow_avro, folder, shape, str(arguments.runs)])
        if not agree(weir, peer):
            print(f"{shape}: weir and arrow-avro disagree", file=sys.stderr)
            failed = True
        ratio = weir["gb_s_best"] / peer["gb_s_best"]
        failed = failed or ratio < arguments.target
        lines.append(f"| {shape} | {weir['bytes'] // weir['rows']} B | {weir['gb_s_best']:.2f} "
                     f"({weir['gb_s_median']:.2f}) | {weir['rows'] / weir['cpu_s_best'] / 1e6:.1f} M | "
                     f"{peer['gb_s_best']:.2f} ({peer['gb_s_median']:.2f}) | {ratio:.1f}x |")
    print("\n| shape | event | Weir GB/s best (median) | events/s | arrow-avro GB/s | ratio |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--arrow-avro", required=True)
    parser.add_argument("--data", help="folder for the generated files, kept; default: a temporary one")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--target", type=float, default=1.5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or temporary
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "nested.frames")):
            subprocess.run([arguments.weir, "generate", folder, str(arguments.megabytes)], check=True)
        return measure(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
