"""The verdict: a pure function of what was sent and what independent readers found. It knows nothing of Weir's code.

Every event of the source must be, for every table of the set, in exactly one place: a row of the table, an error of the
event or of that table's INSERT, or filtered by the query. Places are found twice: by the event's own number and by
its position in the source (partition, offset). The ledger in the commits must tell the same numbers.
"""

from collections import Counter
from dataclasses import dataclass, field

from events import BROKEN, CODES


@dataclass(frozen=True)
class Sent:
    """One event as the source holds it."""
    position: tuple   # (partition or "", offset); unique
    ref: int
    kind: str


@dataclass(frozen=True)
class Row:
    position: tuple
    ref: int
    values: tuple = ()   # of further columns, to compare two tables


@dataclass(frozen=True)
class ErrorRow:
    id: str
    position: tuple
    ref: int
    sink: str         # "" for the event as a whole
    code: str


@dataclass(frozen=True)
class LedgerLine:
    insert: str
    app_id: str
    start: int
    next: int
    read: int
    kept: int
    filtered: int
    errored: int
    emitted: int


@dataclass
class TableFound:
    rows: list
    ledger: list                                # in commit order
    stands: dict = field(default_factory=dict)  # app id -> next, as the table's txn actions say


@dataclass
class Found:
    tables: dict       # name -> TableFound
    errors: list
    resolved: list     # error ids, one for each resolution


@dataclass
class Verdict:
    lost: int = 0
    doubled: int = 0
    problems: list = field(default_factory=list)

    def say(self, words):
        self.problems.append(words)

    @property
    def ok(self):
        return self.lost == 0 and self.doubled == 0 and not self.problems


def judge(tables, sent, found, replayed=False):
    """`tables`: the workload's, the authority first. `replayed`: mended kinds have come back."""
    verdict = Verdict()
    by_position = {event.position: event for event in sent}
    if len(by_position) != len(sent):
        verdict.say("the oracle itself is wrong: two events of the source have one position")
    mended = {kind for table in tables for kind in table.mended}
    for table in tables:
        keeps = set(table.keeps) | (set(table.mended) if replayed else set())
        _judge_rows(verdict, table, keeps, sent, by_position, found.tables[table.name].rows)
        _judge_ledger(verdict, table, table is tables[0], sent, found)
        if table.mirrors:
            _judge_mirror(verdict, table, found)
    _judge_errors(verdict, tables, mended, sent, by_position, found.errors)
    if replayed:
        _judge_resolutions(verdict, mended, by_position, found)
    return verdict


def _judge_rows(verdict, table, keeps, sent, by_position, rows):
    by_ref = Counter(row.ref for row in rows)
    at = Counter(row.position for row in rows)
    sent_of_ref = Counter(event.ref for event in sent if event.kind in keeps)
    for event in sent:
        if event.kind not in keeps:
            continue
        if at[event.position] == 0 or by_ref[event.ref] < sent_of_ref[event.ref]:
            verdict.lost += 1
            verdict.say(f"{table.name}: lost event {event.ref} at {event.position}")
        elif at[event.position] > 1 or by_ref[event.ref] > sent_of_ref[event.ref]:
            verdict.doubled += 1
            verdict.say(f"{table.name}: event {event.ref} at {event.position} is there {by_ref[event.ref]} times")
    for row in rows:
        event = by_position.get(row.position)
        if event is None:
            verdict.say(f"{table.name}: a row at {row.position}, where the source has no event")
        elif event.ref != row.ref:
            verdict.say(f"{table.name}: the row at {row.position} is event {row.ref}, the source has {event.ref} there")
        elif event.kind not in keeps:
            verdict.say(f"{table.name}: has event {event.ref}, which is '{event.kind}' and does not belong there")


def _judge_mirror(verdict, table, found):
    """Both tables hold the same rows, value by value: then they agree on every count and sum."""
    here, there = (Counter(found.tables[name].rows) for name in (table.name, table.mirrors))
    for rows, name, other in ((here - there, table.name, table.mirrors), (there - here, table.mirrors, table.name)):
        for row, count in rows.items():
            verdict.say(f"{name}: the row {row} is there {count} times more than in {other}")


def _expected_errors(tables, mended, event):
    """(sink, code) of every error that the event must have."""
    if event.kind in BROKEN or event.kind in mended:
        return [("", CODES[event.kind])]
    return [(table.name, table.refuses_as or CODES[event.kind]) for table in tables if event.kind in table.refuses]


