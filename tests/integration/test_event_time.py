"""Event time with a real Kafka: windows over restarts, silent partitions, late and future events, bounds of state."""

import json
import time

import pytest
from case import rows

COLUMNS = "id BIGINT NOT NULL, name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND"
WINDOWS = """INSERT INTO windows SELECT window_start, name, COUNT(*) AS n, SUM(id) AS total
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, name;
"""


def at(second, number, name="a"):
    return json.dumps({"id": number, "name": name, "ts": f"2026-03-01T10:00:{second:06.3f}"}).encode()


def pipeline(case, kafka, topic, options="", query=WINDOWS, columns=COLUMNS, settings=None, more=""):
    source = (f"'connector'='kafka', 'topic'='{topic}', 'properties.bootstrap.servers'='{kafka.bootstrap}', "
              f"'format'='json'{options}")
    return case.write("p.sql", case.settings("p", **(settings or {})) + (
        f"CREATE TABLE events ({columns}) WITH ({source});\n"
        f"CREATE TABLE windows WITH ('connector'='delta', 'path'='{case.folder / 'windows'}');\n" + more + query))


def found(case):
    if not (case.folder / "windows" / "_delta_log").exists():
        return {}
    table = rows(case.folder / "windows")
    result = {(row["window_start"].second, row["name"]): (row["n"], row["total"]) for row in table}
    assert len(result) == len(table), "a window is there twice"
    return result


def test_an_open_window_outlives_restarts(case, kafka, topic):
    kafka.create_topic(topic, 2)
    file = pipeline(case, kafka, topic)
    kafka.produce(topic, [{"value": at(1, 1), "partition": 0}, {"value": at(2, 2), "partition": 1}])
    case.once(file)
    assert found(case) == {}, "--once pauses an endless topic, it does not end time"
    kafka.produce(topic, [{"value": at(3, 4), "partition": 0}, {"value": at(12, 8), "partition": 1}])
    case.once(file)
    assert found(case) == {}, "partition 0 has not told that ten seconds are over"
    kafka.produce(topic, [{"value": at(13, 16), "partition": 0}])
    case.once(file)
    assert found(case) == {(0, "a"): (3, 7)}
    kafka.produce(topic, [{"value": at(25, 32), "partition": n} for n in (0, 1)])
    done = case.weir.run(["run", file, "--once", "--progress", "none"], cwd=case.folder)
    assert found(case) == {(0, "a"): (3, 7), (10, "a"): (2, 24)}
    assert "window_aggregate" in done.stderr or "tumble" in done.stderr, "the operators' numbers"
    assert "watermark=2026-03-01T10:00:24" in done.stderr
    listed = case.weir.run(["checkpoints", "list", file], cwd=case.folder)
    assert "whole" in listed.stdout


def test_a_silent_partition_holds_nothing_back_and_its_late_events_are_kept(case, kafka, topic, running, eventually):
    kafka.create_topic(topic, 2)
    file = pipeline(case, kafka, topic, ", 'scan.watermark.idle-timeout'='300 ms'",
                    more=f"CREATE TABLE late_events (id BIGINT, ts TIMESTAMP(3)) "
                         f"WITH ('connector'='delta', 'path'='{case.folder / 'late'}');\n")
    running(file)
    kafka.produce(topic, [{"value": at(second, number), "partition": 0}
                          for number, second in enumerate((1, 2, 12, 25), 1)])
    eventually(lambda: (0, "a") in found(case) and (10, "a") in found(case), what="windows of partition 0 alone")
    kafka.produce(topic, [{"value": at(3, 77), "partition": 1}, {"value": at(26, 5), "partition": 1}])
    eventually(lambda: (case.folder / "errors" / "p" / "events" / "_delta_log").exists() and case.error_rows(),
               what="the late event")
    (error,) = case.error_rows()
    assert (error["code"], error["sink"], error["payload"]) == ("late", "windows", at(3, 77))
    assert found(case)[(0, "a")] == (2, 3), "a window that has told its result does not change"
    replayed = case.errors(file, "replay", "--source", "events", "--code", "late", "--into", "late_events")
    assert "replayed=1 resolved=1 failed=0" in replayed.stdout
    again = case.errors(file, "replay", "--source", "events", "--code", "late", "--into", "late_events")
    assert "replayed=0" in again.stdout
    assert [row["id"] for row in rows(case.folder / "late")] == [77]


