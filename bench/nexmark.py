"""Nexmark: the queries of examples/nexmark in Weir, Flink and LaminarDB, with equal events, in one run.

Two inputs: each engine's own generator in its process (Flink's is a port of ours, event for event), and the same events
as JSON in a Kafka topic. The output goes into a blackhole. Figures are events per CPU-second (user and system, all
threads) and wall seconds, medians of the runs, after the cost of a run over one event was taken off: Weir's process
start, Flink's planning and job start. Flink stays warm in one JVM, so that neither its start nor its JIT's is counted
after the first run of a query; its state is on the heap, objects are reused, mini-batch is on. Before the clock runs,
each query's rows over fewer events are compared: their number and a hash without order. No ratio without equal rows.
"""

import argparse
import contextlib
import decimal
import hashlib
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from pipelines import ROOT, measure

sys.path.insert(0, str(ROOT / "examples" / "nexmark"))
import swap  # noqa: E402

CACHE = pathlib.Path(os.environ.get("WEIR_CACHE") or pathlib.Path.home() / ".cache" / "weir")
QUERIES = ("q0", "q1", "q2", "q3", "q5", "q7", "q8", "q11", "q12", "q14", "q20", "q21", "q22")
# Windows of the machine's clock: no two runs have equal rows.
BY_THE_CLOCK = ("q12",)


class Failed(Exception):
    """An engine could not run a query; the words say why."""


def query_text(query):
    return (ROOT / "examples" / "nexmark" / f"{query}.sql").read_text(encoding="utf-8")


def digest(lines):
    """Rows, and a hash of them that no order changes, of JSON objects with one spelling for each value."""
    count, total = 0, 0
    for line in lines:
        if not line.strip():
            continue
        row = json.loads(line, parse_float=decimal.Decimal)
        words = json.dumps([[name, spelling(value)] for name, value in sorted(row.items())])
        total += int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big")
        count += 1
    return count, total % 2**64


def spelling(value):
    if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool):
        return str(decimal.Decimal(value).normalize())
    if isinstance(value, str) and len(value) > 18 and value[4] == value[7] == "-" and value[10] in "T ":
        whole, _, fraction = value.replace(" ", "T").rstrip("Z").partition(".")
        return whole + "." + fraction.ljust(9, "0")
    return value


class Weir:
    name = "weir"

    def __init__(self, binary, folder):
        self.binary, self.folder, self.runs = binary, folder, 0

    def source(self, events, kafka):
        if kafka is None:
            return swap.GENERATOR | {"rows": str(events)}
        return {"connector": "kafka", "properties.bootstrap.servers": kafka, "topic": topic_of(events),
                "scan.startup.mode": "earliest-offset", "scan.bounded.mode": "latest-offset", "format": "json"}

    def file(self, query, events, kafka, sink):
        self.runs += 1
        place = f"{self.folder}/weir-{self.runs}"
        os.makedirs(place)
        path = pathlib.Path(f"{place}/{query}.sql")
        path.write_text(f"SET 'state.path' = '{place}/state';\nSET 'error-lake.path' = '{place}/errors';\n"
                        + swap.swap(query_text(query), self.source(events, kafka), {"connector": sink}),
                        encoding="utf-8")
        return path

    def run(self, query, events, kafka, sink="blackhole"):
        file = self.file(query, events, kafka, sink)
        try:
            return measure([self.binary, "run", "--once", "--progress", "none", str(file)])
        except SystemExit as error:
            raise Failed(str(error)) from None
        finally:
            shutil.rmtree(file.parent, ignore_errors=True)

    def digest(self, query, events, kafka):
        return digest(self.run(query, events, kafka, "print")["stdout"].splitlines())


