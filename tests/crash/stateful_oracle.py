"""The verdict on stateful queries: a pure function of what was sent and what independent readers found.

What a query's table must hold is computed anew, in Python, from the events of the source without those that stand in
the error lake as `late`. So every event is counted exactly once: in a result, or in the error lake. Which events are
late depends on how partitions and crashes met; that none is both late and counted, or neither, does not.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from events import BROKEN, CODES
from oracle import Verdict

WINDOW_MS = 10_000
RESULT_COLUMNS = {"windows": ("window_start", "customer", "events", "total"),
                  "pairs": ("first_ref", "second_ref"),
                  "groups": ("customer", "units", "events", "total")}
_KEY_COLUMNS = {"windows": 2, "pairs": 2, "groups": 2}


@dataclass
class FoundResults:
    tables: dict   # name -> oracle.Row, whose position is (pseudo partition, running number)
    results: dict  # name -> tuples of RESULT_COLUMNS
    errors: list   # oracle.ErrorRow


def judge_results(workload, events, sent, found):
    verdict = Verdict()
    values = {event.ref: _values(event) for event in events if event.kind not in BROKEN}
    good = [event for event in sent if event.kind not in BROKEN]
    for table in workload.tables:
        _judge_table(verdict, table, sent, found.tables[table.name])
    _judge_errors(verdict, workload, sent, found.errors)
    late = defaultdict(set)  # sink -> positions
    for error in found.errors:
        if error.code == "late":
            late[error.sink].add(error.position)
    for result in workload.results:
        too_late = late[""] | late[result.name]
        rows = found.results[result.name]
        if result.kind == "pairs":
            _judge_pairs(verdict, result, good, too_late, rows)
        else:
            counted = [values[event.ref] for event in good if event.position not in too_late]
            _judge_sums(verdict, result, _sums(result.kind, counted), rows)
        if result.mirrors:
            _judge_mirror(verdict, result, rows, found.results[result.mirrors])
    return verdict


def _values(event):
    fields = json.loads(event.payload, parse_float=Decimal)
    time = datetime.fromisoformat(fields["placed_at"]).replace(tzinfo=timezone.utc)
    fields["placed_at"] = round(time.timestamp() * 1000)
    return fields


def _key(kind, event):
    if kind == "groups":
        return event["customer"], event["units"]
    return event["placed_at"] // WINDOW_MS * WINDOW_MS, event["customer"]


def _sums(kind, counted):
    sums = defaultdict(lambda: [0, Decimal(0)])
    for event in counted:
        sum_ = sums[_key(kind, event)]
        sum_[0] += 1
        sum_[1] += event["amount"]
    return {key: tuple(sum_) for key, sum_ in sums.items()}


def _judge_table(verdict, table, sent, rows):
    """Each event that the table keeps is one row, whatever came of it elsewhere."""
    there = Counter(row.ref for row in rows)
    wanted = Counter(event.ref for event in sent if event.kind in table.keeps)
    for ref in wanted.keys() | there.keys():
        _compare(verdict, f"{table.name}: event {ref}", wanted[ref], there[ref])
    for place, count in Counter(row.position for row in rows).items():
        if count > 1:
            verdict.say(f"{table.name}: {count} rows are number {place}")


def _judge_errors(verdict, workload, sent, errors):
    by_position = {event.position: event for event in sent}
    at = Counter((error.position, error.sink) for error in errors)
    sinks = {"", *(result.name for result in workload.results)}
    for error in errors:
        event = by_position.get(error.position)
        if event is None or event.ref != error.ref:
            verdict.say(f"error lake: {error.id} is event {error.ref} at {error.position}, the source has "
                        f"{event and event.ref} there")
            continue
        expected = CODES[event.kind] if event.kind in BROKEN else "late"
        if error.code != expected or error.sink not in (sinks if expected == "late" else {""}):
            verdict.say(f"error lake: event {event.ref} ('{event.kind}') has an error {error.code} of '{error.sink}'")
    for event in sent:
        if event.kind in BROKEN:
            _compare(verdict, f"error lake: event {event.ref} ('{event.kind}')", 1, at[(event.position, "")])
    for (position, sink), count in at.items():
        if count > 1 and position in by_position and by_position[position].kind not in BROKEN:
            verdict.doubled += count - 1
            verdict.say(f"error lake: the event at {position} is there {count} times for '{sink}'")
    for error_id, count in Counter(error.id for error in errors).items():
        if count > 1:
            verdict.say(f"error lake: the id {error_id} is there {count} times")


def _compare(verdict, what, wanted, there):
    if there < wanted:
        verdict.lost += wanted - there
        verdict.say(f"{what} is lost: there are {there} of {wanted}")
    elif there > wanted:
        verdict.doubled += there - wanted
        verdict.say(f"{what} is there {there} times instead of {wanted}")


def _judge_sums(verdict, result, expected, rows):
    found = defaultdict(list)
    for row in rows:
        keys = _KEY_COLUMNS[result.kind]
        found[row[:keys]].append(row[keys:])
    for key in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(key, (0, Decimal(0))), found.get(key, [])
        if len(there) > 1:
            verdict.doubled += 1
            verdict.say(f"{result.name}: {key} has {len(there)} rows: {there}")
            continue
        count, total = there[0] if there else (0, Decimal(0))
        _compare(verdict, f"{result.name}: an event of {key}", wanted[0], count)
        if count == wanted[0] and total != wanted[1]:
            verdict.say(f"{result.name}: the sum of {key} is {total}, not {wanted[1]}")


def _judge_pairs(verdict, result, good, too_late, rows):
    """Neighbours by number; one of them that was late may have met the other or not."""
    there = Counter(rows)
    count_of = Counter(event.ref for event in good)
    late_refs = {event.ref for event in good if event.position in too_late}
    wanted = {(ref, ref + 1): count * count_of[ref + 1] for ref, count in count_of.items() if count_of[ref + 1]}
    for pair in wanted.keys() | there.keys():
        if late_refs & set(pair) and there[pair] <= wanted.get(pair, 0):
            continue
        _compare(verdict, f"{result.name}: the pair {pair}", wanted.get(pair, 0), there[pair])


def _judge_mirror(verdict, result, rows, others):
    here, there = Counter(rows), Counter(others)
    for difference, name, other in ((here - there, result.name, result.mirrors),
                                    (there - here, result.mirrors, result.name)):
        for row, count in difference.items():
            verdict.say(f"{name}: the row {row} is there {count} times more than in {other}")
