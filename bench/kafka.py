"""Kafka through SQL into Delta and ClickHouse, and raw, beside Tenzir, LaminarDB and a bare librdkafka loop in one run.

Each row says messages/s (whole process: start, connection, tables, commits), CPU-seconds of the process, and
CPU-seconds for each GB of message bytes. A ratio is printed only where both outputs agree: row count and sums, read
back by an independent reader, equal to what the producer counted. Broker and ClickHouse share the machine; their CPU is
not the engine's; the server's is shown apart.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid

from pipelines import ROOT, measure

CACHE = pathlib.Path(os.environ.get("WEIR_CACHE") or pathlib.Path.home() / ".cache" / "weir")
PARTITIONS = 4
COLUMNS = """(
  order_id BIGINT NOT NULL, customer STRING, amount DECIMAL(12,2), quantity INT, express BOOLEAN,
  weight DOUBLE, placed_at TIMESTAMP(3), sent_at TIMESTAMP(6), country STRING, note STRING
)"""
QUERY = "SELECT order_id, customer, amount, quantity, weight, placed_at, country, note FROM orders WHERE quantity > 5"
SUMS = "count(*), sum(order_id), sum(quantity), sum(CAST(round(amount * 100) AS BIGINT))"
# What Weir's source sets for itself, for the bare loop too: 64 MB are prefetched, shared by the partitions.
SAME_SETTINGS = ("isolation.level=read_committed", "enable.auto.commit=false", "enable.auto.offset.store=false",
                 f"queued.max.messages.kbytes={65536 // PARTITIONS}", "max.partition.fetch.bytes=1048576",
                 "fetch.queue.backoff.ms=2")


def produce(tools, servers, topic, count, *more):
    done = subprocess.run([f"{tools}/kafka_produce", servers, topic, str(count), *map(str, more)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def sums_of(expected):
    return tuple(expected[name] for name in ("rows", "order_ids", "quantities", "cents"))


def delta_sums(path):
    """Of a Delta table, by an independent reader."""
    import deltalake
    files = deltalake.DeltaTable(path).file_uris()
    return parquet_sums(files)


def parquet_sums(files):
    import duckdb
    return tuple(int(value or 0) for value in
                 duckdb.sql(f"SELECT {SUMS} FROM read_parquet({list(files)!r})").fetchall()[0])


def weir_file(folder, servers, topic, sink, columns=COLUMNS, query=QUERY, format_="json", more=""):
    """A pipeline of a name of its own, so that it reads from the beginning."""
    os.makedirs(folder, exist_ok=True)
    file = f"{folder}/pipeline.sql"
    pathlib.Path(file).write_text(f"""SET 'state.path' = '{folder}/state';
SET 'error-lake.path' = '{folder}/errors';
CREATE TABLE orders {columns} WITH ('connector'='kafka', 'topic'='{topic}',
  'properties.bootstrap.servers'='{servers}', 'scan.startup.mode'='earliest-offset', 'format'='{format_}'{more});
CREATE TABLE target WITH ({sink});
INSERT INTO target {query};
""", encoding="utf-8")
    return file


def run_weir(weir, file):
    return measure([weir, "run", "--once", "--progress", "none", file])


TENZIR = """from_kafka "{topic}", count={count}, offset="beginning", options={{
  "bootstrap.servers": "{servers}", "group.id": "{group}" }}
