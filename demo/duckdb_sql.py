#!/usr/bin/env python3
"""duckdb_sql.py TABLE_FOLDER "SELECT … FROM lake_orders": DuckDB over a Delta table.

DuckDB's own Delta reader is an extension that it downloads; to stay offline, deltalake (Python) opens the table and
hands it to DuckDB as Arrow. No code of Weir takes part. Each row is printed as a JSON object.
"""

import json
import sys

import duckdb
from deltalake import DeltaTable


def rows(folder, query):
    connection = duckdb.connect()
    connection.register("lake_orders", DeltaTable(folder).to_pyarrow_table())
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for row in rows(sys.argv[1], sys.argv[2]):
        print(json.dumps(row, default=str))
