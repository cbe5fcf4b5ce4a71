"""A workload file and a seed -> everything that one run of it will do. No I/O but reading the file."""

import random
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from events import BROKEN, Event

FOLDER = Path(__file__).resolve().parent / "workloads"
_SERVERS = ("nats", "minio", "kafka", "clickhouse")
_FAULTS = {"kills", "kill_after_ms", "points", "point_ms", "lose_state_percent", "replay_kills", "replay_points",
           "answers_percent", "serve_kills", "serve_points", *(f"restart_{server}_percent" for server in _SERVERS)}
# What may become of an INSERT into ClickHouse (ClickHouseFront.fault).
_ANSWERS = ({"do": "drop", "when": "after"}, {"do": "drop", "when": "before"}, {"do": "fail", "code": 252},
            {"do": "fail", "code": 241}, {"do": "delay", "ms": 150}, {"do": "fail", "when": "after", "code": 159})


POINT_MS = 900  # a named point that was not reached by then becomes a kill at random


@dataclass
class Table:
    """What a table does with each kind of event. A kind that is not named is broken: it belongs to the error lake."""
    name: str
    keeps: list
    filters: list = field(default_factory=list)
    refuses: list = field(default_factory=list)  # an error of this table's INSERT alone
    mended: list = field(default_factory=list)   # broken at first, kept after a replay
    refuses_as: str = ""                         # the code of these errors, when it is not the kind's own
    store: str = "delta"                         # or "clickhouse"
    mirrors: str = ""                            # the table whose rows this one must have, value by value


@dataclass
class Result:
    """A table that a stateful query fills; what is in it is computed anew from the events (stateful_oracle.py)."""
    name: str
    kind: str             # windows, pairs or groups
    store: str = "delta"  # or "clickhouse"
    mirrors: str = ""     # the result whose rows this one must have


@dataclass
class Workload:
    name: str
    invariant: str
    source: str
    lake: str
    pipeline: str
    tables: list
    events: dict
    settings: dict
    faults: dict
    workers: int = 1
    clickhouse_setup: str = ""   # a statement before the pipeline's first start
    results: list = field(default_factory=list)
    # What {bounded} becomes in the pipeline of the last run, so that its input ends and every window closes.
    bounded: str = ""

    @property
    def clickhouse(self):
        return any(table.store == "clickhouse" for table in self.tables + self.results)

    @property
    def kafka(self):
        return self.source == "kafka"

    @property
    def replays(self):
        return any(table.mended for table in self.tables)


@dataclass
class Kill:
    point: str      # "name:n", or "" for a kill at random
    after_ms: int   # when the point was not reached by then
    worker: int     # of those that run at once
    down_ms: int    # until it starts again, where others run on


@dataclass
class Plan:
    """One seed of one workload."""
    seed: int
    events: list
    publish_ms: int
    bursts: int
    files: int
    partitions: int
    settings: dict
    kills: list
    replay_kills: list
    restarts: list      # (after_ms, server, down_ms)
    lose_state: bool
    answers: list       # orders for ClickHouseFront.fault
    retention: str      # of a JetStream stream
    serve_kills: list   # of `weir serve`


def load_workloads():
    return {workload.name: workload for workload in (load_workload(path) for path in sorted(FOLDER.glob("*.toml")))}


def load_workload(path):
    raw = tomllib.loads(path.read_text())
    unknown = set(raw["faults"]) - _FAULTS
    if unknown:
        raise ValueError(f"{path.name}: unknown faults {sorted(unknown)}")
    tables = [Table(**table) for table in raw.pop("table", [])]
    results = [Result(**result) for result in raw.pop("result", [])]
    return Workload(tables=tables, results=results, **raw)


def plan(workload, seed):
    dice = random.Random(f"{workload.name}/{seed}")
    faults = workload.faults
    count = dice.randint(*workload.events["count"])
    publish_ms = dice.randint(*workload.events["publish_ms"])
    return Plan(
        seed=seed,
        events=_events(workload, dice, count),
        publish_ms=publish_ms,
        bursts=dice.choice([3, 10, 30]),
        files=dice.randint(*workload.events.get("files", [1, 1])),
        partitions=dice.randint(*workload.events.get("partitions", [1, 1])),
        settings={name: dice.randint(*bounds) for name, bounds in workload.settings.items()},
        kills=_kills(dice, faults["kills"], faults["points"], faults["kill_after_ms"],
                     faults.get("point_ms", POINT_MS), workload.workers),
        replay_kills=_kills(dice, faults.get("replay_kills", [0, 0]), faults.get("replay_points", [""]), [20, 250]),
        restarts=[(dice.randint(50, publish_ms), server, dice.randint(20, 400)) for server in _SERVERS
                  if dice.randint(1, 100) <= faults.get(f"restart_{server}_percent", 0)],
        lose_state=dice.randint(1, 100) <= faults.get("lose_state_percent", 0),
        answers=[{**dice.choice(_ANSWERS), "skip": dice.randint(0, 6), "count": dice.randint(1, 3)}
                 for _ in range(2) if dice.randint(1, 100) <= faults.get("answers_percent", 0)],
        retention=dice.choice(workload.events.get("retention", ["limits"])),
        serve_kills=_kills(dice, faults.get("serve_kills", [0, 0]), faults.get("serve_points", [""]), [50, 400]))


def _kills(dice, bounds, points, after_ms, point_ms=POINT_MS, workers=1):
    kills = []
    for _ in range(dice.randint(*bounds)):
        point = ""
        if dice.random() < 0.75:
            name = dice.choice(points)
            point = f"{name}:{dice.randint(1, 40) if name == '*' else dice.choice([1, 1, 1, 2, 3])}"
        kills.append(Kill(point, point_ms if point else dice.randint(*after_ms), dice.randrange(workers),
                          dice.randint(0, 600)))
    return kills


def _events(workload, dice, count):
    good = sorted({kind for table in workload.tables for kind in table.keeps + table.filters + table.refuses}
                  | set(workload.events.get("kinds", [])))
    mended = sorted({kind for table in workload.tables for kind in table.mended})
    broken = sorted(BROKEN) + mended * 3
    percent = dice.randint(*workload.events["broken_percent"])
    kinds = [dice.choice(broken if dice.randint(1, 100) <= percent else good) for _ in range(count)]
    if "zero_permille" in workload.events:
        zeros = dice.randint(*workload.events["zero_permille"])
        kinds = ["plain" if kind == "zero" and dice.randint(1, 1000) > zeros * len(good) else kind for kind in kinds]
    # The second half is published while the mended file runs already, so nothing of it needs mending.
    kinds[count // 2:] = ["plain" if kind in mended else kind for kind in kinds[count // 2:]]
    return [Event.make(ref, kind, dice) for ref, kind in enumerate(kinds, start=1)]