this = message.parse_json()
where quantity > 5
select order_id, customer, amount, quantity, weight, placed_at, country, note
to_file "{path}" {{ write_parquet{options} }}
"""


def run_tenzir(tenzir, folder, servers, topic, count, options):
    os.makedirs(folder, exist_ok=True)
    script = pathlib.Path(f"{folder}/pipeline.tql")
    script.write_text(TENZIR.format(topic=topic, count=count, servers=servers, group=f"tenzir-{uuid.uuid4()}",
                                    path=f"{folder}/orders.parquet", options=options), encoding="utf-8")
    return measure([tenzir, "-f", str(script)])


def run_laminardb(python, folder, servers, topic, count, rows):
    import deltalake
    import pyarrow
    fields = [("order_id", pyarrow.int64()), ("customer", pyarrow.string()), ("amount", pyarrow.float64()),
              ("quantity", pyarrow.int64()), ("weight", pyarrow.float64()), ("placed_at", pyarrow.timestamp("us")),
              ("country", pyarrow.string()), ("note", pyarrow.string())]
    deltalake.DeltaTable.create(f"{folder}/lake", pyarrow.schema(fields))
    return measure([python, str(ROOT / "bench" / "peers" / "laminardb_kafka.py"), servers, topic, str(count),
                    f"{folder}/lake", str(rows)])


def show(name, messages, size, runs, note=""):
    """Prints medians; returns (messages/s, CPU-seconds per GB)."""
    wall = statistics.median(run["wall"] for run in runs)
    cpu = statistics.median(run["cpu"] for run in runs)
    rate, per_gb = messages / wall, cpu / (size / 1e9)
    print(f"{name:44} {rate:>11,.0f} msg/s  wall {wall:6.2f} s  cpu {cpu:6.2f} s  {per_gb:6.2f} cpu-s/GB  "
          f"{messages / cpu:>11,.0f} msg/cpu-s  peak {max(run['rss_mb'] for run in runs):5.0f} MB{note}", flush=True)
    return rate, per_gb


DIFFERENT = []  # engines whose output was not what the producer counted


def agree(name, found, expected):
    if tuple(found) != tuple(expected):
        DIFFERENT.append(name)
        print(f"  {name}: (rows, sums) are {found}, the producer counted {expected}: no ratio", flush=True)
        return False
    return True


def bench_delta(options, folder, servers, made):
    """Kafka -> filter, projection -> lake. Returns the median CPU-seconds per GB of every engine that is right."""
    count, size, expected = made["messages"], made["bytes"], sums_of(made["kept"])
    print(f"== Kafka -> SQL (filter, projection) -> Delta, {count:,} messages, {size / 1e6:,.0f} MB, "
          f"{PARTITIONS} partitions")
    tenzir, laminardb = (CACHE / "peers" / name for name in ("tenzir/bin/tenzir", "laminardb/bin/python"))
    runs, found = {}, {}

    def keep(name, run, sums):
        runs.setdefault(name, []).append(run)
        found.setdefault(name, set()).add(tuple(sums))

    for i in range(options.repeats):
        place = f"{folder}/delta-{i}"
        sink = f"'connector'='delta', 'path'='{place}/weir/lake', 'positions'='false'"
        keep("weir (zstd-1, exactly once)", run_weir(options.weir, weir_file(f"{place}/weir", servers, "ORDERS", sink)),
             delta_sums(f"{place}/weir/lake"))
        for name, codec in (("tenzir (Parquet, not compressed)", ""),
                            ("tenzir (Parquet, zstd-1)", ' compression_level=1, compression_type="zstd"')):
            if tenzir.exists():
                at = f"{place}/tenzir{bool(codec):d}"
                keep(name, run_tenzir(str(tenzir), at, servers, "ORDERS", count, codec),
                     parquet_sums([f"{at}/orders.parquet"]))
        if laminardb.exists():
            os.makedirs(f"{place}/laminardb")
            run = run_laminardb(str(laminardb), f"{place}/laminardb", servers, "ORDERS", count, expected[0])
            keep("laminardb (Delta, snappy, no checkpoints)", run, delta_sums(f"{place}/laminardb/lake"))
        shutil.rmtree(place)
    missing = [peer.parent.parent.name for peer in (tenzir, laminardb) if not peer.exists()]
    if missing:
        print(f"{', '.join(missing)}: not installed, left out (tools/setup bench installs them)")
    costs = {}
    rates = {}
    for name in runs:
        rate, cost = show(name, count, size, runs[name])
        if all(agree(name, sums, expected) for sums in found[name]):
            rates[name], costs[name] = rate, cost
    ours = "weir (zstd-1, exactly once)"
    for name in costs:
        if name != ours and ours in costs:
            print(f"  weir / {name}: {costs[name] / costs[ours]:.2f}x per CPU-second, "
                  f"{rates[ours] / rates[name]:.2f}x messages/s (outputs agree)")
    return costs


def clickhouse_sums(server, table):
    found = server.rows(f"SELECT count(), sum(order_id), sum(quantity), toInt64(sum(amount) * 100) FROM {table}")
    return tuple(int(value) for value in found[0])


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_clickhouse(options, folder, servers, made, costs):
    from servers import ClickHouseFront
    count, size, expected = made["messages"], made["bytes"], sums_of(made["kept"])
    print(f"== Kafka -> SQL (filter, projection) -> ClickHouse, {count:,} messages; Weir's CPU apart from the server's")
    runs, server_cpu, right = [], [], True
    with ClickHouseFront() as server:
        for i in range(options.repeats):
            sink = f"'connector'='clickhouse', 'url'='{server.url}', 'table'='orders{i}'"
            before = cpu_of(server.process.pid)
            runs.append(run_weir(options.weir, weir_file(f"{folder}/clickhouse-{i}", servers, "ORDERS", sink)))
            server_cpu.append(cpu_of(server.process.pid) - before)
            right = agree("weir", clickhouse_sums(server, f"orders{i}"), expected) and right
            server.query(f"DROP TABLE orders{i} SYNC")
        version = server.value("SELECT version()")
    _, cost = show("weir (lz4, exactly once)", count, size, runs,
                   f"  server {statistics.median(server_cpu):.1f} cpu-s (ClickHouse's engine {version})")
    for name in costs if right else ():
        if name.startswith("tenzir"):
            print(f"  weir to ClickHouse / {name}: {costs[name] / cost:.2f}x per CPU-second (for ClickHouse, "
                  "Tenzir has only the native port; this is its run to Parquet above)")


def bench_raw(options, folder, servers, made):
    count, size = made["messages"], made["bytes"]
    print(f"== Kafka, raw format against a bare librdkafka loop with the same settings, {count:,} messages")
    raw = {"columns": "(payload BYTES)", "query": "SELECT payload FROM orders", "format_": "raw"}
    runs = {"bare librdkafka loop": [], "weir, raw -> blackhole": [], "weir, raw -> Delta": []}
    right = True
    for i in range(options.repeats):
        place = f"{folder}/raw-{i}"
        runs["bare librdkafka loop"].append(
            measure([f"{options.tools}/kafka_bare", servers, "RAW", str(count), *SAME_SETTINGS]))
        assert json.loads(runs["bare librdkafka loop"][-1]["stdout"])["bytes"] == size
        runs["weir, raw -> blackhole"].append(run_weir(
            options.weir, weir_file(f"{place}/hole", servers, "RAW", "'connector'='blackhole'", **raw)))
        runs["weir, raw -> Delta"].append(run_weir(options.weir, weir_file(
            f"{place}/lake", servers, "RAW", f"'connector'='delta', 'path'='{place}/lake/lake', 'positions'='false'",
            **raw)))
        import deltalake
        import duckdb
        files = deltalake.DeltaTable(f"{place}/lake/lake").file_uris()
        found = duckdb.sql("SELECT count(*), sum(octet_length(payload)) "
                           f"FROM read_parquet({files!r})").fetchall()[0]
        right = agree("weir, raw -> Delta", [int(value) for value in found], (count, size)) and right
        shutil.rmtree(place)
    rates = {name: show(name, count, size, done)[0] for name, done in runs.items()}
    bare = rates.pop("bare librdkafka loop")
    for name, rate in rates.items():
        if right:
            print(f"  {name}: {rate / bare:.2f}x the bare loop's messages/s")


@contextlib.contextmanager
def broker():
    from confluent_kafka import Consumer, TopicPartition
    from servers import KafkaServer
    with KafkaServer() as server:
        # The first commit of all makes the broker's own topic of offsets, for seconds that are nobody's.
        server.create_topic("WARM")
        consumer = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "warm"})
        consumer.commit(offsets=[TopicPartition("WARM", 0, 0)], asynchronous=False)
        consumer.close()
        yield server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default=str(ROOT / "build" / "weir"))
    parser.add_argument("--tools", default=str(ROOT / "build"), help="folder of kafka_produce and kafka_bare")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--raw-events", type=int, default=6_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few events, once: to see that it works")
    parser.add_argument("--only", choices=["delta", "clickhouse", "raw"], action="append")
    options = parser.parse_args()
    if options.quick:
        options.events, options.raw_events, options.repeats = 50_000, 50_000, 1
    wanted = options.only or ["delta", "clickhouse", "raw"]
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, broker() as server:
        if {"delta", "clickhouse"} & set(wanted):
            server.create_topic("ORDERS", PARTITIONS)
            made = produce(options.tools, server.bootstrap, "ORDERS", options.events)
            costs = bench_delta(options, folder, server.bootstrap, made) if "delta" in wanted else {}
            if "clickhouse" in wanted:
                bench_clickhouse(options, folder, server.bootstrap, made, costs)
        if "raw" in wanted:
            server.create_topic("RAW", PARTITIONS)
            bench_raw(options, folder, server.bootstrap,
                      produce(options.tools, server.bootstrap, "RAW", options.raw_events, "--seed", 11))
    return 1 if DIFFERENT else 0


if __name__ == "__main__":
    sys.exit(main())
