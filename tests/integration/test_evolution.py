"""Schema evolution: a running pipeline takes a changed file over at a commit; what does not fit is refused."""

import json
import signal

from case import event, events, publish, rows

OLD = "id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2)"
NEW = OLD + ", note STRING"
STRICT = ", 'json.unknown-fields'='reject'"


def pipeline(case, nats, columns, **more):
    return case.nats_pipeline(nats.url, STRICT, columns=columns, **more)


def test_a_changed_file_takes_over_while_it_runs(case, running, eventually, shared_nats):
    """Events with a field that the running version does not know wait in the error lake and come back by replay."""
    file = pipeline(case, shared_nats, OLD)
    publish(shared_nats.url, case.stream, events(1, 50))
    process = running("p.sql", "--progress", "none")
    eventually(lambda: case.ids() == list(range(1, 51)), what="the first events in the lake")
    publish(shared_nats.url, case.stream, [event(number, note="early") for number in range(51, 61)])
    eventually(lambda: len(case.error_rows()) == 10, what="the unknown field in the error lake")
    pipeline(case, shared_nats, NEW)
    process.send_signal(signal.SIGHUP)
    eventually(lambda: "goes on with the changed" in process.said())
    publish(shared_nats.url, case.stream, [event(number, note="late") for number in range(61, 101)])
    eventually(lambda: len(case.ids()) == 90, what="events of the new version")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.said()
    assert case.errors(file.name, "replay").stdout.strip() == "replayed=10 resolved=10 failed=0"
    table = {row["id"]: row["note"] for row in rows(case.lake)}
    assert sorted(table) == list(range(1, 101))
    assert all(table[number] is None for number in range(1, 51))
    assert all(table[number] == "early" for number in range(51, 61))
    assert all(table[number] == "late" for number in range(61, 101))
    assert {error["schema_version"] for error in case.error_rows()} == {1}


def test_a_changed_file_with_errors_leaves_the_running_version_alone(case, running, eventually, shared_nats):
    pipeline(case, shared_nats, OLD)
    publish(shared_nats.url, case.stream, events(1, 10))
    process = running("p.sql", "--progress", "none")
    eventually(lambda: len(case.ids()) == 10)
    pipeline(case, shared_nats, OLD.replace("BIGINT", "BIGINTT"))
    process.send_signal(signal.SIGHUP)
    eventually(lambda: "the earlier version goes on: the file has errors" in process.said())
    assert "p.sql:5:" in process.said()
    pipeline(case, shared_nats, OLD.replace("DECIMAL(12,2)", "STRING"))
    process.send_signal(signal.SIGHUP)
    eventually(lambda: process.said().count("the earlier version goes on") == 2)
    assert "amount DECIMAL(12, 2) is now STRING" in process.said()
    publish(shared_nats.url, case.stream, events(11, 30))
    eventually(lambda: len(case.ids()) == 30, what="events after both refusals")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_an_incompatible_change_names_both_versions(case, shared_nats):
    pipeline(case, shared_nats, OLD)
    publish(shared_nats.url, case.stream, events(1, 10))
    case.once("p.sql")
    pipeline(case, shared_nats, NEW)
    case.once("p.sql")
    pipeline(case, shared_nats, NEW.replace("DECIMAL(12,2)", "STRING"))
    refused = case.once("p.sql", expect=2).stderr
    assert "version 2 of its columns, since 20" in refused and "against this file's version 3" in refused
    assert "amount DECIMAL(12, 2) is now STRING" in refused
    versions = json.loads((case.folder / "state/p/schemas/lake/000002.json").read_text())
    assert [column["name"] for column in versions["columns"]] == ["id", "name", "amount", "note"]
    assert "'amount' is DECIMAL(12, 2) in the table, but the query gives STRING" in refused


