"""The expected rows of stateful golden cases, from another engine.

A case under tests/golden/ whose query keeps state has a batch.sql beside its pipeline.sql: an equivalent batch query in
DuckDB's dialect, written by hand. It is run inside the case's folder. Each of its views holds the rows of the file in
expected/ that has its name (`errors`: those keys of an error record that it has); its tables are steps on the way.

    batch.py CASE…            compares
    batch.py --write CASE…    writes expected/ from the views: read what it wrote
"""

import datetime
import decimal
import json
import os
import sys
from pathlib import Path

import duckdb

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def cases():
    return sorted(path.parent for path in GOLDEN.glob("*/batch.sql"))


def plain(value):
    """As `weir sql --format json` prints it."""
    if isinstance(value, datetime.datetime):
        if value.microsecond == 0:
            return value.isoformat(timespec="seconds")
        return value.isoformat(timespec="microseconds" if value.microsecond % 1000 else "milliseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value


def batch_rows(case):
    """name of a view -> its rows, in the order that DuckDB gives them."""
    before = os.getcwd()
    os.chdir(case)  # batch.sql reads input/
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute((case / "batch.sql").read_text())
            views = [name for name, in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_oid").fetchall()]
            found = {}
            for name in views:
                cursor = connection.execute(f'SELECT * FROM "{name}"')
                names = [column[0] for column in cursor.description]
                found[name] = [{key: plain(value) for key, value in zip(names, row, strict=True)}
                               for row in cursor.fetchall()]
            return found
    finally:
        os.chdir(before)


def expected_rows(file):
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]


def text(row):
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


def numbers_alike(value):
    """1 and 1.0 are one number."""
    if isinstance(value, dict):
        return {name: numbers_alike(each) for name, each in value.items()}
    if isinstance(value, list):
        return [numbers_alike(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def differences(case):
    found = batch_rows(case)
    files = {file.stem: file for file in sorted((case / "expected").glob("*.ndjson"))}
    result = [f"batch.sql has no view '{name}' for expected/{name}.ndjson" for name in files if name not in found]
    result += [f"there is no expected/{name}.ndjson for the view" for name in found if name not in files]
    for name, file in files.items():
        if name not in found:
            continue
        expected = [numbers_alike(row) for row in expected_rows(file)]
        actual = [numbers_alike(row) for row in found[name]]
        if name == "errors":  # an error record has more keys than what a case expects of it
            keys = {key for row in actual for key in row}
            expected = [{key: value for key, value in row.items() if key in keys} for row in expected]
        for row in actual:
            if row in expected:
                expected.remove(row)
            else:
                result.append(f"{name}: only DuckDB has {text(row)}")
        result += [f"{name}: only expected/ has {text(row)}" for row in expected]
    return result


def write(case):
    (case / "expected").mkdir(exist_ok=True)
    for name, rows in batch_rows(case).items():
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows]
        (case / "expected" / f"{name}.ndjson").write_text("".join(lines))


def main(arguments):
    writing = "--write" in arguments
    names = [argument for argument in arguments if argument != "--write"]
    failed = False
    for case in [GOLDEN / Path(name).name for name in names] or cases():
        if writing:
            write(case)
        for difference in differences(case):
            failed = True
            print(f"{case.name}: {difference}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
