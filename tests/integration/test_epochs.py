"""Epochs beside what makes them hard: full sinks, refused rows, idle and ended sources, back-pressure."""

import json
import os
import time

import pytest
from case import rows

GENERATED = ("CREATE TABLE g (id BIGINT METADATA FROM 'offset', x BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) "
             "WITH ('connector'='generator', "
             "'rate'='{rate}', 'rows'='{rows}', 'time-step'='1 ms', 'watermark.max-ahead'='0 s');\n")
COUNTS = ("INSERT INTO w SELECT window_start, COUNT(*) AS n "
          "FROM TABLE(TUMBLE(TABLE g, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end;\n")


def delta(case, name, options=""):
    return f"CREATE TABLE {name} WITH ('connector'='delta', 'path'='{case.folder / name}'{options});\n"


def clickhouse_table(server, name, database, options):
    return (f"CREATE TABLE {name} WITH ('connector'='clickhouse', 'url'='{server.url}', "
            f"'database'='{database}', 'table'='t', {options});\n")


@pytest.mark.parametrize("crash", ["", "epoch.manifest:2", "epoch.acknowledged:3", "epoch.sealed:4"])
def test_a_full_sink_ends_epochs_early_for_all(case, clickhouse, database, crash):
    clickhouse.query(f"CREATE DATABASE {database}")
    file = case.write("p.sql", case.settings("p", pipeline__commit_interval="2 s") + GENERATED.format(
        rate=20000, rows=30000)
        + clickhouse_table(clickhouse, "o", database, "'batch.max-rows'='3000', 'commit-interval'='2 s'")
        + delta(case, "raw", ", 'commit-interval'='2 s'") + delta(case, "w", ", 'commit-interval'='4 s'")
        + "INSERT INTO o SELECT id, ts FROM g;\nINSERT INTO raw SELECT id, ts FROM g;\n" + COUNTS)
    if crash:
        killed = case.weir.run(["run", file, "--progress", "none"], cwd=case.folder, expect=None,
                               env={"WEIR_CRASH_POINT": crash}, timeout_s=60)
        assert killed.returncode == -9, "the point was passed"
    case.weir.run(["run", file, "--progress", "none"], cwd=case.folder, timeout_s=60)
    assert sorted(row["id"] for row in rows(case.folder / "raw")) == list(range(30000))
    assert sum(row["n"] for row in rows(case.folder / "w")) == 30000
    assert len(rows(case.folder / "w")) == 30
    assert clickhouse.query(f"SELECT count(), uniqExact(id) FROM {database}.t").split() == [b"30000", b"30000"]


def test_a_refused_row_of_a_stateless_insert_beside_windows(case, clickhouse, database):
    clickhouse.query(f"CREATE DATABASE {database}")
    clickhouse.query(f"CREATE TABLE {database}.t (id Int64, CONSTRAINT odd CHECK id % 1000 != 7) "
                     "ENGINE = MergeTree ORDER BY id "
                     "SETTINGS non_replicated_deduplication_window = 10000")
    file = case.write("p.sql", case.settings("p") + GENERATED.format(rate=1000000, rows=5000)
                      + clickhouse_table(clickhouse, "o", database, "'commit-interval'='100 ms'") + delta(case, "w")
                      + "INSERT INTO o SELECT id FROM g;\n" + COUNTS)
    case.weir.run(["run", file, "--progress", "none"], cwd=case.folder, timeout_s=60)
    errors = case.error_rows(source="g")
    assert sorted(json.loads(row["payload"])["id"] for row in errors) == [7, 1007, 2007, 3007, 4007]
    assert {row["code"] for row in errors} == {"sink_refused"}
    assert clickhouse.query(f"SELECT count() FROM {database}.t").split() == [b"4995"]
    assert sum(row["n"] for row in rows(case.folder / "w")) == 5000


def kafka_table(server, name, topic, options=""):
    return (f"CREATE TABLE {name} (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector'='kafka', "
            f"'topic'='{topic}', 'properties.bootstrap.servers'='{server.bootstrap}', 'format'='json'{options});\n")


def stamped(second, number):
    return json.dumps({"id": number, "ts": f"2026-03-01T10:00:{second:06.3f}"}).encode()


BOTH = ("CREATE VIEW both_of AS SELECT id, ts FROM a UNION ALL SELECT id, ts FROM b;\n"
        "INSERT INTO w SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE both_of, DESCRIPTOR(ts), "
        "INTERVAL '10' SECOND)) GROUP BY window_start, window_end;\n")


