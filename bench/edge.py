#!/usr/bin/env python3
"""The HTTP edge beside a bare server of the same library that only appends bodies and syncs (edge_bare.cpp).

Both answer after the bytes are on the disk, with the same number of threads, on the same disk, in turns. The edge
also authenticates, checks every byte of JSON, routes, frames, checksums and gives each event its offset.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

THREADS = 2


def started(command, **how):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
    line = process.stdout.readline()
    if not line.startswith("listening on "):
        raise SystemExit(f"{command[0]} did not start")
    return process, int(line.strip().rsplit(":", 1)[1])


def load(tools, port, connections, seconds, events):
    done = subprocess.run([tools / "edge_load", str(port), "/v1/events/orders", str(connections), str(seconds),
                           str(events)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--folder", help="on the disk to measure; the default is a temporary folder")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    runs, seconds = (1, 0.5) if arguments.quick else (arguments.runs, arguments.seconds)
    target = 0 if arguments.quick else 0.8
    failed = False
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        config = Path(folder) / "weir.toml"
        config.write_text(f'[server]\nlisten = "127.0.0.1:0"\nthreads = {THREADS}\ndata = "{folder}/data"\n'
                          f'error-lake.path = "{folder}/errors"\n[[stream]]\nname = "orders"\n'
                          'retention.size = "512 mb"\n')
        servers = {}
        try:
            servers["weir"] = started([arguments.weir.resolve(), "serve", "--config", config], cwd=folder)
            servers["bare"] = started([arguments.tools.resolve() / "edge_bare", f"{folder}/bare", str(THREADS)])
            for events in (1, 100):
                figures = {"weir": [], "bare": []}
                for run in range(runs):
                    # In turns, and each first as often as the other: neighbours on the disk hit both.
                    for name in (("weir", "bare") if run % 2 == 0 else ("bare", "weir")):
                        process, port = servers[name]
                        before = cpu_seconds(process)
                        figure = load(arguments.tools, port, arguments.connections, seconds, events)
                        figure["cpu_us"] = (cpu_seconds(process) - before) * 1e6 / max(1, figure["requests"])
                        figures[name].append(figure)
                middle = {name: {key: statistics.median(figure[key] for figure in list_)
                                 for key in ("rate", "p50_us", "p99_us", "cpu_us")}
                          for name, list_ in figures.items()}
                ratio = middle["weir"]["rate"] / middle["bare"]["rate"]
                verdict = "" if target == 0 else (" ok" if ratio >= target else " MISSED")
                for name, figure in middle.items():
                    print(f"edge, {events:3} events a request: {name}  {figure['rate']:8.0f} requests/s  "
                          f"{figure['rate'] * events:9.0f} events/s  p50 {figure['p50_us'] / 1000:.2f} ms  "
                          f"p99 {figure['p99_us'] / 1000:.2f} ms  {figure['cpu_us']:.0f} us CPU a request")
                print(f"edge, {events:3} events a request: ratio {ratio:.2f}x (target 0.80x){verdict}")
                failed |= ratio < target
        finally:
            for process, _ in servers.values():
                process.terminate()
            for process, _ in servers.values():
                process.wait()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
