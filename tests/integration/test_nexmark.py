"""Nexmark: the generator and its twin in Java, and the queries of examples/nexmark over the events of Beam's generator,
which is not ours, compared with what DuckDB finds in the same events as a batch."""

import decimal
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from servers.process import CACHE

ROOT = Path(__file__).resolve().parent.parent.parent
NEXMARK = ROOT / "examples" / "nexmark"
QUERIES = sorted(path.stem for path in NEXMARK.glob("q*.sql"))
sys.path.insert(0, str(NEXMARK))

import swap  # noqa: E402


def java(program, jars, *arguments):
    assert (CACHE / jars / "pin").exists(), f"{CACHE / jars} is missing: run `make setup`"
    return subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp", f"{CACHE / jars}/*", program,
                           *map(str, arguments)], check=True, stdout=subprocess.PIPE, timeout=120).stdout


def run(weir, folder, query, source, settings=""):
    """The rows that a query prints, as dicts."""
    file = folder / f"{query}.sql"
    text = (NEXMARK / file.name).read_text()
    file.write_text(settings + swap.swap(text, source, {"connector": "print"}))
    done = weir.run(["run", file.name, "--once", "--progress", "none"], cwd=folder)
    return [json.loads(line, parse_float=decimal.Decimal) for line in done.stdout.splitlines()]


def test_the_readme_tells_every_query():
    readme = (NEXMARK / "README.md").read_text()
    assert sorted(int(query[1:]) for query in QUERIES) == [0, 1, 2, 3, 5, 7, 8, 10, 11, 12, 14, 15, 16, 17, 20, 21, 22]
    for number in range(23):
        assert readme.count(f"q{number} ") + readme.count(f"q{number},") >= 1, number


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_accepted(weir, query):
    weir.run(["check", f"{query}.sql"], cwd=NEXMARK)


def test_only_the_tables_are_swapped(tmp_path):
    text = (NEXMARK / "q5.sql").read_text()
    done = subprocess.run([sys.executable, NEXMARK / "swap.py", NEXMARK / "q5.sql", "--source", "kafka:there:9092/bids",
                           "--sink", "delta:./lake"], check=True, stdout=subprocess.PIPE, text=True)
    changed = [(old, new) for old, new in zip(text.splitlines(), done.stdout.splitlines(), strict=True) if old != new]
    assert [new for _, new in changed] == [
        ") WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = 'there:9092', 'topic' = 'bids', "
        "'scan.startup.mode' = 'earliest-offset', 'format' = 'json');",
        ") WITH ('connector' = 'delta', 'path' = './lake');"]


def flink_text(value):
    """A value as Flink prints it."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "+I(" + ",".join(flink_text(field) for field in value.values()) + ")"
    text = str(value)
    # A LocalDateTime leaves out seconds that are zero.
    return text[:16] if len(text) == 19 and text[10] == "T" and text.endswith(":00") else text


EVENTS = """CREATE TABLE seen WITH ('connector' = 'print');
INSERT INTO seen SELECT event_type, person, auction, bid FROM nexmark;
"""


def events_file(folder, text=EVENTS, name="events.sql", **options):
    table = (NEXMARK / "q0.sql").read_text()
    table = table[table.index("CREATE TABLE nexmark"):table.index("CREATE VIEW")]
    file = folder / name
    file.write_text(swap.swap(table, swap.GENERATOR | {key.replace("_", "-"): value for key, value in options.items()})
                    + text)
    return file


def test_the_twin_in_java_makes_the_same_events(weir, tmp_path):
    file = events_file(tmp_path, rows="3000")
    done = weir.run(["run", file.name, "--once", "--progress", "none"], cwd=tmp_path)
    ours = [flink_text(json.loads(line)) for line in done.stdout.splitlines()]
    theirs = java(ROOT / "bench" / "peers" / "flink" / "NexmarkEvents.java", "flink", 0, 3000).decode().splitlines()
    assert ours == theirs


def test_events_that_were_never_bytes_come_back_from_the_error_lake(weir, tmp_path):
    lake = """CREATE TABLE lake WITH ('connector' = 'delta', 'path' = './lake');
INSERT INTO lake SELECT bid.price AS price, bid.extra AS extra FROM nexmark WHERE event_type = 2;
"""
    file = events_file(tmp_path, lake, "p.sql", rows="1000")
    text = file.read_text()
    file.write_text(text.replace("\n) WITH", ",\n  CHECK (event_type <> 2 OR bid.price < 1000000)\n) WITH", 1))
    weir.run(["run", file.name, "--once", "--progress", "none"], cwd=tmp_path)
    assert file.read_text() != text
    good = duckdb.sql(f"SELECT count(*) FROM read_parquet('{tmp_path}/lake/*.parquet')").fetchall()[0][0]
    assert 0 < good < 920
    file.write_text(text)
    weir.run(["errors", "replay", file.name], cwd=tmp_path)
    found = duckdb.sql(f"SELECT price, extra FROM read_parquet('{tmp_path}/lake/*.parquet')").fetchall()
    whole = events_file(tmp_path, rows="1000")
    done = weir.run(["run", whole.name, "--once", "--progress", "none"], cwd=tmp_path)
    bids = [json.loads(line)["bid"] for line in done.stdout.splitlines()]
    assert sorted(found) == sorted((bid["price"], bid["extra"]) for bid in bids if bid is not None)


# Beam's events.

BATCH = {
    "q1": "SELECT auction, bidder, CAST(908 * price AS DECIMAL(23, 3)) * 0.001, t, extra FROM bid",
    "q5": """WITH hops AS (SELECT auction, s FROM (SELECT auction, unnest(range(5)) AS k, t FROM bid),
                             LATERAL (SELECT epoch_ms(t) // 2000 * 2000 - k * 2000 AS s)),
                  counts AS (SELECT s, auction, count(*) AS num FROM hops GROUP BY ALL)
             SELECT auction, num FROM counts c WHERE num >= (SELECT max(num) FROM counts d WHERE d.s = c.s)""",
    "q7": """WITH most AS (SELECT epoch_ms(t) // 10000 * 10000 + 10000 AS e, max(price) AS price FROM bid GROUP BY 1)
             SELECT auction, bidder, price, t, extra FROM bid JOIN most USING (price)
             WHERE epoch_ms(t) BETWEEN e - 10000 AND e""",
    "q8": """SELECT DISTINCT p.id, p.name, make_timestamp_ms(epoch_ms(p.t) // 10000 * 10000)
             FROM person p JOIN auction a
             ON p.id = a.seller AND epoch_ms(p.t) // 10000 = epoch_ms(a.t) // 10000""",
    "q10": """SELECT auction, bidder, price, t, extra, strftime(t, '%Y-%m-%d'), strftime(t, '%H:%M') FROM bid""",
    "q11": """WITH gaps AS (SELECT bidder, t, CASE WHEN epoch_ms(t) - epoch_ms(lag(t) OVER (PARTITION BY bidder
                              ORDER BY t)) <= 10000 THEN 0 ELSE 1 END AS first FROM bid),
                   numbered AS (SELECT bidder, t, sum(first) OVER (PARTITION BY bidder ORDER BY t
                                ROWS UNBOUNDED PRECEDING) AS session FROM gaps)
              SELECT bidder, count(*), min(t), max(t) + INTERVAL 10 SECOND FROM numbered GROUP BY bidder, session""",
}

RANKS = ("true", "price < 10000", "price >= 10000 AND price < 1000000", "price >= 1000000")
COUNTS = ", ".join(f"count(*) FILTER (WHERE {rank})" for rank in RANKS)
DISTINCTS = ", ".join(f"count(DISTINCT {column}) FILTER (WHERE {rank})" for column in ("bidder", "auction")
                      for rank in RANKS)
DAY = "strftime(t, '%Y-%m-%d') AS day"
CHANGING = {  # Beam's bids have no channel
    "q15": f"SELECT {DAY}, {COUNTS}, {DISTINCTS} FROM bid GROUP BY day",
    "q16": f"SELECT NULL, {DAY}, max(strftime(t, '%H:%M')), {COUNTS}, {DISTINCTS} FROM bid GROUP BY day",
    "q17": f"""SELECT auction, {DAY}, {COUNTS}, min(price), max(price), CAST(trunc(avg(price)) AS BIGINT), sum(price)
               FROM bid GROUP BY auction, day""",
}


@pytest.fixture(scope="module")
def beam(tmp_path_factory):
    """A file with 50,000 events, fifty seconds of them."""
    file = tmp_path_factory.mktemp("beam") / "events.ndjson"
    file.write_bytes(java(ROOT / "tests" / "servers" / "BeamEvents.java", "beam", 50_000))
    return file


@pytest.fixture(scope="module")
def beam_topic(kafka, beam):
    kafka.create_topic("beam", partitions=2)
    kafka.produce("beam", beam.read_bytes().splitlines())
    return {"connector": "kafka", "properties.bootstrap.servers": kafka.bootstrap, "topic": "beam",
            "scan.startup.mode": "earliest-offset", "scan.bounded.mode": "latest-offset", "format": "json"}


def in_duckdb(file, query):
    base = duckdb.connect()
    base.execute("SET TimeZone = 'UTC'")
    entities = {
        "person": "id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR, state VARCHAR, "
                  "dateTime TIMESTAMP, extra VARCHAR",
        "auction": "id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT, "
                   "dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra VARCHAR",
        "bid": "auction BIGINT, bidder BIGINT, price BIGINT, dateTime TIMESTAMP, extra VARCHAR"}
    structs = ", ".join(f"{name}: 'STRUCT({fields})'" for name, fields in entities.items())
    base.execute(f"CREATE TABLE events AS SELECT * FROM read_json('{file}', format='newline_delimited', "
                 f"columns={{event_type: 'INT', {structs}}})")
    for number, name in enumerate(entities):
        base.execute(f"CREATE VIEW {name} AS SELECT {name}.*, {name}.dateTime AS t FROM events "
                     f"WHERE event_type = {number}")
    return base.execute((BATCH | CHANGING)[query]).fetchall()


def plain(value):
    """One spelling of what JSON and DuckDB's rows hold."""
    if value is None:
        return "null"
    if isinstance(value, (int, decimal.Decimal)):
        return str(decimal.Decimal(value).normalize() + 0)
    if hasattr(value, "isoformat"):
        value = value.isoformat(timespec="milliseconds")
    if len(value) == 19 and value[10] == "T":
        value += ".000"
    return value


@pytest.mark.parametrize("query", sorted(BATCH))
def test_a_query_over_beams_events_gives_the_rows_of_a_batch(weir, tmp_path, beam, beam_topic, query):
    found = sorted([plain(value) for value in row.values()] for row in run(weir, tmp_path, query, beam_topic))
    expected = sorted([plain(value) for value in row] for row in in_duckdb(beam, query))
    assert len(expected) > 3
    assert found == expected


@pytest.mark.parametrize("query", sorted(CHANGING))
def test_what_is_left_of_a_changelog_over_beams_events_is_a_batchs_rows(weir, tmp_path, beam, query):
    file = tmp_path / f"{query}.sql"
    # No key may be NULL, as the channels of Beam's bids are.
    text = (NEXMARK / file.name).read_text().replace("PRIMARY KEY (channel, `day`)", "PRIMARY KEY (`day`)")
    events = {"connector": "file", "path": str(beam), "format": "json"}
    file.write_text(swap.swap(text, events, {"connector": "print"}))
    left = {}
    for line in weir.run(["run", file.name, "--once", "--progress", "none"], cwd=tmp_path).stdout.splitlines():
        left[line[3:]] = left.get(line[3:], 0) + {"+I": 1, "-D": -1}[line[:2]]
    assert set(left.values()) <= {0, 1}
    found = sorted([plain(value) for value in json.loads(row, parse_float=decimal.Decimal).values()]
                   for row, weight in left.items() if weight > 0)
    expected = sorted([plain(value) for value in row] for row in in_duckdb(beam, query))
    assert expected
    assert found == expected