def told(case):
    table = case.folder / "w"
    return {row["window_start"].second: row["n"] for row in rows(table)} if (table / "_delta_log").exists() else {}


def test_an_idle_source_does_not_hold_up_another(case, kafka, topic, running, eventually):
    idle = ", 'scan.watermark.idle-timeout'='300 ms'"
    for name in (f"{topic}_a", f"{topic}_b"):
        kafka.create_topic(name)
    running(case.write("p.sql", case.settings("p") + kafka_table(kafka, "a", f"{topic}_a", idle)
                       + kafka_table(kafka, "b", f"{topic}_b", idle) + delta(case, "w") + BOTH))
    kafka.produce(f"{topic}_b", [stamped(1, 1)])
    kafka.produce(f"{topic}_a", [stamped(second, second) for second in (2, 3, 12, 30)])
    eventually(lambda: told(case) == {0: 3, 10: 1}, what="windows of a beside an idle b")


def test_a_source_that_has_ended_does_not_hold_up_an_endless_one(case, kafka, topic, running, eventually):
    kafka.create_topic(topic)
    (case.folder / "b.ndjson").write_bytes(b"".join(stamped(1, n) + b"\n" for n in range(3)))
    file_b = (f"CREATE TABLE b (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector'='file', "
              f"'path'='{case.folder / 'b.ndjson'}', 'format'='json');\n")
    running(case.write("p.sql", case.settings("p") + kafka_table(kafka, "a", topic) + file_b + delta(case, "w") + BOTH))
    kafka.produce(topic, [stamped(second, second) for second in (2, 3, 12, 30)])
    eventually(lambda: told(case) == {0: 5, 10: 1}, what="windows beside a file that has ended")


def test_back_pressure_is_not_idleness(case, kafka, topic, running, eventually):
    kafka.create_topic(topic, 2)
    source = kafka_table(kafka, "g", topic, ", 'scan.watermark.idle-timeout'='500 ms'")
    file = case.write("p.sql", case.settings("p", pipeline__queue_batches="1", pipeline__batch_rows="10")
                      + source + delta(case, "w") + COUNTS)
    kafka.produce(topic, [{"value": stamped(n / 100, n), "partition": n % 2} for n in range(2000)])
    process = running(file)
    # Stopped as a whole for longer than the idle time-out: time passes, nobody polls.
    for _ in range(3):
        time.sleep(0.3)
        os.kill(process.pid, 19)
        time.sleep(0.8)
        os.kill(process.pid, 18)
    kafka.produce(topic, [{"value": stamped(50, 5000 + n), "partition": n} for n in range(2)])
    eventually(lambda: sum(told(case).values()) >= 2000, timeout_s=30, what="all windows")
    assert not (case.folder / "errors" / "p" / "g" / "_delta_log").exists() or case.error_rows(source="g") == []


def test_a_watermark_of_another_column_is_bounded_too(case):
    lines = [{"id": n, "ts": f"2026-03-01T10:00:{n:02d}", "sent": f"2026-03-01T10:00:{n:02d}"} for n in range(20)]
    lines[3]["sent"] = "2999-01-01T00:00:00"
    (case.folder / "in.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    file = case.write("p.sql", case.settings("p", pipeline__batch_rows="1") + (
        "CREATE TABLE g (id BIGINT, ts TIMESTAMP(3), sent TIMESTAMP(3), "
        "WATERMARK FOR ts AS sent - INTERVAL '1' SECOND) "
        f"WITH ('connector'='file', 'path'='{case.folder / 'in.ndjson'}', 'format'='json');\n")
        + delta(case, "w") + COUNTS)
    case.once(file)
    assert [(row["code"], row["sink"]) for row in case.error_rows(source="g")] == [("future", "w")]
    assert sum(row["n"] for row in rows(case.folder / "w")) == 19


def test_the_ledger_of_a_slow_table_tells_every_epoch(case):
    file = case.write("p.sql", case.settings("p") + GENERATED.format(rate=20000, rows=20000)
                      + delta(case, "raw", ", 'commit-interval'='100 ms'")
                      + delta(case, "w", ", 'commit-interval'='10 s'")
                      + "INSERT INTO raw SELECT id, ts FROM g;\n" + COUNTS)
    case.weir.run(["run", file, "--progress", "none"], cwd=case.folder, timeout_s=60)
    read = 0
    for entry in sorted((case.folder / "w" / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            info = json.loads(line).get("commitInfo", {}).get("weir", {})
            ledger = info.get("ledger", {})
            read += sum(part["read"] for part in (ledger.get("entries", []) if isinstance(ledger, dict) else [])
                        if part["insert"] == "w")
    assert read == 20000
