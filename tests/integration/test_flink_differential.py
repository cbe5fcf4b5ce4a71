"""The same SQL over the same Kafka topics, in a real Flink and in Weir: equal rows.

One Flink job holds every query, one Weir pipeline too. Both read the topics to their ends; times are out of order
within the watermark's delay, so that no row is late."""

import datetime
import decimal
import json
import random
import re
from pathlib import Path

import pytest
from case import Case, rows

ROOT = Path(__file__).resolve().parent.parent.parent
ORDERS = """
  id BIGINT, customer STRING, amount DECIMAL(12, 2), price DOUBLE, quantity INT, note STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '4' SECOND"""
PAYMENTS = "order_id BIGINT, means STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND"

# name -> (the sink's columns, the query). A changelog has a primary key; its final rows are compared.
WINDOWED = "window_start, window_end, customer, COUNT(*) AS n, SUM(amount) AS total"
COLUMNS = "window_start TIMESTAMP(3), window_end TIMESTAMP(3), customer STRING, n BIGINT, total DECIMAL(22, 2)"
GROUPED = "GROUP BY window_start, window_end, customer"
TUMBLE = "TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
QUERIES = {
    "tumble": ("window_start TIMESTAMP(3), window_end TIMESTAMP(3), customer STRING, n BIGINT, total DECIMAL(22, 2), "
               "low DECIMAL(12, 2), high DECIMAL(12, 2), mean DOUBLE",
               f"SELECT {WINDOWED}, MIN(amount) AS low, MAX(amount) AS high, AVG(price) AS mean FROM {TUMBLE} "
               f"{GROUPED}"),
    "tumble_all": ("window_start TIMESTAMP(3), n BIGINT",
                   f"SELECT window_start, COUNT(*) AS n FROM {TUMBLE} GROUP BY window_start, window_end"),
    "hop": (COLUMNS, f"SELECT {WINDOWED} FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND, "
                     f"INTERVAL '20' SECOND)) {GROUPED}"),
    "cumulate": (COLUMNS, f"SELECT {WINDOWED} FROM TABLE(CUMULATE(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND, "
                          f"INTERVAL '20' SECOND)) {GROUPED}"),
    "session": (COLUMNS, f"SELECT {WINDOWED} FROM TABLE(SESSION(TABLE orders PARTITION BY customer, DESCRIPTOR(ts), "
                         f"INTERVAL '3' SECOND)) {GROUPED}"),
    "filtered": ("window_start TIMESTAMP(3), customer STRING, big BIGINT, different BIGINT, listed BIGINT",
                 "SELECT window_start, customer, COUNT(*) FILTER (WHERE amount > 50) AS big, "
                 "COUNT(DISTINCT quantity) AS different, SUM(DISTINCT CAST(quantity AS BIGINT)) AS listed "
                 f"FROM {TUMBLE} {GROUPED} HAVING COUNT(*) > 1"),
    "cascade": ("window_start TIMESTAMP(3), window_end TIMESTAMP(3), customers BIGINT, most BIGINT",
                "SELECT window_start, window_end, COUNT(*) AS customers, MAX(n) AS most FROM TABLE(TUMBLE("
                "TABLE counted, DESCRIPTOR(wt), INTERVAL '30' SECOND)) GROUP BY window_start, window_end"),
    "top": (COLUMNS + ", place BIGINT",
            "SELECT window_start, window_end, customer, n, total, place FROM (SELECT *, ROW_NUMBER() OVER ("
            "PARTITION BY window_start, window_end ORDER BY total DESC, customer) AS place "
            f"FROM (SELECT {WINDOWED} FROM {TUMBLE} {GROUPED})) WHERE place <= 2"),
    "window_join": ("window_start TIMESTAMP(3), id BIGINT, customer STRING, means STRING",
                    f"SELECT L.window_start, L.id, L.customer, R.means FROM (SELECT * FROM {TUMBLE}) L JOIN "
                    "(SELECT * FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '10' SECOND))) R ON "
                    "L.window_start = R.window_start AND L.window_end = R.window_end AND L.id = R.order_id"),
    "interval_join": ("id BIGINT, amount DECIMAL(12, 2), means STRING, paid TIMESTAMP(3)",
                      "SELECT o.id, o.amount, p.means, CAST(p.ts AS TIMESTAMP(3)) AS paid FROM orders o JOIN "
                      "payments p ON o.id = p.order_id "
                      "AND p.ts BETWEEN o.ts - INTERVAL '2' SECOND AND o.ts + INTERVAL '3' SECOND"),
    "regular_join": ("id BIGINT, customer STRING, means STRING",
                     "SELECT o.id, o.customer, p.means FROM orders o JOIN payments p ON o.id = p.order_id"),
    "grouped": ("customer STRING, n BIGINT, total DECIMAL(22, 2), high INT, PRIMARY KEY (customer) NOT ENFORCED",
                "SELECT customer, COUNT(*) AS n, SUM(amount) AS total, MAX(quantity) AS high FROM orders "
                "WHERE customer IS NOT NULL GROUP BY customer"),
    "stateless": ("id BIGINT, size STRING, shout STRING, doubled DECIMAL(22, 2), part STRING, later TIMESTAMP(3), "
                  "hours BIGINT, rest INT, whole INT, joined STRING",
                  "SELECT id, CASE WHEN amount > 50 THEN 'large' WHEN amount IS NULL THEN 'none' ELSE 'small' END "
                  "AS size, UPPER(customer) AS shout, CAST(amount * 2 AS DECIMAL(22, 2)) AS doubled, "
                  "SUBSTRING(note, 2, 3) AS part, CAST(ts + INTERVAL '1' HOUR AS TIMESTAMP(3)) AS later, "
                  "CAST(EXTRACT(HOUR FROM ts) AS BIGINT) AS hours, CAST(quantity % 3 AS INT) AS rest, "
                  "CAST(quantity / 3 AS INT) AS whole, customer || '-' || note AS joined FROM orders "
                  "WHERE quantity IN (1, 2, 3, 5, 8) OR note LIKE '%e%'"),
}
VIEW = ("CREATE TEMPORARY VIEW counted AS SELECT window_time AS wt, customer, COUNT(*) AS n FROM " + TUMBLE +
        " GROUP BY window_start, window_end, window_time, customer")


