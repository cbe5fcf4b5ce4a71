"""Avro that fastavro wrote, from JetStream into a lake: every type, containers of every codec, schema resolution."""

import io
import json
import math
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal

import fastavro
import pytest
from case import publish, rows
from fastavro.schema import fingerprint, to_parsing_canonical_form

ITEM = {"type": "record", "name": "Item", "fields": [
    {"name": "sku", "type": "string"}, {"name": "price", "type": ["null", "double"]}]}
SCHEMA = {"type": "record", "name": "Everything", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "small", "type": "int"},
    {"name": "flag", "type": "boolean"},
    {"name": "ratio", "type": "float"},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "fee", "type": {"type": "fixed", "name": "Fee", "size": 6, "logicalType": "decimal", "precision": 10,
                             "scale": 3}},
    {"name": "name", "type": ["null", "string"]},
    {"name": "raw", "type": ["bytes", "null"]},
    {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 3}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID", "SENT"]}},
    {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "at_us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "wall", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "counts", "type": {"type": "map", "values": "long"}},
    {"name": "items", "type": {"type": "array", "items": ITEM}},
    {"name": "best", "type": ["null", "Item"]},
    {"name": "number", "type": ["null", "int", "double"]}]}


def everything(n):
    return {"id": n, "small": -n, "flag": n % 2 == 0, "ratio": n / 8, "amount": Decimal(n * 7 - 50) / 100,
            "fee": Decimal(-n) / 1000, "name": None if n % 3 == 0 else f"n{n} ä€",
            "raw": None if n % 4 == 0 else b"\xff\x00",
            "code": b"abc", "state": ["NEW", "PAID", "SENT"][n % 3], "key": uuid.UUID(int=n),
            "day": date(2026, 1, 1 + n % 28),
            "at_ms": datetime(2026, 11, 21, 12, 0, n % 60, 123000, tzinfo=timezone.utc),
            "at_us": None if n % 5 == 0 else datetime(1969, 12, 31, 23, 59, 59, n + 1, tzinfo=timezone.utc),
            "wall": datetime(2026, 11, 21, 12, 0, 0, n), "tags": ["x"] * (n % 4),
            "counts": {f"k{i}": i for i in range(n % 3)},
            "items": [{"sku": f"s{i}", "price": i / 2 if i else None} for i in range(n % 5)],
            "best": {"sku": "b", "price": None} if n % 2 else None, "number": [None, n, n + 0.5][n % 3]}


def as_stored(event):
    """What the lake gives back for an event."""
    return event | {"key": str(event["key"]), "counts": list(event["counts"].items()),
                    "number": None if event["number"] is None else float(event["number"])}


def written(schema, event):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    return out.getvalue()


def source(nats, case, options):
    return (f"'connector'='nats', 'url'='{nats.url}', 'stream'='{case.stream}', 'format'='avro', "
            + ", ".join(f"'avro.{name}'='{value}'" for name, value in options.items()))


def table_without_columns(case, source_options):
    return case.write("p.sql", case.settings("p") + (
        f"CREATE TABLE events WITH ({source_options});\n"
        f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
        "INSERT INTO lake SELECT * FROM events;\n"))


def stored(case):
    """The lake's rows by id, without Weir's own columns."""
    return {row["id"]: {name: value for name, value in row.items() if not name.startswith("_weir")}
            for row in rows(case.lake)}


def test_every_type_of_a_schema_file(case, shared_nats):
    (case.folder / "e.avsc").write_text(json.dumps(SCHEMA))
    good = [everything(n) for n in range(1, 61)]
    payloads = [written(SCHEMA, event) for event in good]
    publish(shared_nats.url, case.stream, payloads[:30] + [payloads[7][:-2], payloads[8] + b"!"] + payloads[30:])
    case.once(table_without_columns(case, source(shared_nats, case, {"schema-file": "e.avsc"})))
    assert stored(case) == {event["id"]: as_stored(event) for event in good}
    errors = {row["payload"]: row for row in case.error_rows()}
    cut, longer = errors[payloads[7][:-2]], errors[payloads[8] + b"!"]
    assert (cut["code"], cut["field"], cut["message"]) == ("malformed", "/number", "the event ends within a double")
    assert (longer["code"], longer["message"]) == ("malformed", "1 bytes behind the record")