def test_one_bad_clock_closes_nobodys_windows(case, kafka, topic):
    kafka.create_topic(topic)
    file = pipeline(case, kafka, topic)
    ahead = json.dumps({"id": 9, "name": "a", "ts": "2999-01-01T00:00:00Z"}).encode()
    kafka.produce(topic, [at(1, 1), ahead, at(2, 2), json.dumps({"id": 3, "name": "a"}).encode(), at(15, 4)])
    case.once(file)
    assert found(case) == {(0, "a"): (2, 3)}
    assert sorted((row["code"], row["offset"]) for row in case.error_rows()) == [("bad_timestamp", 3), ("future", 1)]
    done = case.errors(file, "replay")
    assert "resolved=0" in done.stdout, "neither comes back into a window"


def test_processing_time_windows_close_by_the_clock(case, kafka, topic, running, eventually):
    kafka.create_topic(topic)
    file = pipeline(case, kafka, topic, columns="id BIGINT NOT NULL, name STRING, p AS PROCTIME()",
                    query=WINDOWS.replace("DESCRIPTOR(ts)", "DESCRIPTOR(p)").replace("'10'", "'1'"))
    running(file)
    kafka.produce(topic, [at(1, n) for n in range(1, 11)])
    eventually(lambda: sum(row["n"] for row in rows(case.folder / "windows")) == 10
               if (case.folder / "windows" / "_delta_log").exists() else False, what="ten events in windows")
    assert sum(row["total"] for row in rows(case.folder / "windows")) == 55


def test_state_over_its_budget_stops_with_words_and_loses_nothing(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, [at(1 + n / 1000, n, name=f"customer {n}" + "x" * 200) for n in range(1, 4001)])
    case.once(pipeline(case, kafka, topic, settings={"pipeline__state_memory": "2 gb"}))
    kafka.produce(topic, [at(5 + n / 1000, n, name=f"another {n}" + "x" * 200) for n in range(1, 4001)])
    small = pipeline(case, kafka, topic, settings={"pipeline__state_memory": "1 kb"})
    stopped = case.once(small, expect=1)
    assert "'pipeline.state-memory'" in stopped.stderr and "Nothing is lost" in stopped.stderr
    enough = pipeline(case, kafka, topic)
    kafka.produce(topic, [at(30, 1)])
    case.once(enough)
    assert len(found(case)) == 8000


@pytest.mark.parametrize("query, words", [
    ("INSERT INTO groups SELECT name, COUNT(*) AS n FROM events GROUP BY name;\n", "'pipeline.state-ttl'"),
    ("INSERT INTO groups SELECT a.name, b.id AS n FROM events a JOIN events b ON a.id = b.id;\n",
     "'pipeline.state-ttl'")])
def test_state_that_nothing_bounds_is_refused_until_it_is_meant(case, kafka, topic, query, words):
    more = (f"CREATE TABLE groups (name STRING, n BIGINT, PRIMARY KEY (name) NOT ENFORCED) "
            f"WITH ('connector'='delta', 'path'='{case.folder / 'groups'}');\n")
    file = pipeline(case, kafka, topic, query=query, more=more)
    refused = case.weir.run(["check", file], cwd=case.folder, expect=2)
    assert words in refused.stderr and "p.sql:" in refused.stderr
    assert "'pipeline.unbounded-state'" in refused.stderr
    case.weir.run(["check", pipeline(case, kafka, topic, query=query, more=more,
                                     settings={"pipeline__unbounded_state": "allow"})], cwd=case.folder)


@pytest.mark.parametrize("columns, words", [
    ("id BIGINT NOT NULL, name STRING, ts STRING, WATERMARK FOR ts AS ts", "TIMESTAMP"),
    ("id BIGINT NOT NULL, name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS id", "TIMESTAMP"),
    ("id BIGINT NOT NULL, name STRING, ts TIMESTAMP(3), WATERMARK FOR tz AS ts", "tz"),
    ("id BIGINT NOT NULL, name STRING, ts TIMESTAMP(3)", "WATERMARK")])
def test_a_wrong_watermark_is_refused_at_its_place(case, kafka, topic, columns, words):
    refused = case.weir.run(["check", pipeline(case, kafka, topic, columns=columns)], cwd=case.folder, expect=2)
    assert words in refused.stderr and "p.sql:" in refused.stderr


def test_a_drain_keeps_open_windows(case, kafka, topic, running, eventually):
    kafka.create_topic(topic)
    file = pipeline(case, kafka, topic, settings={"pipeline__commit_interval": "1 h"})
    process = running(file)
    kafka.produce(topic, [at(1, 1), at(2, 2)])
    time.sleep(1)
    process.terminate()
    assert process.wait(20) == 0
    kafka.produce(topic, [at(13, 4)])
    case.once(pipeline(case, kafka, topic))
    assert found(case) == {(0, "a"): (2, 3)}
