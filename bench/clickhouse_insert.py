#!/usr/bin/env python3
"""The same Arrow batches into the same ClickHouse: Weir's encoder and connection beside clickhouse-connect.

Rows/s is the whole insert, client and server; CPU-seconds are the client's alone. A ratio is printed only where the
tables agree (rows and a hash of all columns). clickhouse-connect does insert_arrow and insert of columns.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from pipelines import ROOT

SHAPES = ("flat", "low", "nested")
PEER = ROOT / "bench" / "peers" / "clickhouse_connect_insert.py"


def once(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip().splitlines()[-1:]
    return json.loads(done.stdout), None


def measure_shape(options, server, folder, shape):
    """Whether all tables agree."""
    data = f"{folder}/{shape}.arrows"
    encode = f"{options.tools}/bench_native_encode"
    subprocess.run([encode, "write", shape, data], check=True, stdout=subprocess.DEVNULL)
    columns = subprocess.run([encode, "columns", shape], check=True, text=True, stdout=subprocess.PIPE).stdout
    parts = [line.split(" ", 1) for line in columns.splitlines()]
    ddl = ", ".join(f"`{name}` {type_}" for name, type_ in parts)
    names = ", ".join(f"`{name}`" for name, _ in parts)
    engines = {}
    for compression in ("lz4", "none"):
        engines[f"weir, {compression}"] = [f"{options.tools}/bench_clickhouse_insert", compression]
        engines[f"clickhouse-connect insert_arrow, {compression}"] = [sys.executable, str(PEER), "arrow", compression]
    engines["clickhouse-connect insert, lz4"] = [sys.executable, str(PEER), "columns", "lz4"]
    runs, hashes, failed = {}, {}, {}
    for i in range(options.repeats):
        for number, (engine, (program, *rest)) in enumerate(engines.items()):
            if engine in failed:
                continue
            table = f"{shape}_{number}_{i}"
            server.query(f"CREATE TABLE {table} ({ddl}) ENGINE = MergeTree ORDER BY tuple()")
            if rest[0] == str(PEER):
                command = [program, rest[0], server.url, table, data, rest[1], rest[2]]
            else:
                command = [program, server.url, table, data, rest[0]]
            run, words = once(command)
            if run is None:
                failed[engine] = words
            else:
                runs.setdefault(engine, []).append(run)
                hashes.setdefault(engine, set()).add(server.rows(
                    f"SELECT count(), toString(sum(cityHash64({names}))) FROM {table}")[0])
            server.query(f"DROP TABLE {table} SYNC")
    size = runs["weir, lz4"][0]["arrow_bytes"]
    rows = runs["weir, lz4"][0]["rows"]
    print(f"== Arrow -> ClickHouse, shape {shape}: {rows:,} rows, {size / 1e6:,.0f} MB of Arrow")
    figures = {}
    for engine, done in runs.items():
        seconds = statistics.median(run["seconds"] for run in done)
        cpu = statistics.median(run["cpu_seconds"] for run in done)
        figures[engine] = (rows / seconds, rows / cpu)
        print(f"{engine:40} {rows / seconds:>11,.0f} rows/s  client {cpu:6.3f} cpu-s  {rows / cpu:>12,.0f} rows/cpu-s",
              flush=True)
    for engine, words in failed.items():
        print(f"{engine}: {words}")
    return report(figures, hashes)


def report(figures, hashes):
    """Prints the ratios; whether all tables agree."""
    right = True
    for engine, (rate, per_cpu) in figures.items():
        if engine.startswith("weir"):
            continue
        ours = "weir, " + engine.rsplit(" ", 1)[1]
        if hashes[engine] != hashes[ours] or len(hashes[ours]) != 1:
            right = False
            print(f"  the tables of {ours} and {engine} differ, no ratio: {hashes[ours]}, {hashes[engine]}")
        else:
            print(f"  {ours} / {engine}: {figures[ours][1] / per_cpu:.2f}x rows per client CPU-second, "
                  f"{figures[ours][0] / rate:.2f}x rows/s (tables agree)")
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default=str(ROOT / "build"), help="folder of the benchmark programs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=SHAPES, action="append")
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    from servers import ClickHouseFront
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, ClickHouseFront() as server:
        print(f"ClickHouse's engine {server.value('SELECT version()')}, client and server on one machine")
        right = [measure_shape(options, server, pathlib.Path(folder), shape) for shape in options.only or SHAPES]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