def moment(base, seconds):
    return (base + datetime.timedelta(milliseconds=round(seconds * 1000))).isoformat(timespec="milliseconds")


def events():
    """Orders and payments over five minutes, up to three seconds out of order, with NULLs in every column but ids."""
    chance = random.Random(7)
    base = datetime.datetime(2026, 11, 21, 10, 0, 0)
    orders, payments, at = [], [], 0.0
    for number in range(900):
        at += chance.choice([0.1, 0.2, 0.5]) if number % 100 else 4.0
        when = at - chance.random() * 3
        orders.append({"id": number, "customer": chance.choice(["ada", "bob", "eve", "joe", None]),
                       "amount": None if number % 41 == 0 else chance.randrange(1, 10000) / 100,
                       "price": chance.randrange(1, 400) / 4, "quantity": chance.randrange(1, 10),
                       "note": chance.choice(["fine", "ünïcode", "", None]), "ts": moment(base, when)})
        if chance.random() < 0.6:
            payments.append({"order_id": number, "means": chance.choice(["card", "cash"]),
                             "ts": moment(base, at + chance.random() * 2)})
    return orders, payments


def plain(value):
    """One form for what two systems give: numbers by value, times without their zeros."""
    if isinstance(value, (datetime.datetime, str)) and re.match(r"\d{4}-\d\d-\d\d[T ]", str(value)):
        return datetime.datetime.fromisoformat(str(value)).replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(value, (decimal.Decimal, float, int)) and not isinstance(value, bool):
        return round(float(value), 6)
    return value


def normal(found, columns):
    return sorted(([plain(row[column]) for column in columns] for row in found), key=repr)


def net(messages):
    """The rows that are left of Debezium's changes."""
    left = {}
    for message in map(json.loads, messages):
        for side, weight in (("before", -1), ("after", 1)):
            if message[side] is not None:
                key = json.dumps(message[side], sort_keys=True)
                left[key] = left.get(key, 0) + weight
    assert set(left.values()) <= {0, 1}
    return [json.loads(row) for row, count in left.items() if count]


def source(name, columns, topic, kafka, more=""):
    return (f"CREATE TABLE {name} ({columns}) WITH ('connector'='kafka', 'topic'='{topic}', "
            f"'properties.bootstrap.servers'='{kafka.bootstrap}', 'scan.startup.mode'='earliest-offset', "
            f"'scan.bounded.mode'='latest-offset', 'format'='json'{more})")


@pytest.fixture(scope="module")
def topics(kafka):
    orders, payments = events()
    for name, written in (("diff_orders", orders), ("diff_payments", payments)):
        kafka.create_topic(name, partitions=2)
        # By thirds of a second, so that both partitions keep the order in which the events came.
        kafka.produce(name, [{"value": json.dumps(event), "partition": number % 2}
                             for number, event in enumerate(written)])
    return {"orders": (ORDERS, "diff_orders"), "payments": (PAYMENTS, "diff_payments")}


def columns_of(name):
    declared = QUERIES[name][0].split(", PRIMARY KEY")[0]
    return re.findall(r"(?:^|, )(\w+) [A-Z]", declared)