def test_the_columns_are_added_before_any_row_also_after_a_crash_between(case, shared_nats):
    pipeline(case, shared_nats, OLD)
    publish(shared_nats.url, case.stream, events(1, 10))
    case.once("p.sql")
    publish(shared_nats.url, case.stream, [event(number, note="new") for number in range(11, 21)])
    pipeline(case, shared_nats, NEW)
    for point in ("delta.before_columns:1", "delta.after_columns:1"):
        case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": point})
    case.once("p.sql")
    assert sorted((row["id"], row["note"]) for row in rows(case.lake)) == [
        (number, None if number <= 10 else "new") for number in range(1, 21)]


BOTH = """CREATE TABLE events ({columns}) WITH ('connector'='nats', 'url'='{nats}', 'stream'='{stream}',
  'format'='json', 'json.unknown-fields'='reject');
CREATE TABLE lake WITH ('connector'='delta', 'path'='{lake}', 'commit-interval'='300 ms');
CREATE TABLE house WITH ('connector'='clickhouse', 'url'='{clickhouse}', 'database'='{database}', 'table'='house',
  'order-by'='id', 'commit-interval'='50 ms');
EXECUTE STATEMENT SET BEGIN
  INSERT INTO lake SELECT * FROM events;
  INSERT INTO house SELECT * FROM events;
END;
"""


def both(case, nats, clickhouse, database, columns):
    text = BOTH.format(columns=columns, nats=nats.url, stream=case.stream, lake=case.lake,
                           clickhouse=clickhouse.http_url, database=database)
    return case.write("p.sql", case.settings("p") + text)


def both_tables(case, clickhouse, database, columns):
    """Rows by id: in the lake and in ClickHouse, which must be the same."""
    lake = sorted((tuple(row[name] for name in columns) for row in rows(case.lake)), key=lambda row: row[0])
    found = clickhouse.rows(f"SELECT {', '.join(columns)} FROM {database}.house ORDER BY id")
    house = [tuple(row) for row in found]
    assert [row[0] for row in lake] == [row[0] for row in house]
    return lake, house


def test_a_new_column_reaches_lake_and_clickhouse_also_after_a_crash_between(case, shared_nats, clickhouse, database):
    both(case, shared_nats, clickhouse, database, OLD)
    publish(shared_nats.url, case.stream, events(1, 30))
    case.once("p.sql")
    publish(shared_nats.url, case.stream, [event(number, note=f"x{number}") for number in range(31, 61)])
    case.once("p.sql")
    assert len(case.error_rows()) == 30
    both(case, shared_nats, clickhouse, database, NEW)
    for point in ("delta.before_columns:1", "delta.after_columns:1", "clickhouse.before_intent:1",
                  "clickhouse.after_intent:1"):
        publish(shared_nats.url, case.stream, [event(61 if point.endswith("before_intent:1") else 62, note="mid")]
                if "intent" in point else [])
        case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": point})
    case.once("p.sql")
    assert case.errors("p.sql", "replay").stdout.strip() == "replayed=30 resolved=30 failed=0"
    assert case.errors("p.sql", "replay").stdout.strip() == "replayed=0 resolved=0 failed=0"
    lake, house = both_tables(case, clickhouse, database, ["id", "note"])
    assert [row[0] for row in lake] == list(range(1, 63))
    assert [row[1] for row in lake] == [None] * 30 + [f"x{number}" for number in range(31, 61)] + ["mid"] * 2
    assert house == lake


def test_neither_table_is_altered_when_one_refuses(case, shared_nats, clickhouse, database):
    """ClickHouse has a column that the lake could take in another type: refused before the lake gets its new column."""
    both(case, shared_nats, clickhouse, database, OLD)
    publish(shared_nats.url, case.stream, events(1, 5))
    case.once("p.sql")
    clickhouse.query(f"ALTER TABLE {database}.house ADD COLUMN note Int32")
    both(case, shared_nats, clickhouse, database, NEW)
    refused = case.once("p.sql", expect=2).stderr
    assert "note" in refused and "Int32" in refused and "against this file's version 2" in refused
    assert "note" not in rows(case.lake)[0]
