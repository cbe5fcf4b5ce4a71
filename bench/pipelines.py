"""Whole pipelines against their peers in one run: file -> Delta, JetStream -> Delta, memory over a long input.

Each row says what was measured: events, wall seconds, CPU-seconds (user + system of the process and its children), peak
resident memory. A ratio is printed only where both sides' outputs agree (row count and sums, read back by deltalake).
Everything runs on this machine's loopback and in a temporary folder.
"""

import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "servers"))


def write_orders(path, count, seed=7):
    """NDJSON that does not repeat: about 300 bytes an event."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    with open(path, "w", encoding="utf-8") as out:
        lines = []
        for i in range(count):
            note = "".join(rng.choices(letters, k=110))
            lines.append(
                '{"order_id":%d,"customer":"customer-%07d","amount":%d.%02d,"quantity":%d,"express":%s,'
                '"weight":%.6f,"placed_at":"2026-%02d-%02dT%02d:%02d:%02d.%03d","country":"%s","note":"%s"}\n'
                % (i, rng.randrange(5_000_000), rng.randrange(100_000), rng.randrange(100), rng.randrange(1, 50),
                   "true" if rng.random() < 0.3 else "false", rng.random() * 100, rng.randrange(1, 13),
                   rng.randrange(1, 28), rng.randrange(24), rng.randrange(60), rng.randrange(60),
                   rng.randrange(1000), rng.choice(["DE", "FR", "IT", "ES", "PL", "NL"]), note))
            if len(lines) == 10_000:
                out.writelines(lines)
                lines.clear()
        out.writelines(lines)


COLUMNS = """(
  order_id BIGINT NOT NULL, customer STRING, amount DECIMAL(12,2), quantity INT, express BOOLEAN,
  weight DOUBLE, placed_at TIMESTAMP(3), country STRING, note STRING
)"""

QUERY = "SELECT order_id, customer, amount, quantity, weight, placed_at, country, note FROM orders WHERE quantity > 5"


def pipeline(folder, source):
    text = f"""SET 'state.path' = '{folder}/state';
SET 'error-lake.path' = '{folder}/errors';
CREATE TABLE orders {COLUMNS} WITH ({source});
CREATE TABLE lake WITH ('connector'='delta', 'path'='{folder}/lake', 'positions'='false');
INSERT INTO lake {QUERY};
"""
    os.makedirs(folder, exist_ok=True)
    file = f"{folder}/pipeline.sql"
    pathlib.Path(file).write_text(text, encoding="utf-8")
    return file


def measure(command, **kwargs):
    """Runs a command to its end: wall seconds, CPU-seconds, peak resident MB, stdout, stderr.

    The peak is /proc's VmHWM, looked at every 20 ms: wait4's would count this process, which the child was forked from.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, text=True, **kwargs)
        peak_kb = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid != 0:
                break
            try:
                found = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text("utf-8"))
                peak_kb = max(peak_kb, int(found.group(1))) if found else peak_kb
            except OSError:
                pass
            time.sleep(0.02)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, complained = out.read(), err.read()
    if process.returncode != 0:
        raise SystemExit(f"{command} failed ({process.returncode}):\n{said}\n{complained}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": peak_kb / 1024, "stdout": said,
            "stderr": complained}


def checksum(path):
    """Rows and sums of a Delta table, by an independent reader."""
    import deltalake
    import duckdb
    rows = deltalake.DeltaTable(path).to_pyarrow_table() if hasattr(deltalake.DeltaTable, "to_pyarrow_table") else None
    if rows is None:
        import pyarrow
        rows = pyarrow.table(deltalake.DeltaTable(path).to_pyarrow_dataset().to_table())
    return duckdb.sql("SELECT count(*), sum(order_id), sum(amount), sum(quantity), min(placed_at), max(placed_at),"
                      " sum(length(note)) FROM rows").fetchall()[0]


