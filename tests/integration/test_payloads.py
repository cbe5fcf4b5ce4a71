"""Change events of Debezium as the current rows of a ClickHouse table; compressed and wrapped events over NATS."""

import gzip
import json

import pytest
from case import publish, rows
from cloudevents.core.bindings import http as ce_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from servers import ClickHouseFront


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ClickHouseFront(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


def change(op, before=None, after=None):
    return json.dumps({"op": op, "before": before, "after": after}).encode()


def test_debezium_rows_make_the_current_rows_of_clickhouse(server, case, weir):
    def row(number, name):
        return {"id": number, "name": name}

    (case.folder / "in.ndjson").write_bytes(b"\n".join([
        change("r", None, row(1, "one")), change("c", None, row(2, "two")), change("c", None, row(3, "three")),
        change("u", row(1, "one"), row(1, "uno")), change("d", row(2, "two")),
        change("d", row(3, "three")), change("c", None, row(3, "tres")), change("t")]) + b"\n")
    server.query("CREATE TABLE default.customers (id Int64, name Nullable(String), version Int64, deleted UInt8, "
                 "_weir_partition String, _weir_offset Int64) "
                 "ENGINE = ReplacingMergeTree(version, deleted) ORDER BY id "
                 "SETTINGS non_replicated_deduplication_window = 100")
    case.write("p.sql", case.settings("p") + f"""
CREATE TABLE changes (
  id BIGINT NOT NULL, name STRING, op STRING, `offset` BIGINT METADATA
) WITH ('connector'='file', 'path'='{case.folder / "in.ndjson"}', 'format'='debezium-json',
        'debezium-json.as'='rows', 'debezium-json.op-column'='op');
CREATE TABLE customers WITH ('connector'='clickhouse', 'url'='{server.http_url}', 'table'='customers',
                             'retry.first-wait'='10 ms', 'commit-interval'='50 ms');
INSERT INTO customers
SELECT id, name, `offset` AS version, CAST(CASE WHEN op = 'd' THEN 1 ELSE 0 END AS SMALLINT) AS deleted FROM changes;
""")
    case.once("p.sql")
    assert server.rows("SELECT id, name FROM default.customers FINAL ORDER BY id") == [(1, "uno"), (3, "tres")]
    assert [row["code"] for row in case.error_rows(source="changes")] == ["malformed"]


def test_cloudevents_of_the_sdk_compressed_each_by_itself_over_nats(case, shared_nats):
    def message(number, data):
        made = CloudEvent({"specversion": "1.0", "id": str(number), "source": "/shop", "type": "order.placed",
                           "datacontenttype": "application/json"}, data)
        return gzip.compress(ce_http.to_structured(made, JSONFormat()).body)

    messages = [message(1, {"id": 1}), message(2, {"id": "two"}), b"\x1f\x8b broken", message(3, {"id": 3})]
    publish(shared_nats.url, case.stream, messages)
    case.nats_pipeline(shared_nats.url, ", 'payload.compression'='gzip', 'payload.envelope'='cloudevents'",
                       columns="id BIGINT, headers MAP<STRING, STRING> METADATA",
                       select="id, headers['ce-type'] AS type, headers['content-type'] AS content")
    case.once("p.sql")
    assert sorted((row["id"], row["type"], row["content"]) for row in rows(case.lake)) == [
        (1, "order.placed", "application/json"), (3, "order.placed", "application/json")]
    errors = {row["code"]: row["payload"] for row in case.error_rows()}
    assert errors == {"wrong_type": messages[1], "malformed": messages[2]}  # as they came
    # Replay takes the same way.
    assert "2" in case.errors("p.sql", "replay").stdout
    assert case.ids() == [1, 3]


def test_a_changelog_reaches_the_sinks_that_apply_changes(case):
    def row(number, *tags):
        return {"id": number, "tags": list(tags)}

    (case.folder / "in.ndjson").write_bytes(b"\n".join([
        change("c", None, row(1, "a", "b")), change("u", row(1, "a", "b"), row(1, "b", "c")),
        change("d", row(1, "b", "c")),
        change("c", None, row(2)), change("u", row(5, "x"), row(0, "y")), change("u", row(6, "x"), row(9, "y")),
        change("u", row(7, "x"), row(700, "y")), change("d")]) + b"\n")
    case.write("p.sql", case.settings("p") + f"""
CREATE TABLE changes (id BIGINT NOT NULL, tags ARRAY<STRING>, CHECK (id <> 9))
WITH ('connector'='file', 'path'='{case.folder / "in.ndjson"}', 'format'='debezium-json');
CREATE TABLE shown WITH ('connector'='print');
INSERT INTO shown SELECT id, 10 / id AS share, t.tag FROM changes CROSS JOIN UNNEST(tags) AS t (tag) WHERE id < 100;
""")
    assert case.once("p.sql").stdout.splitlines() == [
        '+I {"id":1,"share":10,"tag":"a"}', '+I {"id":1,"share":10,"tag":"b"}',
        '-D {"id":1,"share":10,"tag":"a"}', '-D {"id":1,"share":10,"tag":"b"}',
        '+I {"id":1,"share":10,"tag":"b"}', '+I {"id":1,"share":10,"tag":"c"}',
        '-D {"id":1,"share":10,"tag":"b"}', '-D {"id":1,"share":10,"tag":"c"}',
        '-D {"id":7,"share":1,"tag":"x"}']  # both rows of 5 and of 6 are left out with the one that failed
    assert sorted(row["code"] for row in case.error_rows(source="changes")) == [
        "check_failed", "missing_required", "sql_eval"]
