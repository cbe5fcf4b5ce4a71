"""The registry of `weir serve`, driven by Confluent's own client and serializers; and schemas from it in pipelines."""

import json
import time
import urllib.error
import urllib.request

import pytest
from case import column, rows
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from edge import Edge
from proto import proto_classes


def avro(*fields, name="Order"):
    return json.dumps({"type": "record", "name": name, "namespace": "shop", "fields": list(fields)})


ID = {"name": "id", "type": "long"}
NOTE = {"name": "note", "type": ["null", "string"], "default": None}
NOTE_NEEDED = {"name": "note", "type": "string"}


@pytest.fixture
def serve(weir, tmp_path):
    with Edge(weir, tmp_path / "edge") as edge:
        yield edge


@pytest.fixture
def registry(serve):
    return client(serve)


def client(edge, **conf):
    return SchemaRegistryClient({"url": edge.url + "/registry", "max.retries": 0, **conf})


def value(topic):
    return SerializationContext(topic, MessageField.VALUE)


def refused(call, status, code):
    with pytest.raises(SchemaRegistryError) as error:
        call()
    assert (error.value.http_status_code, error.value.error_code) == (status, code)
    return error.value.error_message


# ---- the API --------------------------------------------------------------------------------------------------


def test_avro_serializer(registry):
    serialize = AvroSerializer(registry, avro(ID, NOTE))
    data = serialize({"id": 7, "note": "x"}, value("orders"))
    assert data[0] == 0
    assert registry.get_subjects() == ["orders-value"]
    assert AvroDeserializer(registry)(data, value("orders")) == {"id": 7, "note": "x"}
    # Another client knows nothing yet and finds the same id.
    registered = registry.get_latest_version("orders-value")
    assert (registered.version, registered.schema_id) == (1, int.from_bytes(data[1:5], "big"))
    assert registry.lookup_schema("orders-value", Schema(avro(ID, NOTE), "AVRO")).version == 1


def test_json_serializer(registry):
    schema = {"title": "Order", "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
              "additionalProperties": False}
    data = JSONSerializer(json.dumps(schema), registry)({"id": 7}, value("orders"))
    assert JSONDeserializer(None, schema_registry_client=registry)(data, value("orders")) == {"id": 7}
    assert registry.get_latest_version("orders-value").schema.schema_type == "JSON"
    wider = {**schema, "properties": {**schema["properties"], "note": {"type": "string"}}}
    assert registry.test_compatibility("orders-value", Schema(json.dumps(wider), "JSON"))
    assert not registry.test_compatibility("orders-value", Schema(json.dumps({"type": "string"}), "JSON"))


def test_protobuf_serializer_with_an_import(registry, tmp_path):
    classes = proto_classes(
        tmp_path / "proto",
        money='syntax = "proto3"; package shop; message Money { int64 cents = 1; }',
        order='syntax = "proto3"; package shop; import "money.proto"; import "google/protobuf/timestamp.proto";'
              ' message Order { int64 id = 1; Money price = 2; google.protobuf.Timestamp at = 3;'
              ' message Line { string text = 1; } repeated Line lines = 4; }')
    order = classes["shop.Order"](id=7, price=classes["shop.Money"](cents=995))
    order.at.FromSeconds(1_700_000_000)
    data = ProtobufSerializer(classes["shop.Order"], registry)(order, value("orders"))
    assert registry.get_subjects() == ["money.proto", "orders-value"]
    registered = registry.get_latest_version("orders-value")
    assert "message Order" in registered.schema.schema_str
    assert [(one.name, one.subject, one.version) for one in registered.schema.references] == [
        ("money.proto", "money.proto", 1)]
    back = ProtobufDeserializer(classes["shop.Order"], {}, registry)(data, value("orders"))
    assert back == order
    # A second producer, without the right to register, finds what the first one registered.
    again = ProtobufSerializer(classes["shop.Order"], registry, {"auto.register.schemas": False})
    assert again(order, value("orders")) == data
    message = refused(lambda: registry.delete_subject("money.proto"), 422, 42206)
    assert "references" in message.lower()