@pytest.fixture(scope="module")
def of_flink(flink, kafka, topics):
    """What Flink's one job wrote, by query."""
    session = flink.open_session()
    iso = "json.timestamp-format.standard'='ISO-8601'"
    flink.execute(session, "SET 'table.local-time-zone' = 'UTC'")
    for name, (columns, topic) in topics.items():
        flink.execute(session, source(name, columns, topic, kafka, f", '{iso}"))
    flink.execute(session, VIEW)
    for name, (columns, _) in QUERIES.items():
        kafka.create_topic(f"diff_out_{name}")
        changelog = "PRIMARY KEY" in columns
        # A key would make Flink put an upsert in front of the sink; changes are what is compared.
        columns = columns.split(", PRIMARY KEY")[0]
        flink.execute(session, f"CREATE TABLE out_{name} ({columns}) WITH ('connector'='kafka', "
                               f"'topic'='diff_out_{name}', 'properties.bootstrap.servers'='{kafka.bootstrap}', "
                               f"'format'='{'debezium-json' if changelog else 'json'}', "
                               f"'{'debezium-' if changelog else ''}{iso})")
    inserts = "".join(f"INSERT INTO out_{name} {query};\n" for name, (_, query) in QUERIES.items())
    [[job]] = flink.execute(session, f"EXECUTE STATEMENT SET BEGIN\n{inserts}END")
    flink.wait_for_job(job)
    found = {}
    for name, (columns, _) in QUERIES.items():
        messages = kafka.values(f"diff_out_{name}")
        found[name] = net(messages) if "PRIMARY KEY" in columns else list(map(json.loads, messages))
    return found


@pytest.fixture(scope="module")
def of_weir(weir, kafka, topics, tmp_path_factory):
    """What Weir's one pipeline wrote into Delta, by query."""
    case = Case(weir, tmp_path_factory.mktemp("differential"))
    text = case.settings("differential", **{"pipeline__unbounded_state": "allow"})
    for name, (columns, topic) in topics.items():
        text += source(name, columns, topic, kafka) + ";\n"
    text += VIEW + ";\n"
    for name, (columns, query) in QUERIES.items():
        text += (f"CREATE TABLE out_{name} ({columns}) WITH ('connector'='delta', 'path'='{case.folder / name}');\n"
                 f"INSERT INTO out_{name} {query};\n")
    case.write("differential.sql", text)
    weir.run(["run", "differential.sql", "--progress", "none"], cwd=case.folder, timeout_s=120)
    return {name: rows(case.folder / name) for name in QUERIES}


@pytest.mark.parametrize("name", QUERIES)
def test_weir_gives_the_rows_that_flink_gives(name, of_flink, of_weir):
    columns = columns_of(name)
    flinks = normal(of_flink[name], columns)
    assert len(flinks) > 0
    assert normal(of_weir[name], columns) == flinks


def portable_examples():
    page = (ROOT / "docs" / "portable-sql.md").read_text()
    return re.findall(r"^\| `(\w+)` \| `(.+)` \|$", page.split("## With another meaning", 1)[0], re.M)


def test_the_examples_of_portable_sql_give_the_same(weir, flink, tmp_path):
    """One row through every example of docs/portable-sql.md, in both."""
    examples = [example for _, example in portable_examples()]
    assert len(examples) > 50
    row = {"i": 7, "b": 42, "d": 2.5, "m": 12.30, "s": "Weir and Flink", "n": None, "t": "2026-11-21T12:34:56.789"}
    session = flink.open_session()
    selected = ", ".join(f"CAST({example} AS STRING) AS c{number}" for number, example in enumerate(examples))
    [of_flink] = flink.execute(
        session, f"SELECT {selected} FROM (SELECT CAST(i AS INT) i, CAST(b AS BIGINT) b, CAST(d AS DOUBLE) d, "
                 "CAST(m AS DECIMAL(10, 2)) m, CAST(s AS STRING) s, CAST(NULL AS STRING) n, CAST(t AS TIMESTAMP(3)) t "
                 "FROM (VALUES (7, 42, 2.5, '12.30', 'Weir and Flink', '2026-11-21 12:34:56.789')) "
                 "AS x (i, b, d, m, s, t))")
    case = Case(weir, tmp_path / "case")
    (case.folder / "in.ndjson").write_text(json.dumps(row) + "\n")
    selected = ", ".join(f"{example} AS c{number}" for number, example in enumerate(examples))
    case.write("p.sql", case.settings("p") + f"""
CREATE TABLE events (i INT, b BIGINT, d DOUBLE, m DECIMAL(10, 2), s STRING, n STRING, t TIMESTAMP(3))
WITH ('connector'='file', 'path'='in.ndjson', 'format'='json');
CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');
INSERT INTO lake SELECT {selected} FROM events;
""")
    case.once("p.sql")
    [of_weir] = rows(case.lake)

    def text(value):
        if isinstance(value, bool):
            return str(value).upper()
        if value is None:
            return None
        try:
            return repr(float(value))
        except (TypeError, ValueError):
            return str(value)
    for number, example in enumerate(examples):
        assert text(of_weir[f"c{number}"]) == text(of_flink[number]), example
