"""DuckDB's read_json over an NDJSON file, one thread: a peer of bench_json_decode.

duckdb_json.py FILE flat|nested|wide [RUNS]
Timed: count() of every column, which makes DuckDB decode each of them. Untimed: the sums that show that all
engines read the same.
"""
import json
import os
import resource
import sys
import time

import duckdb

ROW_ITEM = "STRUCT(sku VARCHAR, title VARCHAR, quantity INTEGER, price DOUBLE, in_stock BOOLEAN, tags VARCHAR[])"
WIDE = ["BIGINT"] * 4 + ["DOUBLE"] * 2 + ["BOOLEAN", "TIMESTAMP", "VARCHAR", "VARCHAR"]
COLUMNS = {
    "flat": {
        "auction": "BIGINT", "bidder": "BIGINT", "price": "BIGINT", "channel": "VARCHAR", "url": "VARCHAR",
        "reserve": "DOUBLE", "is_open": "BOOLEAN", "date_time": "TIMESTAMP", "extra": "VARCHAR",
    },
    "nested": {
        "order_id": "BIGINT", "placed_at": "TIMESTAMP",
        "customer": "STRUCT(id BIGINT, name VARCHAR, email VARCHAR, address STRUCT(street VARCHAR, city VARCHAR, "
                    "zip VARCHAR, geo STRUCT(lat DOUBLE, lon DOUBLE)))",
        "items": ROW_ITEM + "[]", "note": "VARCHAR",
    },
    "wide": {f"c{i}": WIDE[i % 10] for i in range(100)},
}


def sums_query(shape):
    """(integers, instants_ms, text_bytes, trues, elements, doubles) as one SELECT over `t`."""
    if shape == "nested":
        return """SELECT sum(order_id)::HUGEINT + sum(customer.id)
                 + sum(list_sum(list_transform(items, lambda i: i.quantity)))::HUGEINT,
                  sum(epoch_ms(placed_at)::HUGEINT),
          sum(strlen(customer.name) + strlen(customer.email) + strlen(customer.address.street)
            + strlen(customer.address.city) + strlen(customer.address.zip) + strlen(note)
            + list_sum(list_transform(items, lambda i: strlen(i.sku) + strlen(i.title)
            + coalesce(list_sum(list_transform(i.tags, lambda g: strlen(g))), 0)))),
          sum(list_sum(list_transform(items, lambda i: i.in_stock::INT))),
          sum(len(items) + list_sum(list_transform(items, lambda i: len(i.tags)))),
          sum(customer.address.geo.lat) + sum(customer.address.geo.lon)
            + sum(list_sum(list_transform(items, lambda i: i.price))) FROM t"""
    parts = {"BIGINT": [], "TIMESTAMP": [], "VARCHAR": [], "BOOLEAN": [], "DOUBLE": []}
    form = {"BIGINT": "sum({})::HUGEINT", "TIMESTAMP": "sum(epoch_ms({})::HUGEINT)", "VARCHAR": "sum(strlen({}))",
            "BOOLEAN": "sum({}::INT)", "DOUBLE": "sum({})"}
    for name, kind in COLUMNS[shape].items():
        parts[kind].append(form[kind].format(name))
    add = {kind: " + ".join(terms) for kind, terms in parts.items()}
    return (f"SELECT {add['BIGINT']}, {add['TIMESTAMP']}, {add['VARCHAR']}, {add['BOOLEAN']}, 0, "
            f"{add['DOUBLE']} FROM t")


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    path, shape = sys.argv[1], sys.argv[2]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    connection = duckdb.connect(config={"threads": 1})
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS[shape].items())
    source = f"read_json('{path}', format='newline_delimited', columns={{{columns}}})"
    counts = ", ".join(f"count({name})" for name in COLUMNS[shape])
    cpu, wall = [], []
    for _ in range(runs):
        cpu_begin, wall_begin = cpu_seconds(), time.monotonic()
        rows = connection.execute(f"SELECT {counts} FROM {source}").fetchone()[0]
        cpu.append(cpu_seconds() - cpu_begin)
        wall.append(time.monotonic() - wall_begin)
    connection.execute(f"CREATE TEMP VIEW t AS SELECT * FROM {source}")
    found = connection.execute(sums_query(shape)).fetchone()
    names = ("integers", "instants_ms", "text_bytes", "trues", "elements", "doubles")
    sums = {name: float(value) if name == "doubles" else int(value) for name, value in zip(names, found)}
    size = os.path.getsize(path)
    cpu.sort()
    print(json.dumps({
        "engine": "duckdb", "shape": shape, "bytes": size, "rows": rows, "errors": 0, "cpu_s_best": cpu[0],
        "cpu_s_median": cpu[len(cpu) // 2], "wall_s_best": min(wall), "gb_s_best": size / 1e9 / cpu[0],
        "gb_s_median": size / 1e9 / cpu[len(cpu) // 2], "sums": sums}))


if __name__ == "__main__":
    main()