@pytest.mark.parametrize("level, first, then, taken", [
    ("NONE", avro(ID), '"string"', True),
    ("BACKWARD", avro(ID), avro(ID, NOTE), True),
    ("BACKWARD", avro(ID), avro(ID, NOTE_NEEDED), False),
    ("BACKWARD_TRANSITIVE", avro(ID, NOTE_NEEDED), avro(ID), True),
    ("FORWARD", avro(ID), avro(ID, NOTE_NEEDED), True),
    ("FORWARD", avro(ID, NOTE_NEEDED), avro(ID), False),
    ("FORWARD_TRANSITIVE", avro(ID, NOTE), avro(ID), True),
    ("FULL", avro(ID), avro(ID, NOTE), True),
    ("FULL", avro(ID), avro(ID, NOTE_NEEDED), False),
    ("FULL_TRANSITIVE", avro(ID, NOTE_NEEDED), avro(ID), False),
])
def test_levels(registry, level, first, then, taken):
    assert registry.set_compatibility("s", level)["compatibility"] == level
    assert registry.get_compatibility("s") == level
    registry.register_schema("s", Schema(first, "AVRO"))
    assert registry.test_compatibility("s", Schema(then, "AVRO")) == taken
    if taken:
        assert registry.register_schema("s", Schema(then, "AVRO")) == 2
        assert registry.get_versions("s") == [1, 2]
    else:
        assert "incompatible" in refused(lambda: registry.register_schema("s", Schema(then, "AVRO")), 409, 409)
        assert registry.get_versions("s") == [1]


def test_what_is_deleted_and_what_a_restart_keeps(serve, registry):
    registry.set_compatibility(level="FULL")
    assert registry.register_schema("a", Schema(avro(ID), "AVRO")) == 1
    assert registry.register_schema("a", Schema(avro(ID, NOTE), "AVRO")) == 2
    assert registry.delete_version("a", 2) == 2
    refused(lambda: registry.get_version("a", 2), 404, 40402)
    assert registry.get_version("a", 2, deleted=True).schema_id == 2
    fresh = client(serve)
    assert fresh.register_schema("a", Schema(avro(ID, NOTE), "AVRO")) == 2
    assert fresh.get_versions("a") == [1, 3]
    assert fresh.register_schema("b", Schema('{"$defs": {"größe": {}}}', "JSON")) == 3
    assert fresh.delete_subject("b") == [1]
    refused(lambda: fresh.delete_subject("b"), 404, 40404)
    serve.kill()  # kill -9: what was answered is durable
    serve.start()
    after = client(serve)
    assert after.get_subjects() == ["a"]
    assert after.get_subjects(deleted=True) == ["a", "b"]
    assert after.get_versions("a") == [1, 3]
    assert after.get_compatibility() == "FULL"
    assert after.get_schema(2).schema_str == json.dumps(json.loads(avro(ID, NOTE)), separators=(",", ":"))
    assert after.delete_subject("b", permanent=True) == [1]
    refused(lambda: after.get_schema(3), 404, 40403)
    assert after.register_schema("c", Schema('"string"', "AVRO")) == 4
    assert [(v.subject, v.version) for v in after.get_schema_versions(1)] == [("a", 1)]


def test_references_between_avro_subjects(registry):
    registry.register_schema("money", Schema(avro({"name": "cents", "type": "long"}, name="Money"), "AVRO"))
    order = Schema(avro(ID, {"name": "price", "type": "shop.Money"}), "AVRO",
                   [SchemaReference("shop.Money", "money", 1)])
    assert registry.register_schema("orders-value", order) == 2
    assert registry.get_referenced_by("money", 1) == [2]
    data = AvroSerializer(registry, order)({"id": 1, "price": {"cents": 5}}, value("orders"))
    assert AvroDeserializer(registry)(data, value("orders")) == {"id": 1, "price": {"cents": 5}}
    refused(lambda: registry.register_schema("x", Schema(order.schema_str, "AVRO")), 422, 42201)


def test_only_with_a_token(weir, tmp_path):
    with Edge(weir, tmp_path / "edge", server='tokens = "right-token"') as edge:
        refused(lambda: client(edge).get_subjects(), 401, 40101)
        wrong = {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.logical.cluster": "l",
                 "bearer.auth.identity.pool.id": "p", "bearer.auth.token": "wrong-token"}
        refused(lambda: client(edge, **wrong).get_subjects(), 401, 40101)
        assert client(edge, **{**wrong, "bearer.auth.token": "right-token"}).get_subjects() == []
        refused(lambda: client(edge, **{"basic.auth.user.info": "me:wrong-token"}).get_subjects(), 401, 40101)
        mine = client(edge, **{"basic.auth.user.info": "me:right-token"})
        assert mine.register_schema("s", Schema('"int"', "AVRO")) == 1


