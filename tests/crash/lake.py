"""Reads what Weir wrote with deltalake (Python): a reader that shares no code path with the engine's own queries."""

import json
from datetime import datetime, timezone

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from events import ref_of
from oracle import ErrorRow, LedgerLine, Row, TableFound
from stateful_oracle import RESULT_COLUMNS

COMPARED = ("event_id", "customer", "amount", "units")  # of tables that have them, in the table's order


def open_table(uri, storage):
    """None when there is no table."""
    try:
        return DeltaTable(uri, storage_options=storage)
    except TableNotFoundError:
        return None


def read_table(uri, storage, position):
    """`position(partition, offset)` is how the oracle names places of this source."""
    table = open_table(uri, storage)
    if table is None:
        return TableFound(rows=[], ledger=[])
    compared = [field.name for field in table.schema().fields if field.name in COMPARED]
    columns = table.to_pyarrow_table(columns=["ref", "_weir_partition", "_weir_offset", *compared]).to_pydict()
    rows = [Row(position(partition, offset), ref, tuple(values)) for ref, partition, offset, *values in
            zip(columns["ref"], columns["_weir_partition"], columns["_weir_offset"],
                *(columns[name] for name in compared))]
    ledger = read_ledger(table)
    app_ids = {line.app_id for line in ledger}
    stands = {app_id: table.transaction_version(app_id) for app_id in app_ids}
    return TableFound(rows, ledger, {app_id: stand for app_id, stand in stands.items() if stand is not None})


def read_result(uri, storage, result):
    """The rows of a stateful query's table, as stateful_oracle.py names them."""
    table = open_table(uri, storage)
    if table is None:
        return []
    columns = table.to_pyarrow_table(columns=list(RESULT_COLUMNS[result.kind])).to_pydict()
    return [tuple(_milliseconds(value) if isinstance(value, datetime) else value for value in row)
            for row in zip(*columns.values())]


def _milliseconds(time):
    return round(time.replace(tzinfo=timezone.utc).timestamp() * 1000)


def read_ledger(table):
    """Ledger lines of every commit, oldest first."""
    lines = []
    for info in reversed(table.history()):
        weir = info.get("weir")
        weir = json.loads(weir) if isinstance(weir, str) else weir or {}
        ledger = weir.get("ledger", [])
        for line in ledger if isinstance(ledger, list) else []:  # a replay's counts are an object
            lines.append(LedgerLine(line["insert"], line["partition"], line["from"], line["next"], line["read"],
                                    line["kept"], line["filtered"], line["errored"], line["emitted"]))
    return lines


def read_errors(uri, storage, position):
    table = open_table(uri, storage)
    if table is None:
        return []
    names = ["id", "sink", "code", "payload", "partition", "offset"]
    columns = table.to_pyarrow_table(columns=names).to_pydict()
    return [ErrorRow(id_, position(partition, offset), ref_of(payload), sink or "", code)
            for id_, sink, code, payload, partition, offset in zip(*(columns[name] for name in names))]


def read_resolved(uri, storage):
    table = open_table(uri, storage)
    if table is None:
        return []
    columns = table.to_pyarrow_table(columns=["error_id", "outcome"]).to_pydict()
    return [error_id for error_id, outcome in zip(columns["error_id"], columns["outcome"]) if outcome == "resolved"]
