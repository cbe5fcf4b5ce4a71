"""Counts events in the lake and the error lake by their stream sequence, with deltalake and Arrow; no code of Weir."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable


@dataclass
class Counted:
    lake: int        # rows of the lake
    errors: int      # rows of the error lake, resolved or not
    resolved: int    # of these, brought back by a replay
    places: Counter  # stream sequence -> in how many places the event is: the lake, or the unresolved errors

    @property
    def different(self):
        return len(self.places)

    def different_up_to(self, last):
        return sum(1 for sequence in self.places if 1 <= sequence <= last)

    @property
    def doubled(self):
        return sum(count - 1 for count in self.places.values())


def _column(folder, *names):
    if not (Path(folder) / "_delta_log").exists():
        return [[] for _ in names]
    table = DeltaTable(str(folder)).to_pyarrow_table(columns=list(names))
    return [table.column(name).to_pylist() for name in names]


def count_places(lake, errors):
    """`lake`: the table's folder. `errors`: the pipeline's folder of the error lake."""
    (offsets,) = _column(lake, "_weir_offset")
    ids, error_offsets = _column(Path(errors) / "orders", "id", "offset")
    replayed_ids, outcomes = _column(Path(errors) / "_resolved", "error_id", "outcome")
    resolved = [error_id for error_id, outcome in zip(replayed_ids, outcomes) if outcome == "resolved"]
    gone = set(resolved)
    places = Counter(offsets)
    places.update(offset for error_id, offset in zip(ids, error_offsets) if error_id not in gone)
    return Counted(len(offsets), len(ids), len(resolved), places)