PYARROW_PEER = """
import sys, pyarrow as pa, pyarrow.json as pj, pyarrow.compute as pc, deltalake
schema = pa.schema([("order_id", pa.int64()), ("customer", pa.string()), ("amount", pa.decimal128(12, 2)),
  ("quantity", pa.int32()), ("express", pa.bool_()), ("weight", pa.float64()), ("placed_at", pa.timestamp("ms")),
  ("country", pa.string()), ("note", pa.string())])
plain = pa.schema([f if not pa.types.is_decimal(f.type) else pa.field(f.name, pa.float64()) for f in schema])
keep = ["order_id", "customer", "amount", "quantity", "weight", "placed_at", "country", "note"]
def batches():
    for batch in pj.open_json(sys.argv[1], read_options=pj.ReadOptions(block_size=8 << 20),
                              parse_options=pj.ParseOptions(explicit_schema=plain)):
        batch = batch.filter(pc.greater(batch["quantity"], 5)).select(keep)
        columns = [batch[n] for n in keep]
        columns[2] = pc.round(columns[2], 2).cast(pa.decimal128(17, 2), safe=False).cast(pa.decimal128(12, 2))
        columns[5] = columns[5].cast(pa.timestamp("us"))
        yield pa.record_batch(columns, names=keep)
first = pa.schema([schema.field(n) if n != "placed_at" else pa.field(n, pa.timestamp("us")) for n in keep])
deltalake.write_deltalake(sys.argv[2], pa.RecordBatchReader.from_batches(first, batches()), mode="append")
"""

DATAFUSION_PEER = """
import sys, pyarrow as pa, datafusion, deltalake
schema = pa.schema([("order_id", pa.int64()), ("customer", pa.string()), ("amount", pa.decimal128(12, 2)),
  ("quantity", pa.int32()), ("express", pa.bool_()), ("weight", pa.float64()), ("placed_at", pa.timestamp("ms")),
  ("country", pa.string()), ("note", pa.string())])
context = datafusion.SessionContext()
context.register_json("orders", sys.argv[1], schema=schema, file_extension=".ndjson")
frame = context.sql("SELECT order_id, customer, amount, quantity, weight, placed_at, country, note "
                    "FROM orders WHERE quantity > 5")
deltalake.write_deltalake(sys.argv[2], frame, mode="append")
"""


def show(name, events, runs):
    best = min(runs, key=lambda run: run["cpu"])
    cpu = statistics.median(run["cpu"] for run in runs)
    wall = statistics.median(run["wall"] for run in runs)
    print(f"{name:34} {events:>10,} events  wall {wall:6.2f} s  cpu {cpu:6.2f} s (best {best['cpu']:.2f})  "
          f"{events / cpu:>11,.0f} events/cpu-s  peak {max(run['rss_mb'] for run in runs):5.0f} MB", flush=True)
    return events / cpu


def bench_file(weir, folder, events, repeats):
    print(f"== NDJSON file -> filter, projection -> Delta, {events:,} events")
    data = f"{folder}/orders.ndjson"
    write_orders(data, events)
    results = {}
    sums = {}
    for peer in ("weir", "pyarrow", "datafusion"):
        if peer == "datafusion" and subprocess.run([sys.executable, "-c", "import datafusion"],
                                                   capture_output=True, check=False).returncode != 0:
            print("datafusion (Python) is not installed: left out (tools/setup bench installs it)")
            continue
        runs = []
        for i in range(repeats):
            place = f"{folder}/file-{peer}-{i}"
            if peer == "weir":
                file = pipeline(place, f"'connector'='file', 'path'='{data}', 'format'='json'")
                command = [weir, "run", "--once", "--progress", "none", file]
            else:
                code = PYARROW_PEER if peer == "pyarrow" else DATAFUSION_PEER
                command = [sys.executable, "-c", code, data, f"{place}/lake"]
            os.makedirs(place, exist_ok=True)
            runs.append(measure(command))
        sums[peer] = checksum(f"{folder}/file-{peer}-0/lake")
        results[peer] = show(peer, events, runs)
    for peer in results:
        if peer == "weir":
            continue
        if sums[peer] != sums["weir"]:
            print(f"  outputs differ, no ratio: weir {sums['weir']}, {peer} {sums[peer]}")
        else:
            print(f"  weir / {peer}: {results['weir'] / results[peer]:.2f}x rows per CPU-second (outputs agree)")
    os.unlink(data)


