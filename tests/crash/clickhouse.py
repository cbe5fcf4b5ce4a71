"""Reads what Weir wrote into ClickHouse, by plain SQL over the server's own HTTP."""

from decimal import Decimal

from oracle import Row, TableFound
from servers import ClickHouseError
from stateful_oracle import RESULT_COLUMNS

_UNKNOWN = (60, 81)  # table, database


def read_table(server, database, table, position):
    """As lake.read_table; the rows' values are those of lake.COMPARED. ClickHouse keeps no ledger."""
    try:
        found = server.rows("SELECT ref, _weir_partition, _weir_offset, event_id, customer, toString(amount), units "
                            f"FROM {database}.{table}")
    except ClickHouseError as error:
        if error.code not in _UNKNOWN:
            raise
        found = []
    rows = [Row(position(partition, offset), ref,
                (event_id, customer, None if amount is None else Decimal(amount), units))
            for ref, partition, offset, event_id, customer, amount, units in found]
    return TableFound(rows, ledger=[])


def read_result(server, database, result):
    """As lake.read_result; of a changelog what FINAL leaves."""
    columns = {"window_start": "toUnixTimestamp64Milli(window_start)", "total": "toString(total)"}
    names = RESULT_COLUMNS[result.kind]
    try:
        selected = ", ".join(columns.get(name, name) for name in names)
        found = server.rows(f"SELECT {selected} FROM {database}.{result.name}"
                            + (" FINAL" if result.kind == "groups" else ""))
    except ClickHouseError as error:
        if error.code not in _UNKNOWN:
            raise
        found = []
    convert = {"total": Decimal, "window_start": int, "events": int, "first_ref": int, "second_ref": int, "units": int}
    return [tuple(convert.get(name, str)(value) for name, value in zip(names, row)) for row in found]