def _judge_errors(verdict, tables, mended, sent, by_position, errors):
    at = Counter((error.position, error.sink) for error in errors)
    code_at = {(error.position, error.sink): error.code for error in errors}
    expected = set()
    for event in sent:
        for sink, code in _expected_errors(tables, mended, event):
            place = (event.position, sink)
            expected.add(place)
            if at[place] == 0:
                verdict.lost += 1
                verdict.say(f"error lake: lost event {event.ref} ('{event.kind}', sink '{sink}') at {event.position}")
            elif at[place] > 1:
                verdict.doubled += at[place] - 1
                verdict.say(f"error lake: event {event.ref} at {event.position} is there {at[place]} times")
            elif code_at[place] != code:
                verdict.say(f"error lake: event {event.ref} ('{event.kind}') has code {code_at[place]}, not {code}")
    for error in errors:
        event = by_position.get(error.position)
        if event is None:
            verdict.say(f"error lake: {error.id} is at {error.position}, where the source has no event")
        elif error.ref != event.ref:
            verdict.say(f"error lake: {error.id} holds event {error.ref}, the source has {event.ref} there")
        elif (error.position, error.sink) not in expected:
            verdict.say(f"error lake: event {event.ref} is '{event.kind}' and should have no error of '{error.sink}'")
    for error_id, count in Counter(error.id for error in errors).items():
        if count > 1:
            verdict.say(f"error lake: the id {error_id} is there {count} times")


def _ledger_of(verdict, table, found):
    """The lines of the table's INSERT, each once, by partition and start. A commit of another table of the set holds
    its own lines, the authority's holds those of all INSERTs: together they must tell one story."""
    lines = {}
    for line in (line for other in found.tables.values() for line in other.ledger):
        if line.insert.split("#")[0] != table.name:
            continue
        key = (line.insert, line.app_id, line.start, line.next)
        if lines.setdefault(key, line) != line:
            verdict.say(f"{table.name}: two commits tell different counts of {key}")
    return [lines[key] for key in sorted(lines)]


def _judge_ledger(verdict, table, authority, sent, found):
    """Ranges of each INSERT and partition join without gap or overlap, and the counts are those of the events.
    ClickHouse keeps no ledger: of its INSERT only the authority tells, and not what ClickHouse had before a crash."""
    reached = {}
    whole = table.store == "delta"
    totals = Counter()
    for line in _ledger_of(verdict, table, found):
        where = f"{table.name}: ledger of {line.insert} {line.app_id} [{line.start}, {line.next})"
        if line.read != line.kept + line.filtered + line.errored:
            verdict.say(f"{where}: read {line.read} is not {line.kept} + {line.filtered} + {line.errored}")
        key = (line.insert, line.app_id)
        if key in reached and (line.start < reached[key] or whole and line.start != reached[key]):
            kind = "a gap" if line.start > reached[key] else "an overlap"
            verdict.say(f"{where}: {kind}, the commit before ended at {reached[key]}")
        if line.next <= line.start:
            verdict.say(f"{where}: an empty range")
        reached[key] = line.next
        totals.update({name: getattr(line, name) for name in ("read", "kept", "filtered", "errored", "emitted")})
    if not whole:
        return
    stands = found.tables[table.name].stands
    for (_, app_id), end in reached.items():
        stand = stands.get(app_id, 0)
        if stand > end or (authority and stand != end):
            verdict.say(f"{table.name}: the ledger of {app_id} ends at {end}, the table's txn says {stand}")
    expected = Counter(read=len(sent))
    for event in sent:
        expected["kept" if event.kind in table.keeps else "filtered" if event.kind in table.filters else "errored"] += 1
    expected["emitted"] = expected["kept"]
    for name in ("read", "kept", "filtered", "errored", "emitted"):
        if totals[name] != expected[name]:
            verdict.say(f"{table.name}: the ledger says {name}={totals[name]}, the source says {expected[name]}")


def _judge_resolutions(verdict, mended, by_position, found):
    resolved = Counter(found.resolved)
    for error in found.errors:
        event = by_position.get(error.position)
        if event is None:
            continue
        wanted = 1 if event.kind in mended else 0
        if resolved[error.id] != wanted:
            verdict.say(f"error lake: {error.id} (event {event.ref}, '{event.kind}') is resolved {resolved[error.id]} "
                        f"times, not {wanted}")
    for error_id in set(resolved) - {error.id for error in found.errors}:
        verdict.say(f"error lake: {error_id} is resolved but was never an error")