def bench_nats(weir, bare, folder, events, repeats):
    import asyncio

    import nats as nats_client
    from servers import NatsServer
    print(f"== JetStream -> Delta, {events:,} events, against a bare nats.c pull-and-ack loop on the same stream")
    data = f"{folder}/nats.ndjson"
    write_orders(data, events)

    async def publish(url):
        connection = await nats_client.connect(url)
        # Acknowledged publishing with a bound: an overrun JetStream drops what nobody waits for.
        stream = connection.jetstream(publish_async_max_pending=2000)
        await stream.add_stream(name="ORDERS", subjects=["orders.>"])
        with open(data, "rb") as lines:
            for line in lines:
                await stream.publish_async("orders.new", line.rstrip(b"\n"), wait_stall=30)
        await stream.publish_async_completed()
        assert (await stream.stream_info("ORDERS")).state.messages == events
        await connection.close()

    with NatsServer(sync_interval="2m") as server:
        asyncio.run(publish(server.url))
        bare_runs, eager_runs, weir_runs = [], [], []
        for i in range(repeats):
            bare_runs.append(measure([bare, server.url, "ORDERS", str(events), "500"]))
            eager_runs.append(measure([bare, server.url, "ORDERS", str(events), "2000"]))
            place = f"{folder}/nats-{i}"
            file = pipeline(place, f"'connector'='nats', 'url'='{server.url}', 'stream'='ORDERS', "
                                   f"'durable'='bench{i}', 'format'='json'")
            weir_runs.append(measure([weir, "run", "--once", "--progress", "none", file]))
    show("bare nats.c pull + ack, 500 a pull", events, bare_runs)
    show("bare nats.c pull + ack, 2000 a pull", events, eager_runs)
    show("weir", events, weir_runs)
    expected = sum(1 for line in open(data, encoding="utf-8") if json.loads(line)["quantity"] > 5)
    got = checksum(f"{folder}/nats-0/lake")[0]
    bare_rate = events / statistics.median(run["wall"] for run in bare_runs)
    eager_rate = events / statistics.median(run["wall"] for run in eager_runs)
    weir_rate = events / statistics.median(run["wall"] for run in weir_runs)
    if got != expected:
        print(f"  the lake holds {got} rows, expected {expected}: no ratio")
    else:
        print(f"  weir {weir_rate:,.0f} messages/s: {weir_rate / bare_rate:.2f}x the bare loop with 500 a pull, "
              f"{weir_rate / eager_rate:.2f}x with 2000 ({got:,} rows in the lake, as expected; whole process, start "
              f"and commits included)")
    os.unlink(data)


def bench_memory(weir, folder, events):
    print(f"== Memory: generator, 10 partitions -> Delta, {events:,} events, default settings")
    file = pipeline(f"{folder}/memory", f"'connector'='generator', 'rows'='{events}', 'partitions'='10', 'seed'='1', "
                                        "'broken-share'='0.001'")
    run = measure([weir, "run", "--once", "--progress", "none", file])
    show("weir", events, [run])
    print("  " + run["stderr"].strip().splitlines()[-1])
    print(f"  peak resident memory {run['rss_mb']:.0f} MB (target: under 300)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", default=str(ROOT / "build" / "weir"))
    parser.add_argument("--bare", default=str(ROOT / "build" / "nats_bare"))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory-events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["file", "nats", "memory"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        if arguments.only in (None, "file"):
            bench_file(arguments.weir, folder, arguments.events, arguments.repeats)
        if arguments.only in (None, "nats"):
            bench_nats(arguments.weir, arguments.bare, folder, min(arguments.events, 500_000), arguments.repeats)
        if arguments.only in (None, "memory"):
            bench_memory(arguments.weir, folder, arguments.memory_events)


if __name__ == "__main__":
    main()
