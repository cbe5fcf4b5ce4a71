"""`weir init`: a typed pipeline from a sample, which check passes and run --once runs; nothing is left behind."""

import gzip
import json

import pytest
from case import publish, with_jetstream
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from edge import Edge
from proto import proto_classes
from servers import NatsServer

COUNT = 60


def order(number, **fields):
    return json.dumps({"order_id": number, "customer": {"name": f"n{number}", "country": "DE"},
                       "amount": number + 0.25, "placed_at": f"2026-11-21T10:00:{number % 60:02d}.5Z",
                       "tags": ["a", "b"][:number % 3], "select": number % 2 == 0,
                       **({"coupon": "c"} if number % 10 == 0 else {}), **fields}).encode()


ORDERS = [order(number) for number in range(1, COUNT + 1)]
TYPES = ["order_id  BIGINT NOT NULL", "ROW<name STRING NOT NULL, country STRING NOT NULL> NOT NULL",
         "DECIMAL(12, 2) NOT NULL", "TIMESTAMP(3) NOT NULL", "ARRAY<STRING> NOT NULL", "`select`  BOOLEAN NOT NULL",
         "null or missing in 54 of 60"]


class Made:
    """The file that init wrote, checked and run."""

    def __init__(self, weir, folder):
        self.weir, self.folder = weir, folder

    def init(self, *arguments, out="made.sql", expect=0, env=None):
        done = self.weir.run(["init", *arguments, "--out", out], cwd=self.folder, expect=expect, env=env)
        self.said = done.stderr
        self.text = (self.folder / out).read_text() if expect == 0 else ""
        return self

    def run(self, *expected, env=None, rows=COUNT, errors=0):
        for words in expected:
            assert words in self.text
        assert "made.sql: ok" in self.weir.run(["check", "made.sql"], cwd=self.folder, env=env).stdout
        done = self.weir.run(["run", "made.sql", "--once", "--progress", "none"], cwd=self.folder, env=env)
        assert f"rows={rows} errors={errors} " in done.stderr, done.stderr
        return self


@pytest.fixture
def made(weir, tmp_path):
    return Made(weir, tmp_path)


def consumers(url, stream):
    async def count(js):
        return (await js.stream_info(stream)).state.consumer_count
    return with_jetstream(url, count)


@pytest.mark.parametrize("retention", ["limits", "workqueue", "interest"])
def test_nats(made, case, shared_nats, retention):
    if retention == "interest":  # without a consumer such a stream holds nothing
        async def make(js):
            await js.add_stream(name=case.stream, subjects=[f"{case.stream}.>"], retention="interest")
            await js.add_consumer(case.stream, durable_name="someone", ack_policy="explicit")
        with_jetstream(shared_nats.url, make)
        before = 1
    else:
        before = 0
    publish(shared_nats.url, case.stream, ORDERS, config={"retention": retention})
    made.init("--nats", shared_nats.url, "--stream", case.stream)
    assert consumers(shared_nats.url, case.stream) == before

    async def held(js):
        return (await js.stream_info(case.stream)).state.messages
    assert with_jetstream(shared_nats.url, held) == COUNT, "nothing was acknowledged"
    if retention == "limits":
        made.run(*TYPES, f"Written by `weir init` from {COUNT} events (json)", ", all that it holds.")


def test_nats_with_a_password_never_writes_it(made, case, tmp_path):
    with NatsServer(tmp_path / "nats", user="ada", password="s3cret") as server:
        publish(server.url, case.stream, ORDERS, user="ada", password="s3cret")
        made.init("--nats", server.url_with_credentials, "--stream", case.stream)
        assert "s3cret" not in made.text + made.said and "${env:NATS_PASSWORD}" in made.text
        assert "set NATS_USER, NATS_PASSWORD" in made.text
        made.run(*TYPES, env={"NATS_USER": "ada", "NATS_PASSWORD": "s3cret"})
        made.init("--nats", server.url, "--stream", case.stream, "--option", "username=ada",
                  "--option", "password=s3cret", "--force", expect=2)
        assert "write a secret as ${env:NAME}" in made.said and "s3cret" not in made.said
        made.init("--nats", server.url, "--stream", case.stream, "--option", "username=ada",
                  "--option", "password=${env:WORD}", "--force", env={"WORD": "s3cret"})
        assert "'${env:WORD}'" in made.text and "s3cret" not in made.text