class Flink:
    name = "flink"
    SETTINGS = {"state.backend.type": "hashmap", "pipeline.object-reuse": "true",
                "table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "2s",
                "table.exec.mini-batch.size": "50000", "table.optimizer.distinct-agg.split.enabled": "true",
                "taskmanager.memory.network.min": "256mb", "taskmanager.memory.network.max": "256mb",
                "taskmanager.memory.managed.size": "256mb", "taskmanager.numberOfTaskSlots": "8"}

    def __init__(self, folder, parallelism):
        self.folder, self.runs = folder, 0
        classes = f"{folder}/flink-classes"
        source = ROOT / "bench" / "peers" / "flink"
        shutil.copytree(source / "META-INF", f"{classes}/META-INF")
        subprocess.run(["javac", "-nowarn", "-Xlint:none", "-d", classes, "-cp", f"{CACHE}/flink/*",
                        *map(str, source.glob("*.java"))], check=True, stderr=subprocess.DEVNULL)
        os.makedirs(f"{folder}/flink-tmp")
        settings = self.SETTINGS | {"parallelism.default": parallelism, "io.tmp.dirs": f"{folder}/flink-tmp"}
        self.log = open(f"{folder}/flink.log", "w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            ["java", "-Xmx3g", "-Xms1g", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
             f"-Djava.io.tmpdir={folder}/flink-tmp", "-cp", f"{classes}:{CACHE}/flink/*", "FlinkRun",
             *(f"{name}={value}" for name, value in settings.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def source(self, events, kafka):
        if kafka is None:
            return {"connector": "nexmark", "rows": str(events)}
        return {"connector": "kafka", "properties.bootstrap.servers": kafka, "topic": topic_of(events),
                "scan.startup.mode": "earliest-offset", "scan.bounded.mode": "latest-offset", "format": "json",
                "json.timestamp-format.standard": "ISO-8601"}

    def run(self, query, events, kafka, sink=None):
        self.runs += 1
        text = "".join(line for line in query_text(query).splitlines(keepends=True) if not line.startswith("SET "))
        path = pathlib.Path(f"{self.folder}/flink-{self.runs}.sql")
        path.write_text(swap.swap(text, self.source(events, kafka), sink or {"connector": "blackhole"}),
                        encoding="utf-8")
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            self.log.seek(0)
            causes = [line for line in self.log.read().splitlines() if line.startswith("Caused by")]
            raise SystemExit(f"Flink could not run {query}: {causes[-1] if causes else 'see its log'}")
        return json.loads(answer)

    def digest(self, query, events, kafka):
        place = f"{self.folder}/flink-rows-{self.runs}"
        self.run(query, events, kafka, {"connector": "filesystem", "path": place, "format": "json",
                                        "json.timestamp-format.standard": "ISO-8601",
                                        "json.encode.decimal-as-plain-number": "true"})
        lines = (line for part in sorted(pathlib.Path(place).glob("part-*"))
                 for line in part.read_text(encoding="utf-8").splitlines())
        found = digest(lines)
        shutil.rmtree(place, ignore_errors=True)
        return found

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


class LaminarDb:
    """Out of Kafka only, and from flat bids: its JSON source knows no ROW. Its rows go to a subscription in Python."""

    name = "laminardb"

    def __init__(self, python):
        import pyarrow  # its own environment has none, and its rows come through it
        self.python = python
        self.environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(pyarrow.__file__).parent.parent)}

    def run(self, query, events, kafka, *more):
        script = ROOT / "bench" / "peers" / "laminardb_nexmark.py"
        try:
            found = measure([self.python, str(script), kafka, topic_of(events, True), str(events), query, *more],
                            env=self.environment)
        except SystemExit as error:
            raise Failed(str(error)) from None
        said = json.loads(found["stdout"].splitlines()[-1])
        return found | {"wall": said["seconds"]}

    def digest(self, query, events, kafka):
        return digest(self.run(query, events, kafka, "--rows")["stdout"].splitlines()[:-1])


def topic_of(events, flat=False):
    return f"nexmark-{'flat-' if flat else ''}{events}"


