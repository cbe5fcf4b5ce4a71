#!/usr/bin/env python3
"""clickhouse_sql.py URL "SELECT …": asks ClickHouse over HTTP. Each row is printed as a JSON object."""

import json
import sys
import urllib.request


def rows(url, query):
    text = f"{query} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0"
    with urllib.request.urlopen(url, text.encode(), timeout=20) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for row in rows(sys.argv[1], sys.argv[2]):
        print(json.dumps(row))
