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
