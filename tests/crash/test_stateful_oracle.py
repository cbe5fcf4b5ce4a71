"""The verdict on stateful queries, which must be able to fail: doctored results, one fault each."""

import random
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from events import BROKEN, Event  # noqa: E402
from oracle import ErrorRow, Row, Sent  # noqa: E402
from stateful_oracle import FoundResults, _values, judge_results  # noqa: E402
from workload import load_workloads  # noqa: E402

LATE = 33  # a good event that came too late
KINDS = {5: "cut", 12: "below", LATE: "behind"}
EVENTS = [Event.make(ref, KINDS.get(ref, "plain"), random.Random(ref)) for ref in range(1, 41)]
SENT = [Sent((str(event.ref % 2), event.ref // 2), event.ref, event.kind) for event in EVENTS]
AT = {event.ref: event.position for event in SENT}


def windows():
    """What an engine without faults leaves: computed here in another way than by the oracle."""
    rows = {}
    for event in EVENTS:
        if event.kind not in BROKEN and event.ref != LATE:
            value = _values(event)
            start = value["placed_at"] - value["placed_at"] % 10_000
            key = (start, value["customer"])
            count, total = rows.get(key, (0, Decimal(0)))
            rows[key] = (count + 1, total + value["amount"])
    return [(*key, *value) for key, value in rows.items()]


def sound():
    kept = [event.ref for event in EVENTS if event.kind not in BROKEN]
    errors = [ErrorRow("e5", AT[5], 5, "", "malformed"), ErrorRow("e12", AT[12], 12, "", "check_failed")]
    errors += [ErrorRow(f"late/{sink}", AT[LATE], LATE, sink, "late") for sink in ("lake_windows", "fresh_windows")]
    return FoundResults({"lake_events": [Row(("out:lake_events", number), ref) for number, ref in enumerate(kept)]},
                        {"lake_windows": windows(), "fresh_windows": windows()}, errors)


def verdict_on(found, name="stateful-windows"):
    return judge_results(load_workloads()[name], EVENTS, SENT, found)


def test_a_sound_result_passes():
    assert verdict_on(sound()).ok, verdict_on(sound()).problems


def drop_event(found):
    del found.tables["lake_events"][3]


def double_event(found):
    found.tables["lake_events"].append(replace(found.tables["lake_events"][3], position=("out:lake_events", 999)))


def number_twice(found):
    rows = found.tables["lake_events"]
    rows[3] = replace(rows[3], position=rows[4].position)


def broken_event_as_a_row(found):
    found.tables["lake_events"].append(Row(("out:lake_events", 999), 5))


def change(found, by, both=True):
    """Of both sinks, so that they still agree."""
    for name in ("lake_windows", "fresh_windows")[:2 if both else 1]:
        start, customer, events, total = found.results[name][2]
        found.results[name][2] = (start, customer, events + by[0], total + by[1])


def count_too_low(found):
    change(found, (-1, Decimal("-1.00")))


def count_too_high(found):
    change(found, (1, Decimal("1.00")))


def wrong_sum(found):
    change(found, (0, Decimal("0.01")))


def sinks_differ(found):
    change(found, (0, Decimal("0.01")), both=False)


def window_twice(found):
    for rows in found.results.values():
        rows.append(rows[0])


def window_lost(found):
    for rows in found.results.values():
        del rows[0]


def window_from_nowhere(found):
    for rows in found.results.values():
        rows.append((7, "c9", 1, Decimal(1)))


def error_lost(found):
    del found.errors[0]


def late_and_counted(found):
    found.errors.append(ErrorRow("late", AT[20], 20, "", "late"))


def neither_late_nor_counted(found):
    del found.errors[2:]


def late_twice(found):
    found.errors.append(replace(found.errors[2], id="again"))


def wrong_code(found):
    found.errors[0] = replace(found.errors[0], code="wrong_type")


def late_without_being_it(found):
    found.errors[2] = replace(found.errors[2], code="sql_eval")


def same_id(found):
    found.errors[1] = replace(found.errors[1], id="e5")


@pytest.mark.parametrize("doctor, lost, doubled", [
    (drop_event, 1, 0), (double_event, 0, 1), (number_twice, 0, 0), (broken_event_as_a_row, 0, 1),
    (count_too_low, 2, 0), (count_too_high, 0, 2), (wrong_sum, 0, 0), (sinks_differ, 0, 0), (window_twice, 0, 2),
    (window_lost, None, 0), (window_from_nowhere, 0, 2), (error_lost, 1, 0), (late_and_counted, 0, 2),
    (neither_late_nor_counted, 2, 0), (late_twice, 0, 1), (wrong_code, 0, 0), (late_without_being_it, 1, 0),
    (same_id, 0, 0)])
def test_the_verdict_can_fail(doctor, lost, doubled):
    found = sound()
    doctor(found)
    verdict = verdict_on(found)
    assert not verdict.ok and verdict.problems
    assert lost is None and verdict.lost > 0 or verdict.lost == lost, verdict.problems
    assert verdict.doubled == doubled, verdict.problems


def pairs():
    return [(ref, ref + 1) for ref in range(1, 40) if not {ref, ref + 1} & {5, 12}]


@pytest.mark.parametrize("doctor, lost, doubled", [
    (lambda rows: None, 0, 0), (lambda rows: rows.remove((32, 33)), 0, 0), (lambda rows: rows.append((32, 33)), 0, 1),
    (lambda rows: rows.remove((20, 21)), 1, 0), (lambda rows: rows.append((20, 21)), 0, 1),
    (lambda rows: rows.append((4, 5)), 0, 1), (lambda rows: rows.append((20, 22)), 0, 1)])
def test_the_verdict_on_a_join(doctor, lost, doubled):
    found = sound()
    found.errors[2:] = [ErrorRow("late", AT[LATE], LATE, "lake_pairs", "late")]
    found.results = {"lake_pairs": pairs()}
    doctor(found.results["lake_pairs"])
    verdict = verdict_on(found, "stateful-join")
    assert (verdict.lost, verdict.doubled) == (lost, doubled), verdict.problems


def test_the_verdict_on_sums_without_windows():
    rows = {}
    for event in EVENTS:
        if event.kind not in BROKEN:
            value = _values(event)
            count, total = rows.get((value["customer"], value["units"]), (0, Decimal(0)))
            rows[value["customer"], value["units"]] = (count + 1, total + value["amount"])
    sums = [(*key, *value) for key, value in rows.items()]
    found = sound()
    del found.errors[2:]
    found.results = {"lake_groups": list(sums), "fresh_groups": list(sums)}
    assert verdict_on(found, "stateful-groups").ok, verdict_on(found, "stateful-groups").problems
    found.results["fresh_groups"].append(sums[0])  # an older version that should have been replaced
    assert verdict_on(found, "stateful-groups").doubled == 1
