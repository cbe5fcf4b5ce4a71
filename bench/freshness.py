"""From an event's making to the first answer of ClickHouse that shows it, at half of the measured maximum rate.

First a producer without a brake feeds Weir into ClickHouse: messages/s until the last row is visible is the maximum of
this machine, which producer, broker, Weir, server and the poller share. Then producers send half of it for some
seconds, each event stamped when it is made, while a poller asks the table every few milliseconds for the newest row of
each partition. An event is visible at the arrival of the first answer with its number or a later one of its partition.
"""

import argparse
import json
import math
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from kafka import PARTITIONS, QUERY, SAME_SETTINGS, agree, broker, clickhouse_sums, produce, sums_of, weir_file
from pipelines import ROOT

POLL_S = 0.005


class Poller:
    """Newest order_id of each partition, and when it was first seen. The producer deals events out in turn."""

    def __init__(self, server, table):
        self.server, self.table = server, table
        self.seen = [[] for _ in range(PARTITIONS)]  # of (order_id, seconds since 1970), both rising
        self.failure = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._stop.set()
        self._thread.join()

    def newest(self):
        return max((seen[-1][0] for seen in self.seen if seen), default=-1)

    def _run(self):
        try:
            while not self._stop.wait(POLL_S):
                self._look()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def _look(self):
        # The table is ordered by order_id, so only parts with newer rows are read.
        newest = [seen[-1][0] if seen else -1 for seen in self.seen]
        answer = self.server.rows(f"SELECT toInt64(order_id % {PARTITIONS}) AS p, max(order_id) FROM {self.table} "
                                  f"WHERE order_id > {min(newest)} GROUP BY p")
        now = time.time()
        for partition, order_id in answer:
            if order_id > newest[partition]:
                self.seen[partition].append((order_id, now))


def delays_ms(server, table, seen):
    """Of every row of the table."""
    import numpy
    rows = json.loads(server.query(
        f"SELECT groupArray(order_id), groupArray(toUnixTimestamp64Micro(sent_at)) FROM "
        f"(SELECT order_id, sent_at FROM {table} ORDER BY order_id) FORMAT JSONCompact",
        output_format_json_quote_64bit_integers=0))["data"][0]
    order_ids, sent_us = (numpy.array(column, dtype=numpy.int64) for column in rows)
    delays = []
    for partition in range(PARTITIONS):
        mine = order_ids % PARTITIONS == partition
        ids = numpy.array([order_id for order_id, _ in seen[partition]], dtype=numpy.int64)
        at = numpy.array([when for _, when in seen[partition]])
        first = numpy.searchsorted(ids, order_ids[mine], side="left")
        delays.append(at[first] * 1e3 - sent_us[mine] / 1e3)
    return numpy.concatenate(delays)


def run_once(options, folder, kafka, server, name, count, rate, interval):
    """(messages/s until all is visible, delays in ms)."""
    topic = f"FRESH_{name}"
    kafka.create_topic(topic, PARTITIONS)
    sink = (f"'connector'='clickhouse', 'url'='{server.url}', 'table'='fresh_{name}', 'order-by'='order_id'"
            + (f", 'commit-interval'='{interval}'" if interval else ""))
    query = QUERY.replace(" country", " sent_at, country")
    file = weir_file(f"{folder}/{name}", kafka.bootstrap, topic, sink, query=query)
    with open(f"{folder}/{name}.log", "w", encoding="utf-8") as log:
        weir = subprocess.Popen([options.weir, "run", "--progress", "none", file], stdout=log, stderr=log)
    try:
        wait_for_table(server, f"fresh_{name}", weir, f"{folder}/{name}.log")
        with Poller(server, f"fresh_{name}") as poller:
            started = time.monotonic()
            made = produce(options.tools, kafka.bootstrap, topic, count, *(("--rate", rate) if rate else ()))
            produced_s = time.monotonic() - started
            rows = sums_of(made["kept"])[0]
            deadline = time.monotonic() + 120
            while server.value(f"SELECT count() FROM fresh_{name}") < rows:
                if poller.failure or weir.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name}: not all rows came: {poller.failure}\n"
                                     + pathlib.Path(f"{folder}/{name}.log").read_text("utf-8")[-2000:])
                time.sleep(0.01)
            took_s = time.monotonic() - started
            time.sleep(0.1)  # for the poller's last look
    finally:
        weir.send_signal(signal.SIGTERM)
        weir.wait(60)
    if poller.failure:
        raise poller.failure
    if not agree(name, clickhouse_sums(server, f"fresh_{name}"), sums_of(made["kept"])):
        raise SystemExit(1)
    delays = delays_ms(server, f"fresh_{name}", poller.seen)
    server.query(f"DROP TABLE fresh_{name} SYNC")
    kafka.delete_topic(topic)
    return count / took_s, count / produced_s, delays


