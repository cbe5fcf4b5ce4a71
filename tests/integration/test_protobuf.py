"""Protobuf events that Python wrote, from JetStream into a lake: by a .proto file, a descriptor set and a registry."""

import base64
import json
import subprocess
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from case import publish, rows
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ORDERS = """syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto"; import "item.proto";
message Order { int64 id = 1; string name = 2; repeated Item items = 3; map<string, int32> tags = 4; Status status = 5;
  google.protobuf.Timestamp at = 6; oneof paid { string card = 7; uint64 cents = 8; } optional bytes raw = 9; }
enum Status { NEW = 0; SHIPPED = 1; }
"""
ITEM = """syntax = "proto3"; package shop; message Item { string sku = 1; double price = 2; }"""
COLUMNS = ("id BIGINT NOT NULL, name STRING, items ARRAY<ROW<sku STRING, price DOUBLE>>, tags MAP<STRING, BIGINT>, "
           "status STRING, `at` TIMESTAMP_LTZ(6), card STRING, cents DECIMAL(20,0), raw BYTES")


def classes(folder, files, main):
    """What protoc makes of `files`: a descriptor set, and Python classes by full name."""
    for name, text in files.items():
        (folder / name).write_text(text)
    subprocess.run(["protoc", "-I", folder, "--include_imports", f"--descriptor_set_out={folder / 'all.desc'}", main],
                   check=True, cwd=folder, timeout=60)
    described = descriptor_pb2.FileDescriptorSet.FromString((folder / "all.desc").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    return message_factory.GetMessageClassesForFiles([file.name for file in described.file], pool)


def order(kind, number):
    event = kind(id=number, name=f"n{number}", status=number % 2, tags={"a": number})
    event.items.add(sku="x", price=number / 2)
    event.at.FromMicroseconds(1_700_000_000_000_000 + number)
    if number % 2:
        event.card = "visa"
    else:
        event.cents = 2**64 - 1
    return event


@pytest.mark.parametrize("schema", ["orders.proto", "all.desc"])
def test_files(case, shared_nats, schema):
    kind = classes(case.folder, {"orders.proto": ORDERS, "item.proto": ITEM}, "orders.proto")["shop.Order"]
    good = [order(kind, number).SerializeToString() for number in range(1, 51)]
    broken = order(kind, 99).SerializeToString()[:-3]
    publish(shared_nats.url, case.stream, good[:20] + [broken] + good[20:])
    source = (f"'connector'='nats', 'url'='{shared_nats.url}', 'stream'='{case.stream}', 'format'='protobuf', "
              f"'protobuf.schema-file'='{schema}'")
    case.once(case.pipeline(source, columns=COLUMNS))
    assert case.ids() == list(range(1, 51))
    found = {row["id"]: row for row in rows(case.lake)}
    assert found[7]["items"] == [{"sku": "x", "price": 3.5}] and found[7]["tags"] == [("a", 7)]
    assert (found[7]["status"], found[8]["status"]) == ("SHIPPED", "NEW")
    assert (found[7]["card"], found[7]["cents"], found[7]["raw"]) == ("visa", None, None)
    assert (found[8]["card"], found[8]["cents"]) == (None, Decimal(2**64 - 1))
    assert found[7]["at"].microsecond == 7
    error, = case.error_rows()
    assert (error["code"], error["payload"]) == ("malformed", broken)


class Registry:
    """As much of a registry as Confluent's serializer and Weir ask for."""

    def __init__(self):
        self.schemas, self.versions = [], {}  # by id - 1; subject -> ids
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                path = self.path.split("?")[0].strip("/").split("/")
                routes = {"schemas": registry.of_id, "subjects": registry.of_subject}
                self.answer(*routes.get(path[0], lambda _: (404, {"error_code": 404, "message": "Not Found"}))(path))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(200, registry.register(self.path.split("?")[0].strip("/").split("/")[1], body))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def register(self, subject, body):
        schema = {"schemaType": "PROTOBUF", "schema": body["schema"], "references": body.get("references", [])}
        if schema not in self.schemas:
            self.schemas.append(schema)
        number = self.schemas.index(schema) + 1
        ids = self.versions.setdefault(subject, [])
        if number not in ids:
            ids.append(number)
        return {"id": number, "subject": subject, "version": ids.index(number) + 1} | schema

    def of_id(self, path):
        number = int(path[2])
        if number > len(self.schemas):
            return 404, {"error_code": 40403, "message": "Schema not found"}
        if path[-1] == "versions":
            return 200, [{"subject": subject, "version": ids.index(number) + 1}
                         for subject, ids in self.versions.items() if number in ids]
        return 200, self.schemas[number - 1]

    def of_subject(self, path):
        ids = self.versions.get(path[1], [])
        version = len(ids) if path[3] == "latest" else int(path[3])
        if not 1 <= version <= len(ids):
            return 404, {"error_code": 40402, "message": "Version not found"}
        number = ids[version - 1]
        return 200, {"subject": path[1], "version": version, "id": number} | self.schemas[number - 1]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def serialized(registry, kind, topic, events):
    serialize = ProtobufSerializer(kind, SchemaRegistryClient({"url": registry.url}), {"use.deprecated.format": False})
    return [serialize(event, SerializationContext(topic, MessageField.VALUE)) for event in events]


def test_confluent_serializer_and_a_later_version(case, shared_nats):
    first = classes(case.folder, {"orders.proto": ORDERS, "item.proto": ITEM}, "orders.proto")["shop.Order"]
    later = case.folder / "later"
    later.mkdir()
    changed = ORDERS.replace("int64 id = 1;", "int64 id = 1; string city = 20;")
    second = classes(later, {"orders.proto": changed, "item.proto": ITEM}, "orders.proto")["shop.Order"]
    with Registry() as registry:
        events = serialized(registry, first, "orders", [order(first, number) for number in range(1, 11)])
        assert base64.b64decode(registry.schemas[-1]["schema"])  # Python sends a descriptor, not text
        publish(shared_nats.url, case.stream, events + [b"\x00\x00\x00\x03\xe7\x00\x08\x01", b"\x01nonsense"])
        source = (f"'connector'='nats', 'url'='{shared_nats.url}', 'stream'='{case.stream}', 'format'='protobuf', "
                  f"'protobuf.framing'='confluent', 'schema-registry.url'='{registry.url}', "
                  "'schema-registry.subject'='orders-value'")
        pipeline = case.write("p.sql", case.settings("p") + (
            f"CREATE TABLE events WITH ({source});\n"
            f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
            "INSERT INTO lake SELECT * FROM events;\n"))
        case.once(pipeline)
        assert case.ids() == list(range(1, 11))
        assert sorted(error["code"] for error in case.error_rows()) == ["malformed", "unknown_schema"]
        evolved = order(second, 11)
        evolved.city = "Bern"
        publish(shared_nats.url, case.stream, serialized(registry, second, "orders", [evolved]))
        case.once(pipeline)
        assert case.ids() == list(range(1, 12))
        # Planned anew from the later version: its field is a column, NULL in what was there before.
        assert sorted((row["id"], row["city"]) for row in rows(case.lake)) == [
            (number, None) for number in range(1, 11)] + [(11, "Bern")]