def test_containers_of_every_codec(case, shared_nats):
    """fastavro needs another package for snappy: that codec is a unit test's."""
    good = [everything(n) for n in range(1, 61)]
    payloads = []
    for index, codec in enumerate(["null", "deflate", "zstandard"]):
        out = io.BytesIO()
        fastavro.writer(out, fastavro.parse_schema(SCHEMA), good[index * 20:index * 20 + 20], codec=codec,
                        sync_interval=300)
        payloads.append(out.getvalue())
    broken = bytearray(payloads[0])
    broken[-1] ^= 1  # of the sync marker behind the last block: nothing of the container may be stored
    publish(shared_nats.url, case.stream, [bytes(broken), *payloads])
    columns = "id BIGINT NOT NULL, name STRING, amount DECIMAL(14,4), items ARRAY<ROW<price DOUBLE>>"
    case.once(case.pipeline(source(shared_nats, case, {"framing": "container"}), columns=columns))
    found = stored(case)
    assert found.keys() == {event["id"] for event in good} and len(rows(case.lake)) == 60
    for event in good:
        row = found[event["id"]]
        assert (row["name"], row["amount"]) == (event["name"], event["amount"])
        assert [item["price"] for item in row["items"]] == [item["price"] for item in event["items"]]
    error, = case.error_rows()
    assert error["code"] == "malformed" and "sync marker" in error["message"] and error["payload"] == bytes(broken)


READER = {"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "total", "aliases": ["sum"], "type": "double"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "OTHER"], "default": "OTHER"}},
    {"name": "note", "type": ["null", "string"], "default": None},
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["none"]},
    {"name": "place", "type": {"type": "record", "name": "Place", "fields": [
        {"name": "city", "type": "string"}, {"name": "zip", "type": "string", "default": "-"}]}}]}


def order_schema(*fields):
    state = {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}
    place = {"type": "record", "name": "Place", "fields": [{"name": "street", "type": "bytes"},
                                                           {"name": "city", "type": "string"}]}
    return {"type": "record", "name": "Order", "fields": [{"name": "place", "type": place}, *fields,
                                                          {"name": "state", "type": state}]}


WRITERS = {
    "an alias and promotions": (order_schema({"name": "sum", "type": "int"}, {"name": "id", "type": "int"}),
                                {"sum": 7, "id": 1}),
    "fields that the reader lacks": (order_schema({"name": "gone", "type": {"type": "map", "values": ["null", "long"]}},
                                                  {"name": "id", "type": "long"}, {"name": "total", "type": "float"}),
                                     {"gone": {"a": 1, "b": None}, "id": 2, "total": 0.5}),
    "unions of both sides": (order_schema({"name": "id", "type": "long"}, {"name": "total", "type": ["int", "double"]},
                                          {"name": "note", "type": "string"},
                                          {"name": "tags", "type": {"type": "array", "items": "string"}}),
                             {"id": 3, "total": 1.25, "note": "n", "tags": ["a", "b"]}),
}


def test_schemas_resolve_as_fastavro_resolves_them(case, shared_nats):
    (case.folder / "reader.avsc").write_text(json.dumps(READER))
    payloads, files, expected = [], [], {}
    for number, (schema, values) in enumerate(WRITERS.values()):
        (case.folder / f"{number}.avsc").write_text(json.dumps(schema))
        files.append(f"{number}.avsc")
        for state in ["NEW", "PAID"]:
            event = values | {"id": values["id"] * 10 + len(state), "state": state,
                              "place": {"street": b"s", "city": "c"}}
            datum = written(schema, event)
            mark = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
            payloads.append(b"\xc3\x01" + bytes.fromhex(mark) + datum)
            expected[event["id"]] = fastavro.schemaless_reader(io.BytesIO(datum), fastavro.parse_schema(schema),
                                                               fastavro.parse_schema(READER))
    unknown = b"\xc3\x01" + b"12345678" + b"\0"
    publish(shared_nats.url, case.stream, payloads + [unknown])
    options = {"framing": "single-object", "schema-file": ", ".join(files), "reader-schema-file": "reader.avsc"}
    case.once(table_without_columns(case, source(shared_nats, case, options)))
    found = stored(case)
    assert found.keys() == expected.keys()
    for key, event in expected.items():
        assert math.isclose(found[key].pop("total"), event.pop("total"))
        assert found[key] == event
    error, = case.error_rows()
    assert error["code"] == "unknown_schema" and "3837363534333231" in error["message"]


@pytest.mark.parametrize("schema, words", [
    ({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}, "holds itself"),
    ({"type": "record", "name": "U", "fields": [{"name": "u", "type": ["int", "string"]}]}, "a union of several types"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "tint"}]}, "/fields/0/type: unknown type"),
    ("int", "a table needs a record")])
def test_a_schema_that_makes_no_table_is_refused_with_words(case, schema, words):
    (case.folder / "e.avsc").write_text(json.dumps(schema))
    file = table_without_columns(case, "'connector'='nats', 'url'='nats://127.0.0.1:1', 'stream'='S', "
                                       "'format'='avro', 'avro.schema-file'='e.avsc'")
    refused = case.weir.run(["check", file], cwd=case.folder, expect=None)
    assert refused.returncode != 0 and words in refused.stdout + refused.stderr
