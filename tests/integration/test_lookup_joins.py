"""FOR SYSTEM_TIME AS OF against a file, a Delta table and ClickHouse."""

import json

import pyarrow
import pytest
from case import publish, rows
from deltalake import write_deltalake
from servers import ClickHouseFront


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ClickHouseFront(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


CUSTOMERS = [{"id": 1, "name": "ada", "tier": "gold"}, {"id": 2, "name": "bob", "tier": "tin"},
             {"id": 2, "name": "bea", "tier": "gold"}]


def order(number, customer):
    return json.dumps({"order_id": number, "customer": customer}).encode()


def pipeline(case, table, columns="id BIGINT, name STRING, tier STRING", join="JOIN", on="o.customer = c.id",
             source=None, select="o.order_id, c.name, c.tier"):
    source = source or f"'connector'='file', 'path'='{case.folder / 'orders.ndjson'}', 'format'='json'"
    return case.write("p.sql", case.settings("p") + f"""
CREATE TABLE orders (order_id BIGINT, customer BIGINT, proc_time AS PROCTIME()) WITH ({source});
CREATE TABLE customers ({columns}) WITH ({table});
CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');
INSERT INTO lake SELECT {select} FROM orders AS o
{join} customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON {on};
""")


def joined(case):
    return sorted((each["order_id"], each["name"], each["tier"]) for each in rows(case.lake))


def orders(case, *customers):
    case.write("orders.ndjson", "".join(order(n, who).decode() + "\n" for n, who in enumerate(customers)))


def file_of(case):
    case.write("customers.ndjson", "".join(json.dumps(each) + "\n" for each in CUSTOMERS))
    return f"'connector'='file', 'path'='{case.folder / 'customers.ndjson'}', 'format'='json'"


def delta_of(case):
    write_deltalake(str(case.folder / "customers"), pyarrow.Table.from_pylist(CUSTOMERS))
    return f"'connector'='delta', 'path'='{case.folder / 'customers'}'"


def clickhouse_of(case, server, options=""):
    name = case.stream.lower() + "_customers"
    server.query(f"CREATE TABLE default.{name} (id Int64, name String, tier LowCardinality(String), born Date, "
                 "seen DateTime64(3, 'UTC'), worth Decimal(10, 2)) ENGINE = MergeTree ORDER BY id")
    server.query(f"INSERT INTO default.{name} VALUES " + ", ".join(
        f"({each['id']}, '{each['name']}', '{each['tier']}', '2000-01-0{n + 1}', '2026-11-21 10:00:00.00{n}', {n}.25)"
        for n, each in enumerate(CUSTOMERS)))
    return f"'connector'='clickhouse', 'url'='{server.http_url}', 'table'='{name}'{options}"


@pytest.mark.parametrize("kind", ["file", "delta", "NONE", "PARTIAL", "FULL"])
def test_every_connector_inner_and_left(case, server, kind):
    server.clear_faults()
    table = {"file": file_of, "delta": delta_of}.get(
        kind, lambda case: clickhouse_of(case, server, f", 'lookup.cache'='{kind}', 'lookup.max-keys'='1'"))(case)
    orders(case, 1, 2, 3, None)
    both = [(1, "bea", "gold"), (1, "bob", "tin")]
    pipeline(case, table)
    case.once("p.sql")
    assert joined(case) == [(0, "ada", "gold"), *both]
    case.write("q.sql", pipeline(case, table, join="LEFT JOIN", on="o.customer = c.id AND c.tier <> 'tin'")
               .read_text().replace("'pipeline.name' = 'p'", "'pipeline.name' = 'q'")
               .replace(str(case.lake), str(case.folder / "lake2")))
    case.once("q.sql")
    left = sorted((each["order_id"], each["name"]) for each in rows(case.folder / "lake2"))
    assert left == [(0, "ada"), (1, "bea"), (2, None), (3, None)]


def test_clickhouse_keys_of_several_types(case, server):
    server.clear_faults()
    table = clickhouse_of(case, server)
    source = f"'connector'='file', 'path'='{case.folder / 'in.ndjson'}', 'format'='json'"
    keys = [{"name": "ada", "born": "2000-01-01", "seen": "2026-11-21T10:00:00.000Z", "worth": "0.25"},
            {"name": "b') OR 1=1 --", "born": "2000-01-02", "seen": "2026-11-21T10:00:00.001Z", "worth": "1.25"},
            {"name": "bea", "born": "2000-01-03", "seen": "2026-11-21T10:00:00.002Z", "worth": "9"}]
    case.write("in.ndjson", "".join(json.dumps(each) + "\n" for each in keys))
    columns = "name STRING, born DATE, seen TIMESTAMP(3), worth DECIMAL(10, 2)"
    case.write("p.sql", case.settings("p") + f"""
CREATE TABLE asked ({columns}, at AS PROCTIME()) WITH ({source});
CREATE TABLE known (id BIGINT, {columns}) WITH ({table});
CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');
INSERT INTO lake SELECT a.name, b.id AS by_name, k.id AS by_all FROM asked AS a
LEFT JOIN known FOR SYSTEM_TIME AS OF a.at AS b ON a.name = b.name
LEFT JOIN known FOR SYSTEM_TIME AS OF a.at AS k
  ON a.name = k.name AND a.born = k.born AND a.seen = k.seen AND a.worth = k.worth;
""")
    case.once("p.sql")
    found = {each["name"]: (each["by_name"], each["by_all"]) for each in rows(case.lake)}
    assert found == {"ada": (1, 1), "b') OR 1=1 --": (None, None), "bea": (2, None)}


def test_a_change_of_the_table_is_seen(case, shared_nats, running, eventually):
    table = delta_of(case) + ", 'lookup.full-cache.periodic-reload.interval'='50 ms'"
    source = f"'connector'='nats', 'url'='{shared_nats.url}', 'stream'='{case.stream}', 'format'='json'"
    publish(shared_nats.url, case.stream, [order(0, 9), order(1, 1)])
    pipeline(case, table, source=source, join="LEFT JOIN")
    running("p.sql")
    eventually(lambda: joined(case) == [(0, None, None), (1, "ada", "gold")])
    write_deltalake(str(case.folder / "customers"),
                    pyarrow.Table.from_pylist([{"id": 9, "name": "zoe", "tier": "tin"}]), mode="append")

    def sees():
        publish(shared_nats.url, case.stream, [order(2, 9)])
        return (2, "zoe", "tin") in joined(case)
    eventually(sees)


def test_a_server_that_is_away_is_waited_for(case, server, running, eventually):
    server.clear_faults()
    table = clickhouse_of(case, server, ", 'lookup.max-retries'='0'")
    orders(case, 1)
    away = table.replace(server.http_url, "http://127.0.0.1:1")
    pipeline(case, away)
    process = running("p.sql")
    eventually(lambda: "looking up 'customers'" in process.said())
    process.terminate()
    process.wait()
    pipeline(case, table)
    case.once("p.sql")
    assert joined(case) == [(0, "ada", "gold")]


@pytest.mark.parametrize("table, columns, words", [
    ("'connector'='kafka', 'topic'='t', 'properties.bootstrap.servers'='h:1', 'format'='json'",
     "id BIGINT, name STRING, tier STRING", "cannot be looked up"),
    ("'connector'='delta', 'path'='x', 'lookup.cache'='PARTIAL'", "id BIGINT, name STRING, tier STRING",
     "'lookup.cache'"),
    ("'connector'='delta', 'path'='x'", "id BIGINT, name STRING, tier STRING, CHECK (id > 0)", "taken as they are"),
])
def test_what_cannot_be_looked_up_is_refused(case, table, columns, words):
    pipeline(case, table, columns)
    assert words in case.weir.run(["check", "p.sql"], cwd=case.folder, expect=2).stderr