def test_kafka(made, kafka, topic):
    kafka.create_topic(topic, partitions=3)
    kafka.produce(topic, ORDERS)
    made.init("--kafka", kafka.bootstrap, "--topic", topic)
    made.run(*TYPES)
    few = Made(made.weir, made.folder)
    few.init("--kafka", kafka.bootstrap, "--topic", topic, "--samples", "9", out="few.sql")
    assert "from 9 events (json)" in few.text and "all that it holds" not in few.text


def test_http(made, weir, tmp_path):
    with Edge(weir, tmp_path / "edge", config='[[stream]]\nname = "orders"\n') as edge:
        status, answer = edge.post("orders", b"\n".join(ORDERS), "application/x-ndjson")
        assert status == 200, answer
        made.init("--http", "orders", "--data", str(edge.folder / "data"))
    made.run(*TYPES, "'connector' = 'http'")
    made.init("--http", "nope", "--data", str(edge.folder / "data"), "--force", expect=3)


def test_the_columns_of_framed_events_come_from_the_registry(made, weir, tmp_path, case, shared_nats):
    as_avro = json.dumps({"type": "record", "name": "Order", "fields": [
        {"name": "order_id", "type": "long"}, {"name": "note", "type": ["null", "string"], "default": None}]})
    as_json = json.dumps({"type": "object", "title": "Order", "required": ["order_id"], "properties": {
        "order_id": {"type": "integer"}, "note": {"type": ["string", "null"]}}})
    with Edge(weir, tmp_path / "edge") as edge:
        url = edge.url + "/registry"
        client = SchemaRegistryClient({"url": url})
        for stream, format, serialize in (
                (case.stream, "avro", AvroSerializer(client, as_avro)),
                (f"{case.stream}-json", "json", JSONSerializer(as_json, client))):
            context = SerializationContext(stream, MessageField.VALUE)
            publish(shared_nats.url, stream,
                    [serialize({"order_id": n, "note": None}, context) for n in range(COUNT)])
            where = ("--nats", shared_nats.url, "--stream", stream)
            made.init(*where, "--force", expect=2)
            assert "give --registry" in made.said
            made.init(*where, "--force", "--registry", url)
            assert f"CREATE TABLE {stream.lower().replace('-', '_')} WITH (" in made.text
            made.run(f"'{format}.framing'", "'confluent'", "The columns are those of the schema")
        made.init(*where, "--registry", "http://127.0.0.1:1", "--force", expect=3)


def test_the_message_of_protobuf_events_is_named(made, weir, tmp_path, case, shared_nats):
    text = ('syntax = "proto3"; package shop; message Item { string sku = 1; } '
            'message Order { int64 order_id = 1; repeated Item items = 2; }')
    message = proto_classes(tmp_path / "proto", order=text)["shop.Order"]
    with Edge(weir, tmp_path / "edge") as edge:
        url = edge.url + "/registry"
        serialize = ProtobufSerializer(message, SchemaRegistryClient({"url": url}))
        context = SerializationContext(case.stream, MessageField.VALUE)
        publish(shared_nats.url, case.stream, [serialize(message(order_id=n), context) for n in range(COUNT)])
        made.init("--nats", shared_nats.url, "--stream", case.stream, "--registry", url)
        made.run("'protobuf.message'", "'shop.Order'")


def test_what_is_empty_missing_or_away_is_said(made, kafka, topic, shared_nats, case):
    kafka.create_topic(topic)
    made.init("--kafka", kafka.bootstrap, "--topic", topic, expect=3)
    assert f"topic '{topic}'" in made.said and "holds no events" in made.said
    publish(shared_nats.url, case.stream, [])
    made.init("--nats", shared_nats.url, "--stream", case.stream, expect=3)
    assert "holds no events" in made.said
    made.init("--nats", shared_nats.url, "--stream", "NOPE", expect=3)
    assert "stream 'NOPE' does not exist" in made.said
    made.init("--nats", "nats://127.0.0.1:1", "--stream", "S", expect=3)
    made.init("--file", "nothing.json", expect=3)
    made.init(expect=2)
    assert "one of --nats, --kafka, --http and --file" in made.said
    made.init("--nats", "nats://127.0.0.1:1", expect=2)
    assert "--stream" in made.said
    assert list(made.folder.glob("*.sql")) == []