def bare_delays(options, kafka, rate):
    """What producer and broker alone take: a consumer that only looks at the stamps."""
    kafka.create_topic("FLOOR", PARTITIONS)
    count = int(rate * options.seconds)
    with subprocess.Popen([f"{options.tools}/kafka_bare", kafka.bootstrap, "FLOOR", str(count), "--delays",
                           *SAME_SETTINGS], stdout=subprocess.PIPE, text=True) as consumer:
        time.sleep(0.5)
        produce(options.tools, kafka.bootstrap, "FLOOR", count, "--rate", rate)
        found = json.loads(consumer.communicate(timeout=60)[0])
    kafka.delete_topic("FLOOR")
    return found


def wait_for_table(server, table, weir, log):
    deadline = time.monotonic() + 30
    while not server.value(f"SELECT count() FROM system.tables WHERE database = 'default' AND name = '{table}'"):
        if weir.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"weir made no table:\n{pathlib.Path(log).read_text('utf-8')[-2000:]}")
        time.sleep(0.05)
    time.sleep(1)  # partitions are being opened


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default=str(ROOT / "build" / "weir"))
    parser.add_argument("--tools", default=str(ROOT / "build"), help="folder of kafka_produce")
    parser.add_argument("--events", type=int, default=1_500_000, help="for the maximum rate")
    parser.add_argument("--seconds", type=float, default=15, help="of each run at half load")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rate", type=float, help="messages/s instead of half of the measured maximum")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.events, options.seconds, options.repeats = 50_000, 2, 1
    import numpy
    from servers import ClickHouseFront
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, broker() as kafka, ClickHouseFront() as server:
        print("== Freshness: event made -> row visible in ClickHouse, Kafka in between, all on one machine of "
              f"{os.cpu_count()} cores")
        rate = options.rate
        if rate is None:
            most, _, _ = run_once(options, folder, kafka, server, "most", options.events, None, None)
            rate = math.floor(most / 2)
            print(f"maximum {most:,.0f} messages/s, half of it {rate:,} messages/s", flush=True)
        floor = bare_delays(options, kafka, rate)
        print(f"the same messages reach a bare librdkafka consumer, alone, in p50 {floor['p50_ms']:.0f} ms  p99 "
              f"{floor['p99_ms']:.0f} ms", flush=True)
        for name, interval, target in (("default", None, 1200), ("fast", "50 ms", 150)):
            results = []
            for i in range(options.repeats):
                _, sent_rate, delays = run_once(options, folder, kafka, server, f"{name}{i}",
                                                int(rate * options.seconds), rate, interval)
                results.append((*numpy.percentile(delays, [50, 99]), delays.max(), sent_rate))
            p50, p99, worst, sent_rate = (float(numpy.median(column)) for column in zip(*results))
            shown = interval or "1 s, the default"
            print(f"commit-interval {shown:16}  p50 {p50:7.0f} ms  p99 {p99:7.0f} ms  longest {worst:7.0f} ms  at "
                  f"{sent_rate:,.0f} messages/s (target p99 {target} ms; p99 of each run: "
                  f"{', '.join(f'{result[1]:.0f}' for result in results)})", flush=True)


if __name__ == "__main__":
    main()
