"""Error budgets: what gives too many bad events is paused, the rest goes on, and nothing is lost or doubled by it."""

import collections
import re
import shutil
import signal

import pytest
from case import COLUMNS, column, event, publish, with_jetstream

LIMITS = ", 'error-budget.share'='0.5', 'error-budget.min-events'='20', 'error-budget.pause'='1 h'"
STRICT, MENDED = "CHECK (amount >= 0)", "CHECK (amount >= -1)"


def bad(number):
    return event(number, amount=-1)


def codes(case, source="events"):
    return collections.Counter(row["code"] for row in case.error_rows(source=source))


def test_one_producer_by_subject(case, shared_nats, running, eventually):
    """Of 400 events every second comes from S.b, whose first 50 are bad: its later ones are set aside, S.a's flow."""
    numbers = list(range(1, 401))
    messages = [bad(n) if n % 2 == 0 and n <= 100 else event(n) for n in numbers]
    publish(shared_nats.url, case.stream, messages, subjects=[f"{case.stream}.a", f"{case.stream}.b"])
    budget = LIMITS + ", 'error-budget.by'='subject'"
    file = case.nats_pipeline(shared_nats.url, budget, checks=STRICT, settings={"pipeline__batch_rows": "40"})
    process = running(file, "--progress", "lines", "--metrics", case.folder / "weir.prom")
    eventually(lambda: set(range(1, 401, 2)) <= set(case.ids()), what="the good producer's events")
    eventually(lambda: len(case.ids()) + len(case.error_rows()) == 400, what="every event somewhere")
    told = eventually(lambda: re.search(r"paused=events\(producer=(\S+), \d+ s\)", process.said()), what="the status")
    assert told[1] == f"{case.stream}.b"
    assert f"the producer '{case.stream}.b' of 'events' is paused for 3600 s" in process.said()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    counted = codes(case)
    metrics = dict(re.findall(r"^(\w+)\{.*\} (\d+)$", (case.folder / "weir.prom").read_text(), re.MULTILINE))
    assert metrics | {"weir_events_total": "400", "weir_paused": "1", "weir_pauses_total": "1", "weir_running": "0",
                      "weir_set_aside_total": str(counted["producer_paused"]),
                      "weir_errors_total": str(sum(counted.values()))} == metrics
    assert set(counted) == {"check_failed", "producer_paused"} and counted["producer_paused"] >= 100
    aside = [row for row in case.error_rows() if row["code"] == "producer_paused"]
    assert {row["subject"] for row in aside} == {f"{case.stream}.b"}
    assert all(bytes(row["payload"]) == messages[row["offset"] - 1] for row in aside)
    # Replay judges nobody: with the CHECK mended all of it comes back, once.
    case.nats_pipeline(shared_nats.url, budget, checks=MENDED)
    total = sum(counted.values())
    assert f"replayed={total} resolved={total} failed=0" in case.errors("p.sql", "replay").stdout
    assert case.ids() == numbers
    assert "replayed=0" in case.errors("p.sql", "replay").stdout


@pytest.mark.parametrize("by", ["header:tenant", "header:absent"])
def test_one_producer_by_header(case, shared_nats, by):
    """Without the header all events are one producer."""
    async def publish_with_headers(js):
        await js.add_stream(name=case.stream, subjects=[f"{case.stream}.>"])
        for number in range(1, 201):
            tenant = "acme" if number % 2 == 0 else "other"
            await js.publish(f"{case.stream}.a", bad(number) if tenant == "acme" and number <= 80 else event(number),
                             headers={"a": "x", "tenant": tenant})
    with_jetstream(shared_nats.url, publish_with_headers)
    limits = LIMITS.replace("'0.5'", "'0.4'") + f", 'error-budget.by'='{by}'"
    case.nats_pipeline(shared_nats.url, limits, checks=STRICT, settings={"pipeline__batch_rows": "40"})
    case.once("p.sql")
    aside = sorted(row["offset"] for row in case.error_rows() if row["code"] == "producer_paused")
    assert len(aside) >= 50
    assert {number % 2 for number in aside} == ({0} if by == "header:tenant" else {0, 1})
    assert len(case.ids()) + len(case.error_rows()) == 200


