"""The error lake by its commands: list, show, count, replay."""

import json
import re
import signal

import pytest
from case import COLUMNS, duckdb_rows, event, events, publish

BROKEN = [
    b'{"id": 901, "name": "x", "amount": true}',
    b'{"id": 902, "name": "y", "amount": 1.005}',
    b'{"id": "nine", "name": "z"}',
    b'{"name": "no id"}',
    b'{"id": 905, "name": "cut',
    b'{"id": 906, "id": 907, "name": "twice"}',
]


@pytest.fixture
def stored(case, shared_nats):
    """A pipeline that has stored BROKEN and -1 … -5, which break its CHECK, among 20 good events."""
    publish(shared_nats.url, case.stream, events(1, 20) + BROKEN + events(-5, -1))
    file = case.nats_pipeline(shared_nats.url, checks="CONSTRAINT positive CHECK (id > 0)")
    case.once(file)
    return file


def mended(case, shared_nats):
    return case.nats_pipeline(shared_nats.url, checks="CONSTRAINT positive CHECK (id > -100)")


def counts(case, file, *arguments):
    said = case.errors(file, "count", *arguments).stdout
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", said)}


def listed(case, file, *arguments):
    return [json.loads(line) for line in case.errors(file, "list", "--format", "json", *arguments).stdout.splitlines()]


def test_list_and_count(case, stored):
    assert counts(case, stored) == {"unresolved": 11, "resolved": 0, "total": 11}
    found = listed(case, stored)
    codes = sorted(entry["code"] for entry in found)
    assert codes.count("check_failed") == 5 and codes.count("wrong_type") == 2
    assert {"missing_required", "malformed", "duplicate_key"} <= set(codes)
    assert [entry["code"] for entry in listed(case, stored, "--code", "malformed")] == ["malformed"]
    assert len(listed(case, stored, "--where", "field = '/amount'")) == 2
    one = found[0]["id"]
    assert [entry["id"] for entry in listed(case, stored, "--id", one)] == [one]
    table = case.errors(stored, "list").stdout
    assert "wrong_type" in table and "check_failed" in table
    csv = case.errors(stored, "list", "--format", "csv").stdout.splitlines()
    assert csv[0].startswith("id,") and len(csv) == 12
    near = case.errors(stored, "list", "--code", "wrong_typo", expect=2).stderr
    assert "wrong_type" in near
    assert case.errors(stored, "list", "--source", "event", expect=2).stderr.count("events") >= 1
    assert case.errors(stored, "list", "--where", "no_such_column = 1", expect=2).stderr


def test_exact_payloads_read_by_others(case, stored):
    rows = duckdb_rows(case.folder / "errors" / "p" / "events",
                       "SELECT payload, payload_kind, source, sink, \"offset\", subject FROM t ORDER BY \"offset\"")
    assert [bytes(row["payload"]) for row in rows] == BROKEN + events(-5, -1)
    assert [row["offset"] for row in rows] == list(range(21, 32))
    assert {row["payload_kind"] for row in rows} == {"raw"} and {row["subject"] for row in rows} == {f"{case.stream}.a"}
    assert all(not row["sink"] for row in rows)


def test_show_puts_a_caret_under_the_byte(case, stored):
    said = case.errors(stored, "show", "--where", "field = '/amount' AND code = 'wrong_type'").stdout
    lines = said.splitlines()
    payload = next(number for number, line in enumerate(lines) if '"amount": true' in line)
    caret = lines[payload + 1].index("^")
    assert lines[payload][caret:].startswith("true"), said
    assert "wrong_type" in said and "/amount" in said


def test_replay_after_mending(case, stored, shared_nats):
    file = mended(case, shared_nats)
    done = case.errors(file, "replay", "--where", "code = 'check_failed'").stdout
    assert "replayed=5 resolved=5 failed=0" in done
    assert case.ids() == [*range(-5, 0), *range(1, 21)]
    assert counts(case, file) == {"unresolved": 6, "resolved": 5, "total": 11}
    again = case.errors(file, "replay", "--where", "code = 'check_failed'").stdout
    assert "replayed=0 resolved=0 failed=0" in again
    rest = case.errors(file, "replay").stdout
    assert "replayed=6 resolved=0 failed=6" in rest
    assert case.ids() == [*range(-5, 0), *range(1, 21)]
    assert len(listed(case, file)) == 6 and len(listed(case, file, "--all")) == 11
    resolved = case.sql(file, "SELECT count(*) AS n FROM errors._resolved WHERE outcome = 'resolved'")
    assert resolved == [{"n": 5}]


