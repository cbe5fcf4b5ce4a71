"""The events of the crash oracle. Each carries its number in `ref`, to be found in the bytes of a broken one too."""

import re
from dataclasses import dataclass

# Kinds that no table takes, and the code that the error lake must give.
BROKEN = {
    "cut": "malformed",
    "no_id": "missing_required",
    "text_amount": "wrong_type",
    "too_precise": "out_of_range",
    "no_time": "bad_timestamp",
    "twice": "duplicate_key",
    "below": "check_failed",
}
# `owed` breaks the CHECK until the file is mended, `zero` divides by zero where a query divides by units.
CODES = {**BROKEN, "owed": "check_failed", "zero": "sql_eval"}

# An event a second; one that is `behind` has the time of one that came long before it.
BEHIND_S = 90

_REF = re.compile(rb'"ref": ?(\d+)')


@dataclass(frozen=True)
class Event:
    ref: int
    kind: str
    payload: bytes

    @staticmethod
    def make(ref, kind, dice):
        """`kind`: plain, small, zero, owed, behind, or one of BROKEN."""
        amount = {"small": "9.99", "owed": "-12.50", "below": "-2000000.00", "text_amount": '"a lot"',
                  "too_precise": "10.001"}.get(kind, f"{dice.randint(10, 90_000)}.{dice.randint(0, 99):02d}")
        units = 0 if kind == "zero" else dice.randint(1, 9)
        second = max(0, ref - BEHIND_S) if kind == "behind" else ref
        time = f"2026-11-21T13:{second // 60 % 60:02d}:{second % 60:02d}.{ref % 1000:03d}"
        time = "yesterday" if kind == "no_time" else time
        fields = [f'"ref": {ref}', f'"event_id": {ref + 1_000_000}', f'"customer": "c{ref % 5}"',
                  f'"amount": {amount}', f'"units": {units}', f'"placed_at": "{time}"']
        if kind == "no_id":
            del fields[1]
        if kind == "twice":
            fields.append('"customer": "again"')
        text = "{" + ", ".join(fields) + "}"
        return Event(ref, kind, (text[:text.index('"units"')] if kind == "cut" else text).encode())


def ref_of(payload):
    """The event's number in the stored bytes, or None."""
    found = _REF.search(payload)
    return int(found.group(1)) if found else None