def test_a_whole_source_waits_and_the_other_goes_on(case, running, eventually):
    """By source nothing is set aside: reading stops, then goes on where it was, on probation."""
    (case.folder / "bad.ndjson").write_bytes(b"\n".join([bad(n) for n in range(1, 41)] + [event(n) for n in
                                                                                        range(41, 121)]) + b"\n")
    (case.folder / "good.ndjson").write_bytes(b"\n".join(event(n) for n in range(1001, 1201)) + b"\n")
    limits = LIMITS.replace("1 h", "{pause}")

    def write(pause):
        return case.write("p.sql", case.settings("p", pipeline__batch_rows="20") + "".join(
            f"CREATE TABLE {name} ({COLUMNS}, {STRICT}) WITH ('connector'='file', "
            f"'path'='{case.folder}/{name}.ndjson'{limits.format(pause=pause) if name == 'bad' else ''});\n"
            for name in ("bad", "good")) + (
            f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
            "INSERT INTO lake SELECT * FROM bad UNION ALL SELECT * FROM good;\n"))
    process = running(write("1 h"), "--progress", "lines")
    eventually(lambda: set(range(1001, 1201)) <= set(case.ids()), what="the good source's events")
    eventually(lambda: re.search(r"paused=bad\(\d+ s\)", process.said()), what="the status")
    eventually(lambda: len(case.error_rows(source="bad")) == 20, what="the first batch's errors")
    assert "'bad' is paused for 3600 s: 20 of 20 events were bad" in process.said()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert set(case.ids()) == set(range(1001, 1201))
    write("50 ms")  # a new process judges afresh: paused once more, tried again, then well
    done = case.once("p.sql")
    assert "is tried again after its pause" in done.stderr
    assert case.ids() == [*range(41, 121), *range(1001, 1201)]
    assert codes(case, "bad") == {"check_failed": 40}


def test_metrics_that_cannot_be_written_stop_nothing(case):
    (case.folder / "in.ndjson").write_bytes(event(1) + b"\n")
    file = case.file_pipeline(case.folder / "in.ndjson")
    (case.folder / "taken").mkdir()  # a folder is no file to replace
    done = case.weir.run(["run", "--once", file, "--metrics", case.folder / "taken"], cwd=case.folder)
    assert done.stderr.count("--metrics: ") == 1 and case.ids() == [1]


@pytest.mark.parametrize("options, words", [
    ("'error-budget.share'='1.5'", "'error-budget.share' = '1.5' is not a share that can be exceeded"),
    ("'error-budget.share'='half'", "a number"),
    ("'error-budget.rate'='-1'", "'error-budget.rate' = '-1' is not between 0 and"),
    ("'error-budget.share'='0.5', 'error-budget.by'='header:'", "'source', 'subject', 'key', 'header:<name>'"),
    ("'error-budget.share'='0.5', 'error-budget.window'='1 ms'", "at least '100 ms'"),
    ("'error-budget.share'='0.5', 'error-budget.max-producers'='0'", "between 1 and 1000000"),
    ("'error-budget.pause'='1 s'", "says nothing without 'error-budget.share' or 'error-budget.rate'"),
    ("'error-budget.shares'='0.5'", "error-budget.share"),
])
def test_wrong_options_are_told_at_their_place(case, options, words):
    file = case.file_pipeline(case.folder / "in.ndjson", ", " + options)
    said = case.weir.run(["check", file], cwd=case.folder, expect=2).stderr
    assert re.search(r"p\.sql:\d+:\d+: error: ", said) and words in said, said


@pytest.mark.parametrize("setting, words", [({"error_lake__enabled": "false"}, "needs the error lake"),
                                            ({"pipeline__workers": "several"}, "only a whole source can be paused")])
