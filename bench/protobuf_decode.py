#!/usr/bin/env python3
"""Protobuf messages -> typed Arrow on one core: Weir beside a DynamicMessage loop into Arrow's builders, in one run.

protobuf_decode.py --weir build/bench_protobuf_decode
The program compares every row of both. Prints JSON lines and a table with ratios; exit code 1 when rows differ or Weir
is below --target times the peer.
"""
import argparse
import json
import os
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--target", type=float, default=3)
    arguments = parser.parse_args()
    core = "1" if os.cpu_count() > 1 else "0"
    lines, failed = [], False
    for shape in ("flat", "nested"):
        command = ["taskset", "-c", core, arguments.weir, shape, str(arguments.megabytes), str(arguments.runs)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        print(done.stdout.strip(), flush=True)
        if done.returncode != 0:
            print(f"{shape}: failed", file=sys.stderr)
            failed = True
            continue
        weir, peer = (json.loads(line) for line in done.stdout.splitlines())
        ratio = weir["gb_s_best"] / peer["gb_s_best"]
        failed = failed or ratio < arguments.target or weir["rows"] != peer["rows"]
        speeds = " | ".join(f"{each['gb_s_best']:.2f} ({each['gb_s_median']:.2f})" for each in (weir, peer))
        lines.append(f"| {shape} | {weir['bytes'] // weir['rows']} B | {speeds} | {ratio:.1f}x |")
    print("\n| shape | event | Weir GB/s best (median) | DynamicMessage | ratio |\n|---|---|---|---|---|")
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