def test_a_csv_file_compressed(made):
    with gzip.open(made.folder / "visits.csv.gz", "wt") as out:
        out.write("visit id;zip;amount;at;note\n")
        for number in range(COUNT):
            note = '"a;b"' if number % 5 == 0 else ""
            out.write(f"{number};0{number:04d};{number}.5;2026-11-21 10:00:{number % 60:02d};{note}\n")
        out.write("too;few\n")
    made.init("--file", "visits.csv.gz")
    made.run("`visit id` BIGINT NOT NULL", "zip        STRING NOT NULL", "'csv.header'    = 'first'",
             "'csv.delimiter' = ';'", "`visit id` AS visit_id", "empty in 48 of 60", "1 of the sample would go",
             errors=1)
    found = made.weir.run(["sql", "-f", "made.sql", "--format", "json",
                           "SELECT visit_id, zip, note FROM visits_lake WHERE visit_id = 5"], cwd=made.folder)
    assert json.loads(found.stdout) == {"visit_id": 5, "zip": "00005", "note": "a;b"}


def test_mixed_and_bad_events_are_told_not_fatal(made):
    lines = [order(n, mixed=n if n % 2 else "text", **{"strange `name`": 1}) for n in range(1, COUNT + 1)]
    (made.folder / "in.ndjson").write_bytes(b"\n".join(lines + [b"{", b"[1]"]) + b"\n")
    made.init("--file", "in.ndjson", "--name", "Shop-Orders").run(
        "SET 'pipeline.name' = 'shop_orders'", "mixed: 30 strings, 30 numbers",
        "'json.allow-numbers-as-strings' = 'true'",
        "`strange ``name```", "AS strange_name", "2 of the sample would go to the error lake", errors=2)


def test_events_that_are_not_json_at_all(made):
    (made.folder / "in.log").write_text("hello\nworld\n")
    made.init("--file", "in.log", expect=2)
    assert "none of 2 events is a JSON object" in made.said


def test_a_file_is_not_written_over(made):
    (made.folder / "in.ndjson").write_bytes(b"\n".join(ORDERS))
    made.init("--file", "in.ndjson")
    first = made.text
    (made.folder / "made.sql").write_text("mine")
    made.init("--file", "in.ndjson", expect=2)
    assert "there already" in made.said and (made.folder / "made.sql").read_text() == "mine"
    assert made.init("--file", "in.ndjson", "--force").text == first
    out = made.weir.run(["init", "--file", "in.ndjson", "--out", "-"], cwd=made.folder).stdout
    assert out == first


def test_into_clickhouse(made, clickhouse, database):
    (made.folder / "in.ndjson").write_bytes(b"\n".join(
        json.dumps({"id": n, "name": f"n{n}"}).encode() for n in range(COUNT)))
    made.init("--file", "in.ndjson", "--to", f"clickhouse:{clickhouse.url}", "--name", f"events_{database}")
    made.run(f"'table'     = 'events_{database}'")
    assert clickhouse.value(f"SELECT count() FROM default.events_{database}") == COUNT
    made.init("--file", "in.ndjson", "--to", "nowhere:x", "--force", expect=2)
    assert "delta:PATH or clickhouse:URL" in made.said


def test_a_check_that_fails_writes_nothing(made):
    (made.folder / "in.ndjson").write_bytes(b"\n".join(ORDERS))
    made.init("--file", "in.ndjson", "--to", "clickhouse:", expect=2)
    made.init("--file", "in.ndjson", "--option", "no-such-option=1", expect=2)
    assert "no-such-option" in made.said and not (made.folder / "made.sql").exists()