def test_where_no_producer_can_be_paused(case, setting, words):
    file = case.file_pipeline(case.folder / "in.ndjson", ", 'error-budget.rate'='5', 'error-budget.by'='key'",
                              settings=setting)
    said = case.weir.run(["check", file], cwd=case.folder, expect=2).stderr
    assert re.search(r"p\.sql:\d+:\d+: error: ", said) and words in said, said


def crash_case(case, limits, checks=STRICT):
    """Four files, one producer each; b's first 200 events are bad. `fast` runs far ahead of the authority."""
    return case.write("p.sql", case.settings("p", pipeline__batch_rows="50", pipeline__commit_interval="400 ms") + (
        f"CREATE TABLE events ({COLUMNS}, {checks}) WITH ('connector'='file', "
        f"'path'='{case.folder}/in/*.ndjson'{limits});\n"
        f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
        f"CREATE TABLE fast WITH ('connector'='delta', 'path'='{case.folder}/fast', 'commit-interval'='5 ms');\n"
        "INSERT INTO lake SELECT * FROM events;\nINSERT INTO fast SELECT id FROM events;\n"))


@pytest.fixture
def four_files(case):
    (case.folder / "in").mkdir()
    for index, name in enumerate("abcd"):
        first = 1 + 3000 * index
        lines = [bad(n) if name == "b" and n < first + 200 else event(n) for n in range(first, first + 3000)]
        (case.folder / "in" / f"{name}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    return case


BUDGET = LIMITS + ", 'error-budget.by'='subject'"
AFTERWARDS = {"as it was": BUDGET, "switched off": "", "as strict as can be":
              ", 'error-budget.share'='0', 'error-budget.min-events'='1', 'error-budget.by'='subject'"}


def is_killed_at(case, point):
    """How often a run commits depends on the machine: where it ends before the point, an earlier passage is taken."""
    name, passage = point.split(":")
    for number in range(int(passage), 0, -1):
        done = case.once("p.sql", expect=None, env={"WEIR_CRASH_POINT": f"{name}:{number}"})
        if done.returncode == -signal.SIGKILL:
            return
        assert done.returncode == 0, done.stderr
        for folder in ("lake", "fast", "errors", "state"):
            shutil.rmtree(case.folder / folder)
    pytest.fail(f"never at {name}")


@pytest.mark.parametrize("afterwards", AFTERWARDS)
@pytest.mark.parametrize("point", ["runtime.before_errors:1", "runtime.after_errors:1", "runtime.after_errors:2",
                                   "runtime.before_sink:2", "runtime.after_sink:1", "runtime.after_sink:2",
                                   "runtime.after_sink:4", "runtime.before_authority:1", "runtime.after_authority:1",
                                   "delta.after_commit:2", "delta.after_commit:3", "delta.after_commit:5"])
def test_what_was_decided_before_a_crash_stays_decided(four_files, point, afterwards):
    """Budgets look at the clock and at counts that die with the process: the next run would judge otherwise."""
    case = four_files
    crash_case(case, BUDGET)
    is_killed_at(case, point)
    crash_case(case, AFTERWARDS[afterwards])
    case.once("p.sql")
    errors = case.error_rows()
    assert len({row["id"] for row in errors}) == len(errors)
    stored = {int(re.search(rb'"id": (\d+)', bytes(row["payload"]))[1]) for row in errors}
    assert len(stored) == len(errors)
    for lake in (case.lake, case.folder / "fast"):
        assert sorted([*column(lake, "id"), *stored]) == list(range(1, 12001)), f"{lake} after {point}"
    crash_case(case, AFTERWARDS[afterwards], checks=MENDED)
    assert f"resolved={len(errors)} failed=0" in case.errors("p.sql", "replay").stdout
    for lake in (case.lake, case.folder / "fast"):
        assert sorted(column(lake, "id")) == list(range(1, 12001))