def produce(tools, servers, events, flat):
    done = subprocess.run([f"{tools}/nexmark_produce", str(events), "kafka", servers, topic_of(events, flat), "--flat",
                           str(int(flat))], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def timed(engine, query, events, kafka, repeats):
    """Medians of {wall, cpu} with a run over one event taken off, and what was taken off."""
    if engine.name == "flink":  # its JIT sees the query first
        engine.run(query, max(events // 4, 1), kafka)
    starts = [engine.run(query, 1, kafka) for _ in range(repeats)]
    runs = [engine.run(query, events, kafka) for _ in range(repeats)]
    start, whole = ({part: statistics.median(run[part] for run in some) for part in ("wall", "cpu")}
                    for some in (starts, runs))
    return {part: max(whole[part] - start[part], 0.001) for part in ("wall", "cpu")} | {"start": start}


def why(error):
    return str(error).strip().splitlines()[-1][:200]


def compare(engines, query, events, kafka):
    """Of each engine but the first: "" when its rows are the first one's or cannot be compared, else words."""
    if query in BY_THE_CLOCK:
        return {engine.name: "" for engine in engines}
    verdicts, first = {}, None
    for engine in engines:
        try:
            count, total = engine.digest(query, events, kafka)
        except Failed as error:
            verdicts[engine.name] = f"{engine.name}'s rows were not seen: {why(error)}"
            continue
        first = first or (count, total)
        verdicts[engine.name] = "" if (count, total) == first else f"{engine.name} gives {count:,} other rows"
    return verdicts


def show(query, events, results, verdicts):
    """Prints a line; returns Flink's CPU-seconds and wall over Weir's, or None."""
    cells, ratio = [f"{query:4}"], None
    for name, result in results.items():
        cells.append(f"{name} {events / result['cpu']:>11,.0f} events/cpu-s {events / result['wall']:>11,.0f} events/s"
                     f" (start {result['start']['cpu']:.2f} cpu-s)")
        if name == "weir" or "weir" not in results:
            continue
        if verdicts[name]:
            cells.append(f"no ratio: {verdicts[name]}")
            continue
        found = tuple(result[part] / results["weir"][part] for part in ("cpu", "wall"))
        equal = "" if query in BY_THE_CLOCK else ", rows equal"
        cells.append(f"= {found[0]:.1f}x by cpu, {found[1]:.1f}x by wall{equal}")
        ratio = found if name == "flink" else ratio
    print("  ".join(cells), flush=True)
    return ratio


def bench(title, engines, queries, events, check_events, kafka, repeats):
    print(f"== Nexmark, {title}: {events:,} events", flush=True)
    ratios = {}
    for query in queries:
        results, running = {}, []
        for engine in engines:
            if engine.name == "laminardb" and kafka is None:
                continue
            try:
                results[engine.name] = timed(engine, query, events, kafka, repeats)
                running.append(engine)
            except Failed as error:
                print(f"{query:4}  {engine.name} does not run it: {why(error)}")
        if results:
            ratio = show(query, events, results, compare(running, query, check_events, kafka))
            if ratio is not None:
                ratios[query] = ratio
    if ratios:
        for index, what in enumerate(("CPU-second", "wall second")):
            mean = math.exp(statistics.mean(math.log(ratio[index]) for ratio in ratios.values()))
            print(f"  weir / flink, geometric mean of {len(ratios)} queries: {mean:.2f}x events per {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default=str(ROOT / "build" / "weir"))
    parser.add_argument("--tools", default=str(ROOT / "build"))
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--check-events", type=int, default=200_000, help="over which the rows are compared")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--engines", default="weir,flink,laminardb")
    parser.add_argument("--only", choices=["generator", "kafka"])
    parser.add_argument("--parallelism", type=int, default=1, help="Flink's")
    parser.add_argument("--quick", action="store_true", help="few events, once each: its figures say nothing")
    given = parser.parse_args()
    if given.quick:
        given.events, given.check_events, given.repeats = 100_000, 60_000, 1
    queries = given.queries.split(",")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-nexmark-"))
        engines = []
        if "weir" in given.engines:
            engines.append(Weir(given.weir, folder))
        if "flink" in given.engines:
            engines.append(stack.enter_context(contextlib.closing(Flink(folder, given.parallelism))))
        laminardb = CACHE / "peers" / "laminardb" / "bin" / "python"
        if "laminardb" in given.engines:
            if laminardb.exists():
                engines.append(LaminarDb(str(laminardb)))
            else:
                print("laminardb is not installed: left out (tools/setup bench installs it)")
        if given.only in (None, "generator"):
            bench("generator in, blackhole out", engines, queries, given.events, given.check_events, None,
                  given.repeats)
        if given.only in (None, "kafka"):
            sys.path.insert(0, str(ROOT / "tests"))
            from servers import KafkaServer
            server = stack.enter_context(KafkaServer())
            for events in sorted({1, max(given.events // 4, 1), given.check_events, given.events}):
                for flat in (True, False) if any(engine.name == "laminardb" for engine in engines) else (False,):
                    server.create_topic(topic_of(events, flat), partitions=1)
                    said = produce(given.tools, server.bootstrap, events, flat)
            print(f"Kafka: {said['events']:,} events, {said['bytes'] / 1e6:.0f} MB of JSON, one partition")
            bench("Kafka JSON in, blackhole out", engines, queries, given.events, given.check_events,
                  server.bootstrap, given.repeats)


if __name__ == "__main__":
    main()