def test_path_tricks(serve, registry):
    for path in ("subjects/..%2f..%2fx/versions", "subjects/%2e%2e/versions", "subjects/a%2fb/versions",
                 "subjects/a%00b/versions", "subjects/%0a/versions", f"subjects/{'a' * 256}/versions",
                 "subjects/%ff/versions"):
        request = urllib.request.Request(f"{serve.url}/registry/{path}", b'{"schema":"\\"int\\""}',
                                         {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        with error.value:
            assert error.value.code in (400, 404, 422), path
    assert registry.get_subjects() == []
    assert registry.register_schema("größe & 'x' ?#", Schema('"int"', "AVRO")) == 1
    assert registry.get_subjects() == ["größe & 'x' ?#"]


# ---- pipelines ------------------------------------------------------------------------------------------------


class Topic:
    """Events into a Kafka topic, as Confluent's serializers make them."""

    def __init__(self, kafka, topic):
        self.kafka, self.topic = kafka, topic
        kafka.create_topic(topic)
        self.producer = Producer({"bootstrap.servers": kafka.bootstrap})

    def send(self, serialize, *events):
        for one in events:
            data = one if serialize is None else serialize(one, value(self.topic))
            self.producer.produce(self.topic, value=data)
        assert self.producer.flush(30) == 0


def pipeline(case, kafka, topic, serve, format_, more=""):
    """No column list: the columns are the schema's."""
    return case.write("p.sql", case.settings("p") + (
        f"CREATE TABLE events WITH ('connector'='kafka', 'topic'='{topic}', "
        f"'properties.bootstrap.servers'='{kafka.bootstrap}', 'scan.startup.mode'='earliest-offset', "
        f"'format'='{format_}', '{format_}.framing'='confluent', "
        f"'schema-registry.url'='{serve.url}/registry', 'schema-registry.latest-ttl'='100 ms', "
        f"'schema-registry.retries'='1'{more});\n"
        f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
        f"INSERT INTO lake SELECT * FROM events;\n"))


def test_avro_evolves_while_the_pipeline_runs(case, running, eventually, kafka, topic, serve, registry):
    events = Topic(kafka, topic)
    events.send(AvroSerializer(registry, avro(ID)), {"id": 1}, {"id": 2})
    running(pipeline(case, kafka, topic, serve, "avro"))
    eventually(lambda: case.ids() == [1, 2], 30, "the first version")

    # A new compatible version: its column appears by itself.
    events.send(AvroSerializer(registry, avro(ID, NOTE)), {"id": 3, "note": "new"}, {"id": 4, "note": None})
    eventually(lambda: case.ids() == [1, 2, 3, 4] and sorted(map(str, column(case.lake, "note"))) == [
        "None", "None", "None", "new"], 30, "the column of the second version")

    # Written by a schema that the table's cannot read, and by none at all: the error lake names both.
    registry.set_compatibility(f"{topic}-value", "NONE")
    strange = Schema('{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"}]}',
                     "AVRO")
    other = registry.register_schema("strange", strange)
    framed = b"\0" + other.to_bytes(4, "big")
    events.send(None, framed + b"\x02x", b"\0" + (9999).to_bytes(4, "big") + b"\x02")
    events.send(AvroSerializer(registry, avro(ID, NOTE)), {"id": 5, "note": "after"})
    eventually(lambda: 5 in case.ids(), 30, "what follows the errors")
    errors = {row["code"]: row["message"] for row in eventually(
        lambda: case.error_rows() if len(case.error_rows()) == 2 else None, 15, "two errors")}
    assert sorted(errors) == ["incompatible_schema", "unknown_schema"]
    assert "strange version 1" in errors["incompatible_schema"]
    assert f"{topic}-value version 2" in errors["incompatible_schema"]
    assert "9999" in errors["unknown_schema"]


def test_the_registry_goes_away(case, running, eventually, kafka, topic, serve, registry):
    events = Topic(kafka, topic)
    first = AvroSerializer(registry, avro(ID))
    second = AvroSerializer(registry, avro(ID, NOTE))
    events.send(first, {"id": 1})
    later = second({"id": 3, "note": "late"}, value("elsewhere"))  # an id that the pipeline does not know
    process = running(pipeline(case, kafka, topic, serve, "avro"))
    eventually(lambda: case.ids() == [1], 30, "the first event")
    serve.kill()
    events.send(first, {"id": 2})
    eventually(lambda: case.ids() == [1, 2], 30, "an event of a known schema")
    events.send(None, later)
    events.send(first, {"id": 4})
    time.sleep(1)
    assert case.ids() == [1, 2]  # in order: nothing overtakes what waits
    assert process.poll() is None
    serve.start()
    eventually(lambda: case.ids() == [1, 2, 3, 4], 45, "what waited for the registry")


def test_a_new_version_reaches_both_sinks(case, running, eventually, kafka, topic, serve, registry, clickhouse):
    """With the default 'schema-registry.latest-ttl': a new id asks for the newest version anew."""
    table = f"{topic.lower().replace('-', '_')}_out"
    file = pipeline(case, kafka, topic, serve, "avro")
    (case.folder / "p.sql").write_text((case.folder / "p.sql").read_text().replace(
        "'schema-registry.latest-ttl'='100 ms', ", "") + (
        f"CREATE TABLE house WITH ('connector'='clickhouse', 'url'='{clickhouse.http_url}', 'table'='{table}', "
        f"'commit-interval'='50 ms');\nINSERT INTO house SELECT * FROM events;\n"))
    events = Topic(kafka, topic)
    events.send(AvroSerializer(registry, avro(ID)), {"id": 1})
    running(file)
    eventually(lambda: case.ids() == [1], 30, "the first version")
    events.send(AvroSerializer(registry, avro(ID, NOTE)), {"id": 2, "note": "new"})
    eventually(lambda: case.ids() == [1, 2], 25, "the second version")
    assert {row["id"]: row["note"] for row in rows(case.lake)} == {1: None, 2: "new"}
    query = f"SELECT id, note FROM default.{table} ORDER BY id"
    eventually(lambda: "note" in str(clickhouse.query(f"DESCRIBE default.{table}")) and
               len(clickhouse.rows(query)) == 2, 25, "the second version in ClickHouse")
    assert "new" in str(clickhouse.rows(query)[1])


def without_ttl(case, file):
    """The same pipeline with the default 'schema-registry.latest-ttl', 30 s."""
    path = case.folder / file
    path.write_text(path.read_text().replace("'schema-registry.latest-ttl'='100 ms', ", ""))
    assert "latest-ttl" not in path.read_text()
    return file


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_a_new_version_is_found_at_once(case, running, eventually, kafka, topic, serve, registry, tmp_path, form):
    """No field of a version that comes while the former one is still believed to be the latest is lost."""
    def write(name, event, **properties):
        if form == "json":
            schema = {"title": "Order", "type": "object", "required": ["id"], "additionalProperties": False,
                      "properties": {"id": {"type": "integer"}, **{key: {"type": "string"} for key in properties}}}
            return events.send(JSONSerializer(json.dumps(schema), registry), {"id": event, **properties})
        fields = " ".join(f"string {key} = {number};" for number, key in enumerate(properties, 2))
        order = proto_classes(tmp_path / name, order='syntax = "proto3"; package shop; message Order { int64 id = 1; '
                              + fields + " }")["shop.Order"]
        return events.send(ProtobufSerializer(order, registry), order(id=event, **properties))

    events = Topic(kafka, topic)
    write("first", 1)
    running(without_ttl(case, pipeline(case, kafka, topic, serve, form)))
    eventually(lambda: case.ids() == [1], 30, "the first version")
    write("second", 2, note="new")
    eventually(lambda: case.ids() == [1, 2], 30, "the second version")
    assert sorted((row["id"], row["note"]) for row in rows(case.lake)) == [(1, None), (2, "new")]


def test_protobuf_evolves_between_runs(case, kafka, topic, serve, registry, tmp_path):
    text = 'syntax = "proto3"; package shop; message Order { int64 id = 1; string note = 2; %s }'
    events = Topic(kafka, topic)
    order = proto_classes(tmp_path / "first", order=text % "")["shop.Order"]
    events.send(ProtobufSerializer(order, registry), order(id=1, note="a"), order(id=2))
    file = pipeline(case, kafka, topic, serve, "protobuf")
    case.once(file)
    assert sorted((row["id"], row["note"]) for row in rows(case.lake)) == [(1, "a"), (2, "")]
    order = proto_classes(tmp_path / "second", order=text % "int32 count = 3;")["shop.Order"]
    events.send(ProtobufSerializer(order, registry), order(id=3, count=30))
    case.once(file)
    assert sorted((row["id"], row["count"]) for row in rows(case.lake)) == [(1, None), (2, None), (3, 30)]
    changed = 'syntax = "proto3"; package shop; message Order { string id = 1; }'
    refused(lambda: registry.register_schema(f"{topic}-value", Schema(changed, "PROTOBUF")), 409, 409)


def test_json_schema_evolves_between_runs(case, kafka, topic, serve, registry):
    def schema(**properties):
        return json.dumps({"title": "Order", "type": "object", "required": ["id"], "additionalProperties": False,
                           "properties": {"id": {"type": "integer"}, **properties}})
    events = Topic(kafka, topic)
    events.send(JSONSerializer(schema(), registry), {"id": 1}, {"id": 2})
    file = pipeline(case, kafka, topic, serve, "json")
    case.once(file)
    assert case.ids() == [1, 2]
    events.send(JSONSerializer(schema(note={"type": "string"}), registry), {"id": 3, "note": "new"})
    case.once(file)
    assert sorted((row["id"], row["note"]) for row in rows(case.lake)) == [(1, None), (2, None), (3, "new")]
    refused(lambda: registry.register_schema(f"{topic}-value", Schema(schema(id={"type": "string"}), "JSON")), 409, 409)
