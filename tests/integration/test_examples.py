"""Every folder of examples/ does what its README says: checked, and run against the real servers."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from case import column, publish, rows, stored

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
# nexmark holds a file for each query: test_nexmark.py
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "nexmark")


def test_there_are_only_folders_with_a_pipeline_and_a_readme():
    assert [path.name for path in EXAMPLES.iterdir() if not path.is_dir()] == []
    for name in FOLDERS:
        assert len(list((EXAMPLES / name).glob("*.sql"))) == 1, name


@pytest.mark.parametrize("name", FOLDERS)
def test_a_readme_has_five_lines_and_the_file_is_accepted(weir, name):
    (file,) = (EXAMPLES / name).glob("*.sql")
    readme = (EXAMPLES / name / "README.md").read_text()
    assert len(readme.splitlines()) == 5 and readme.startswith("# ")
    commands = re.findall(r"`weir [^`]+`", readme)
    assert commands and all(file.name in command or command.startswith("`weir serve ") for command in commands)
    weir.run(["check", file.name], cwd=EXAMPLES / name)


class Example:
    """A copy of one folder whose addresses are those of the test servers."""

    def __init__(self, weir, folder, name):
        self.weir, self.folder = weir, folder / name
        shutil.copytree(EXAMPLES / name, self.folder)
        (self.file,) = self.folder.glob("*.sql")
        self.name = self.file.stem
        events = self.folder / "events.ndjson"
        self.events = events.read_bytes().splitlines() if events.exists() else []

    def replace(self, **words):
        """old text -> new text; each must be there."""
        text = self.file.read_text()
        for old, new in words.values():
            assert old in text, old
            text = text.replace(old, new)
        self.file.write_text(text)

    def once(self):
        self.weir.run(["check", "--connect", self.file.name], cwd=self.folder)
        done = self.weir.run(["run", self.file.name, "--once", "--progress", "none"], cwd=self.folder)
        self.weir.run(["run", self.file.name, "--once", "--progress", "none"], cwd=self.folder)  # and nothing twice
        return done

    def lake(self, table="orders", name="order_id"):
        return sorted(column(self.folder / "weir-data" / "lake" / table, name))

    def errors(self, source="orders"):
        return sorted((row["code"], row["field"]) for row in
                      rows(self.folder / "weir-data" / "errors" / self.name / source))


@pytest.fixture
def example(weir, tmp_path):
    return lambda name: Example(weir, tmp_path, name)


@pytest.fixture
def on_kafka(example, kafka, topic):
    def make(name):
        made = example(name)
        made.replace(topic=("'topic'     = 'orders'", f"'topic' = '{topic}'"),
                     server=("localhost:9092", kafka.bootstrap))
        kafka.create_topic(topic, partitions=2)
        kafka.produce(topic, made.events)
        return made
    return make


@pytest.fixture
def on_nats(example, shared_nats, topic):
    def make(name):
        made = example(name)
        made.replace(stream=("'ORDERS'", f"'{topic}'"), server=("nats://localhost:4222", shared_nats.url))
        publish(shared_nats.url, topic, made.events)
        return made
    return make


WRONG = [("wrong_type", "/amount")]


def test_kafka_to_lake(on_kafka, topic):
    case = on_kafka("kafka-to-lake")
    case.replace(group=("'weir-orders'", f"'{topic}'"))
    case.once()
    assert case.lake() == [1, 2, 4, 5] and case.errors() == WRONG


def test_kafka_to_clickhouse(on_kafka, clickhouse, database):
    case = on_kafka("kafka-to-clickhouse")
    case.replace(url=("http://localhost:8123", clickhouse.url), database=("'shop'", f"'{database}'"))
    case.once()
    found = clickhouse.rows(f"SELECT order_id, toString(amount) FROM {database}.orders ORDER BY order_id")
    assert found == [(1, "12.5"), (2, "8"), (4, "7.25"), (5, "3.99")] and case.errors() == WRONG
    made = clickhouse.value(f"SHOW CREATE TABLE {database}.orders")
    assert "toYYYYMM(placed_at)" in made and "(customer, placed_at)" in made and "LowCardinality(String)" in made


def test_nats_to_clickhouse(on_nats, clickhouse, database):
    case = on_nats("nats-to-clickhouse")
    case.replace(url=("http://localhost:8123", clickhouse.url),
                 table=("'table'           = 'orders'", f"'database' = '{database}', 'table' = 'orders'"))
    case.once()
    found = clickhouse.rows(f"SELECT order_id, customer FROM {database}.orders ORDER BY order_id")
    assert found == [(1, "ADA"), (2, "BELA"), (5, "BELA")] and case.errors() == WRONG


def test_one_stream_two_sinks(on_nats, clickhouse, database):
    case = on_nats("one-stream-two-sinks")
    case.replace(url=("http://localhost:8123", clickhouse.url),
                 table=("'table' = 'orders'", f"'database' = '{database}', 'table' = 'orders'"))
    case.once()
    found = clickhouse.rows(f"SELECT order_id FROM {database}.orders ORDER BY order_id")
    assert [row[0] for row in found] == case.lake() == [1, 2, 4, 5] and case.errors() == WRONG


def test_many_tables(on_kafka, clickhouse, database):
    case = on_kafka("many-tables")
    case.replace(url=("http://localhost:8123", clickhouse.url),
                 table=("'table'      = 'orders_", f"'database' = '{database}', 'table' = 'orders_"))
    case.once()
    assert clickhouse.rows(f"SELECT order_id FROM {database}.orders_ada ORDER BY order_id") == [(1,), (4,)]
    assert clickhouse.rows(f"SELECT order_id FROM {database}.orders_bela ORDER BY order_id") == [(2,), (5,)]
    assert clickhouse.value(f"SELECT count() FROM system.tables WHERE database = '{database}'") == 2


def test_kafka_to_kafka(on_kafka, kafka, topic):
    kafka.create_topic(f"{topic}-new")
    case = on_kafka("kafka-to-kafka")
    case.replace(topic=("'new-orders'", f"'{topic}-new'"))
    case.once()
    found = sorted((message.key(), json.loads(message.value())["order_id"]) for message in kafka.read(f"{topic}-new"))
    assert found == [(b"ada", 1), (b"bela", 5)] and case.errors() == WRONG


def test_nats_to_nats(on_nats, shared_nats, topic):
    publish(shared_nats.url, f"{topic}-new", [])
    case = on_nats("nats-to-nats")
    case.replace(stream=("'NEW_ORDERS'", f"'{topic}-new'"), subject=("'new-orders.'", f"'{topic}-new.'"))
    case.once()
    found = [(subject, json.loads(payload)["order_id"]) for subject, payload, _ in
             stored(shared_nats.url, f"{topic}-new")]
    assert found == [(f"{topic}-new.ada", 1), (f"{topic}-new.bela", 5)] and case.errors() == WRONG


def test_nats_to_lake(on_nats, topic):
    case = on_nats("nats-to-lake")
    case.replace(subject=("'orders.>'", f"'{topic}.>'"))
    case.once()
    assert case.lake() == [1, 2, 4, 5] and case.errors() == WRONG


def test_http_to_lake(example):
    case = example("http-to-lake")
    config = case.folder / "weir.toml"
    config.write_text(config.read_text().replace("127.0.0.1:7080", "127.0.0.1:0"))
    serve = case.weir.start(["serve", "--config", config], cwd=case.folder, stderr=subprocess.DEVNULL)
    try:
        url = serve.stdout.readline().split()[-1]
        for repeated in (False, True):
            done = subprocess.run(["curl", "--silent", "--data-binary", "@events.ndjson", "-H",
                                   "Content-Type: application/x-ndjson", "-H", "Idempotency-Key: 1",
                                   f"{url}/v1/events/orders"], cwd=case.folder, capture_output=True, check=True)
            answer = json.loads(done.stdout)
            assert (answer["events"], answer["repeated"]) == (5, repeated), answer
        case.once()
        assert case.lake() == [1, 2, 4, 5] and case.errors() == WRONG
        serve.terminate()
        assert serve.wait(30) == 0
    finally:
        if serve.poll() is None:
            serve.kill()
            serve.wait()
        serve.stdout.close()


def test_files_to_lake(example):
    case = example("files-to-lake")
    case.once()
    assert case.lake("visits", "visit_id") == [1, 2]
    assert case.lake("items", "sku") == ["a-1", "a-1", "b-2"]
    assert [code for code, _ in case.errors("visits")] == ["check_failed"]


def test_generator_to_lake(example):
    case = example("generator-to-lake")
    case.replace(rows=("'1000000'", "'20000'"))
    case.once()
    lake, errors = case.lake("readings", "reading_id"), case.errors("readings")
    assert len(set(lake)) == len(lake) and len(lake) + len(errors) == 20000 and errors
