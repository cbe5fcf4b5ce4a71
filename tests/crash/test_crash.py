"""Two fixed seeds of each workload of the crash oracle; and the oracle itself, which must be able to fail."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest
from deltalake import DeltaTable, write_deltalake

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from oracle import ErrorRow, Found, LedgerLine, Row, Sent, TableFound, judge  # noqa: E402
from runner import SeedRun, Slot  # noqa: E402
from workload import Table, load_workloads, plan  # noqa: E402


def test_two_seeds_of_each_workload(weir):
    seeds = 2 * len(load_workloads())
    done = subprocess.run([sys.executable, str(HERE / "crash.py"), "--seeds", str(seeds),
                           "--weir", str(weir.path)],
                          capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    print(done.stdout)
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", last)}
    assert found["seeds"] == seeds and found["lost"] == 0 and found["doubled"] == 0
    assert found["kills"] >= 30 and found["at_points"] >= 10 and found["events"] > 10_000, last
    for name in load_workloads():
        assert re.search(rf"^crash: {name} +seeds=[23] ", done.stdout, re.M), done.stdout


# ---- the verdict as a pure function ------------------------------------------------------------------------------

TABLES = [Table("lake", keeps=["plain", "zero"]), Table("shares", keeps=["plain"], refuses=["zero"])]
SENT = [Sent(("", 1), 101, "plain"), Sent(("", 2), 102, "cut"), Sent(("", 3), 103, "zero"), Sent(("", 4), 104, "plain")]
APP = "weir/p/events/S@1/>"


def ledger(insert, start, end, read, kept, filtered, errored):
    return LedgerLine(insert, APP, start, end, read, kept, filtered, errored, kept)


def sound():
    first, second = ledger("lake", 1, 3, 2, 1, 0, 1), ledger("lake", 3, 5, 2, 2, 0, 0)
    shares = [ledger("shares", 1, 3, 2, 1, 0, 1), ledger("shares", 3, 5, 2, 1, 0, 1)]
    return Found(
        tables={"lake": TableFound([Row(("", 1), 101), Row(("", 3), 103), Row(("", 4), 104)],
                                   [first, shares[0], second, shares[1]], {APP: 5}),
                "shares": TableFound([Row(("", 1), 101), Row(("", 4), 104)], shares, {APP: 5})},
        errors=[ErrorRow("e2", ("", 2), 102, "", "malformed"), ErrorRow("e3", ("", 3), 103, "shares", "sql_eval")],
        resolved=[])


def test_a_sound_result_passes():
    verdict = judge(TABLES, SENT, sound())
    assert verdict.ok, verdict.problems


def drop_row(found):
    del found.tables["lake"].rows[1]


def drop_row_of_second_table(found):
    del found.tables["shares"].rows[0]


def drop_error(found):
    del found.errors[0]


def drop_error_of_one_insert(found):
    del found.errors[1]


def double_row(found):
    found.tables["lake"].rows.append(found.tables["lake"].rows[0])


def double_error(found):
    found.errors.append(replace(found.errors[0], id="e2-again"))


def same_event_elsewhere(found):
    found.tables["lake"].rows.append(Row(("", 2), 101))


def error_as_a_row(found):
    found.tables["lake"].rows.append(Row(("", 2), 102))


def row_as_an_error(found):
    found.errors.append(ErrorRow("e1", ("", 1), 101, "", "malformed"))


def wrong_code(found):
    found.errors[0] = replace(found.errors[0], code="wrong_type")


def row_from_nowhere(found):
    found.tables["lake"].rows.append(Row(("", 77), 177))


def swapped_rows(found):
    rows = found.tables["lake"].rows
    rows[0], rows[1] = replace(rows[0], ref=rows[1].ref), replace(rows[1], ref=rows[0].ref)


def gap_in_the_ledger(found):
    del found.tables["lake"].ledger[2]


def overlap_in_the_ledger(found):
    lines = found.tables["lake"].ledger
    lines[2] = replace(lines[2], start=2)


def ledger_that_does_not_add_up(found):
    lines = found.tables["lake"].ledger
    lines[2] = replace(lines[2], kept=1)


def ledger_that_filters(found):
    lines = found.tables["lake"].ledger
    lines[2] = replace(lines[2], kept=1, emitted=1, filtered=1)


def two_stories(found):
    lines = found.tables["lake"].ledger
    lines[3] = replace(lines[3], kept=2, emitted=2, errored=0)


def position_behind_the_ledger(found):
    found.tables["lake"].stands[APP] = 3


@pytest.mark.parametrize("doctor, lost, doubled", [
    (drop_row, 1, 0), (drop_row_of_second_table, 1, 0), (drop_error, 1, 0), (drop_error_of_one_insert, 1, 0),
    (double_row, 0, 1), (double_error, 0, 1), (same_event_elsewhere, 0, 1), (error_as_a_row, 0, 0),
    (row_as_an_error, 0, 0), (wrong_code, 0, 0), (row_from_nowhere, 0, 0), (swapped_rows, 0, 0),
    (gap_in_the_ledger, 0, 0), (overlap_in_the_ledger, 0, 0), (ledger_that_does_not_add_up, 0, 0),
    (ledger_that_filters, 0, 0), (two_stories, 0, 0), (position_behind_the_ledger, 0, 0)])
def test_the_verdict_can_fail(doctor, lost, doubled):
    found = sound()
    doctor(found)
    verdict = judge(TABLES, SENT, found)
    assert not verdict.ok and verdict.problems
    assert (verdict.lost, verdict.doubled) == (lost, doubled), verdict.problems


FRESH = [Table("lake", keeps=["plain"], filters=["zero"]),
         Table("fresh", keeps=["plain"], refuses=["zero"], refuses_as="sink_refused", store="clickhouse",
               mirrors="lake")]


def fresh():
    """A lake, the authority, and a ClickHouse table that was ahead at a crash: the ledger does not tell [1, 3)."""
    rows = [Row(("", 1), 101, (7, "c1")), Row(("", 4), 104, (8, "c2"))]
    lake = [ledger("lake", 1, 3, 2, 1, 0, 1), ledger("lake", 3, 5, 2, 1, 1, 0)]
    return Found(
        tables={"lake": TableFound(list(rows), [*lake, ledger("fresh", 3, 5, 2, 2, 0, 0)], {APP: 5}),
                "fresh": TableFound(list(rows), [])},
        errors=[ErrorRow("e2", ("", 2), 102, "", "malformed"), ErrorRow("e3", ("", 3), 103, "fresh", "sink_refused")],
        resolved=[])


def double_in_clickhouse(found):
    found.tables["fresh"].rows.append(found.tables["fresh"].rows[0])


def lost_in_clickhouse(found):
    del found.tables["fresh"].rows[0]


def other_value_in_clickhouse(found):
    found.tables["fresh"].rows[0] = replace(found.tables["fresh"].rows[0], values=(7, "c2"))


def refused_and_stored(found):
    found.tables["fresh"].rows.append(Row(("", 3), 103, (9, "c3")))


def refused_twice(found):
    found.errors.append(replace(found.errors[1], id="e3/2"))


def refused_by_the_query(found):
    found.errors[1] = replace(found.errors[1], code="sql_eval")


def refused_row_lost(found):
    del found.errors[1]


def told_twice_by_the_ledger(found):
    found.tables["lake"].ledger.append(ledger("fresh", 4, 6, 1, 1, 0, 0))


def test_a_sound_result_of_two_stores_passes():
    verdict = judge(FRESH, SENT, fresh())
    assert verdict.ok, verdict.problems


@pytest.mark.parametrize("doctor, lost, doubled", [
    (double_in_clickhouse, 0, 1), (lost_in_clickhouse, 1, 0), (other_value_in_clickhouse, 0, 0),
    (refused_and_stored, 0, 0), (refused_twice, 0, 1), (refused_by_the_query, 0, 0), (refused_row_lost, 1, 0),
    (told_twice_by_the_ledger, 0, 0)])
def test_the_verdict_on_clickhouse_can_fail(doctor, lost, doubled):
    found = fresh()
    doctor(found)
    verdict = judge(FRESH, SENT, found)
    assert not verdict.ok and verdict.problems
    assert (verdict.lost, verdict.doubled) == (lost, doubled), verdict.problems


def test_the_verdict_on_resolutions():
    table = [Table("lake", keeps=["plain"], mended=["owed"])]
    sent = [Sent(("", 1), 1, "plain"), Sent(("", 2), 2, "owed"), Sent(("", 3), 3, "cut")]
    errors = [ErrorRow("e2", ("", 2), 2, "", "check_failed"), ErrorRow("e3", ("", 3), 3, "", "malformed")]

    def found(resolved):
        rows = [Row(("", 1), 1), Row(("", 2), 2)]
        return Found({"lake": TableFound(rows, [ledger("lake", 1, 4, 3, 1, 0, 2)], {APP: 4})}, errors, resolved)
    assert judge(table, sent, found(["e2"]), replayed=True).ok
    for wrong in ([], ["e2", "e2"], ["e2", "e3"], ["e2", "e9"]):
        assert not judge(table, sent, found(wrong), replayed=True).ok, wrong


# ---- the whole oracle on real tables -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good_run(weir, tmp_path_factory):
    """A seed that went well, with its tables."""
    folder = tmp_path_factory.mktemp("crash")
    workload = load_workloads()["file-to-lake"]
    run = SeedRun(weir.path, Slot(folder / "servers"), workload, plan(workload, 3), folder / "run")
    outcome = run.run()
    assert outcome.ok, outcome.problems
    assert outcome.errors > 0
    return run


@pytest.fixture
def doctored(good_run, tmp_path):
    """judge() of copies of the tables after doctor(lake folder, error table's folder)."""
    def result(doctor):
        places = dict(good_run.places)
        for name in ("lake", "errors"):
            shutil.copytree(places[name], tmp_path / name)
            good_run.places[name] = str(tmp_path / name)
        try:
            lake, errors = tmp_path / "lake" / "lake_events", tmp_path / "errors" / places["name"] / "events"
            doctor(lake, errors)
            return judge(good_run.workload.tables, good_run.sent, good_run.found())
        finally:
            good_run.places.update(places)
    return result


def test_doctored_tables_untouched(doctored):
    assert doctored(lambda lake, errors: None).ok


def one_row(table):
    return DeltaTable(str(table)).to_pyarrow_table().slice(7, 1)


def test_doctored_tables_a_deleted_row(doctored):
    def doctor(lake, errors):
        ref = one_row(lake).column("ref")[0].as_py()
        DeltaTable(str(lake)).delete(f"ref = {ref}")
    verdict = doctored(doctor)
    assert verdict.lost == 1 and verdict.doubled == 0


def test_doctored_tables_an_appended_double(doctored):
    verdict = doctored(lambda lake, errors: write_deltalake(str(lake), one_row(lake), mode="append"))
    assert verdict.lost == 0 and verdict.doubled == 1


def test_doctored_tables_a_deleted_error(doctored):
    def doctor(lake, errors):
        offset = DeltaTable(str(errors)).to_pyarrow_table().column("offset")[0].as_py()
        DeltaTable(str(errors)).delete(f'"offset" = {offset}')
    assert doctored(doctor).lost >= 1


def test_doctored_tables_an_appended_error(doctored):
    def doctor(lake, errors):
        table = DeltaTable(str(errors)).to_pyarrow_table()
        write_deltalake(str(errors), pyarrow.Table.from_batches(table.slice(0, 1).to_batches()), mode="append")
    assert doctored(doctor).doubled == 1


def test_doctored_tables_a_cut_ledger(doctored):
    def doctor(lake, errors):
        for commit in sorted((lake / "_delta_log").glob("*.json"), reverse=True):
            lines = [json.loads(line) for line in commit.read_text().splitlines()]
            info = next((line["commitInfo"] for line in lines if "commitInfo" in line), {})
            if "weir" not in info:
                continue
            told = json.loads(info["weir"]) if isinstance(info["weir"], str) else info["weir"]
            told["ledger"][0]["read"] += 1
            info["weir"] = json.dumps(told) if isinstance(info["weir"], str) else told
            commit.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
            return
        raise AssertionError("no commit tells a ledger")
    verdict = doctored(doctor)
    assert verdict.lost == verdict.doubled == 0 and any("ledger" in words for words in verdict.problems)


def test_the_oracle_sees_what_at_least_once_doubles(weir, tmp_path):
    """The same workload, with a sink that promises less: an answer that is lost must show as rows that came twice."""
    workload = load_workloads()["nats-to-lake-and-clickhouse"]
    connector = "'connector'='clickhouse',"
    weaker = workload.pipeline.replace(connector, f"{connector} 'delivery'='at-least-once',")
    workload = replace(workload, pipeline=weaker)
    drop = {"do": "drop", "when": "after", "count": 1, "skip": 1}
    slot = Slot(tmp_path / "servers")
    try:
        for answers, doubles in (([], False), ([drop], True)):
            calm = replace(plan(workload, 1), kills=[], restarts=[], answers=answers)
            outcome = SeedRun(weir.path, slot, workload, calm, tmp_path / f"run-{doubles}").run()
            assert (outcome.doubled > 0) == doubles and outcome.lost == 0, outcome.problems[:5]
    finally:
        slot.close()


def test_every_named_fault_is_known():
    assert {workload.name for workload in load_workloads().values()} == {
        "nats-to-local-lake", "nats-to-minio", "two-tables-one-stream", "file-to-lake", "replay",
        "nats-to-lake-and-clickhouse", "kafka-to-clickhouse", "kafka-group-to-lake", "kafka-group-to-clickhouse",
        "nats-workers", "http-to-lake", "stateful-windows", "stateful-join", "stateful-groups"}