@pytest.mark.parametrize("point", ["replay.before_manifest", "replay.after_manifest", "replay.after_table",
                                   "replay.before_resolved", "replay.after_resolved", "delta.before_commit",
                                   "delta.after_commit"])
def test_interrupted_replay(case, stored, shared_nats, point):
    file = mended(case, shared_nats)
    killed = case.weir.run(["errors", "replay", file], cwd=case.folder, env={"WEIR_CRASH_POINT": f"{point}:1"},
                           expect=None)
    assert killed.returncode == -signal.SIGKILL, f"{point} was not reached: {killed.stdout}{killed.stderr}"
    case.errors(file, "replay")
    assert case.ids() == [*range(-5, 0), *range(1, 21)]
    assert counts(case, file) == {"unresolved": 6, "resolved": 5, "total": 11}
    assert "resolved=0" in case.errors(file, "replay").stdout
    assert case.ids() == [*range(-5, 0), *range(1, 21)]


def test_a_row_that_one_sink_refused_goes_into_that_sink_only(case, shared_nats):
    publish(shared_nats.url, case.stream, [event(number, name=str(number % 3)) for number in range(1, 10)])

    def file(share):
        return case.write("p.sql", case.settings("p") + (
            f"CREATE TABLE events ({COLUMNS}) WITH ('connector'='nats', 'url'='{shared_nats.url}', "
            f"'stream'='{case.stream}');\n"
            f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
            f"CREATE TABLE shares WITH ('connector'='delta', 'path'='{case.folder}/shares');\n"
            "EXECUTE STATEMENT SET BEGIN\nINSERT INTO lake SELECT * FROM events;\n"
            f"INSERT INTO shares SELECT id, {share} AS share FROM events;\nEND;\n"))
    first = file("12 / CAST(name AS BIGINT)")
    case.once(first)
    assert case.ids() == list(range(1, 10))
    assert case.ids(case.folder / "shares") == [1, 2, 4, 5, 7, 8]
    assert {(entry["code"], entry["sink"]) for entry in listed(case, first)} == {("sql_eval", "shares")}
    second = file("12 / greatest(CAST(name AS BIGINT), 1)")
    assert "replayed=3 resolved=3 failed=0" in case.errors(second, "replay").stdout
    assert case.ids() == list(range(1, 10))
    assert case.ids(case.folder / "shares") == list(range(1, 10))


def test_nothing_to_show(case, shared_nats):
    publish(shared_nats.url, case.stream, events(1, 5))
    file = case.nats_pipeline(shared_nats.url)
    assert counts(case, file) == {"unresolved": 0, "resolved": 0, "total": 0}
    case.once(file)
    assert counts(case, file) == {"unresolved": 0, "resolved": 0, "total": 0}
    assert "replayed=0 resolved=0 failed=0" in case.errors(file, "replay").stdout
    assert "no errors" in case.errors(file, "show").stdout


def test_more_errors_than_memory_holds_are_listed_and_replayed(case):
    """300 MB of payloads, where a query may take 256 MB: only what is small is ever sorted."""
    rows, size = 50_000, 6_000
    path = case.folder / "wide.ndjson"
    with open(path, "w") as out:
        for number in range(rows):
            out.write(f'{{"id": {number}, "name": "{number:0{size}d}"}}\n')
    source = f"'connector'='file', 'path'='{path}', 'format'='json'"
    case.pipeline(source, columns="id BIGINT NOT NULL, name STRING", checks="CHECK (id < 0)", select="id")
    case.once("p.sql", timeout_s=120)
    assert counts(case, "p.sql")["unresolved"] == rows
    assert len(case.errors("p.sql", "list").stdout.splitlines()) > 1000
    shown = case.errors("p.sql", "show", "--limit", "2").stdout
    assert f"({rows - 2} more" in shown.replace(",", "")
    case.pipeline(source, columns="id BIGINT NOT NULL, name STRING", checks="CHECK (id >= 0)", select="id")
    replayed = case.weir.run(["errors", "replay", "p.sql"], cwd=case.folder, timeout_s=180)
    assert replayed.stdout.strip() == f"replayed={rows} resolved={rows} failed=0"
    assert case.ids() == list(range(rows))
