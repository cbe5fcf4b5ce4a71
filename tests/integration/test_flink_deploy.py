"""Kafka -> `weir deploy flink` -> Flink -> Kafka -> `weir run` -> ClickHouse and Delta, exactly once; and what
`weir check --target flink` says."""

import json
import re
from pathlib import Path

import pytest
from case import rows

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = """id BIGINT NOT NULL, customer STRING, amount DECIMAL(12, 2), ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, CONSTRAINT positive CHECK (amount >= 0)"""
TUMBLE = """SELECT window_start, customer, COUNT(*) AS n, SUM(amount) AS total
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, customer"""


@pytest.fixture
def pipeline(case, kafka, topic):
    """pipeline(sinks and inserts) writes p.sql over a topic of its own, whose name is the pipeline's too."""
    def write(text, columns=COLUMNS, options="", create=True, settings=None):
        if create:
            kafka.create_topic(topic, partitions=2)
        case.write("p.sql", case.settings(topic, **(settings or {})) + f"""
CREATE TABLE orders (
  {columns}
) WITH ('connector'='kafka', 'topic'='{topic}', 'properties.bootstrap.servers'='{kafka.bootstrap}',
  'scan.watermark.idle-timeout'='5 min', 'format'='json'{options});
{text}""")
        return case
    return write


def order(number, second=None, **fields):
    """Every other one in the other partition: neither is ahead, so that no row is late."""
    second = number if second is None else second
    minute, second = divmod(second, 60)
    event = {"id": number, "customer": "abc"[number % 3], "amount": number / 4,
             "ts": f"2026-11-21T10:{minute:02}:{second:02}.000"} | fields
    return {"value": json.dumps(event), "partition": number % 2}


def deploy(case, *arguments, expect=0):
    return case.weir.run(["deploy", "flink", "p.sql", *arguments], cwd=case.folder, expect=expect)


def check(case, expect=0):
    return case.weir.run(["check", "--target", "flink", "p.sql"], cwd=case.folder, expect=expect).stderr


def totals(numbers):
    """{(second at which the window starts, customer): (count, sum)} of the orders."""
    found = {}
    for number in numbers:
        key = (number // 10 * 10, "abc"[number % 3])
        count, total = found.get(key, (0, 0))
        found[key] = (count + 1, total + number / 4)
    return found


def seconds(time):
    return time.minute * 60 + time.second


def of_lake(table):
    found = {}
    for row in rows(table):
        key = (seconds(row["window_start"]), row["customer"])
        assert key not in found, f"{key} is there twice"
        found[key] = (row["n"], float(row["total"]))
    return found


def test_kafka_through_flink_into_clickhouse_and_delta(pipeline, topic, kafka, flink, clickhouse, running, eventually,
                                                       tmp_path):
    """Windows into a lake and current totals into ClickHouse, over a stop with a savepoint and a killed Weir."""
    case = pipeline(f"""
CREATE TABLE lake WITH ('connector'='delta', 'path'='{tmp_path / "lake"}');
CREATE TABLE current (customer STRING, n BIGINT, total DECIMAL(22, 2), PRIMARY KEY (customer) NOT ENFORCED)
WITH ('connector'='clickhouse', 'url'='{clickhouse.http_url}', 'table'='{topic}', 'commit-interval'='50 ms');
CREATE TABLE raw WITH ('connector'='delta', 'path'='{tmp_path / "raw"}');
INSERT INTO lake {TUMBLE};
INSERT INTO current SELECT customer, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY customer;
INSERT INTO raw SELECT id, customer FROM orders;
""", settings={"pipeline__unbounded_state": "allow"})
    kafka.produce(topic, [order(number) for number in range(200)] + ["no JSON", order(200, amount=-1)])
    said = deploy(case, "--gateway", flink.gateway).stdout
    assert f"topic weir.{topic}.lake: made" in said and f"job {topic}: submitted as " in said
    assert "RUNNING" in eventually(lambda: deploy(case, "--gateway", flink.gateway, "--status", expect=None).stdout)
    assert "runs already" in deploy(case, "--gateway", flink.gateway, expect=2).stderr

    def current():
        found = clickhouse.rows(f"SELECT customer, n, toFloat64(total) FROM {topic} FINAL ORDER BY customer")
        return {row[0]: row[1:] for row in found}

    def expected(last):
        return {name: (len(mine), sum(mine) / 4) for name, mine in
                ((name, [n for n in range(last) if "abc"[n % 3] == name]) for name in "abc")}

    sinks = "p.sql.weir-sinks.sql"
    first = running(sinks)
    eventually(lambda: current() == expected(200), 60)
    eventually(lambda: len(of_lake(tmp_path / "lake")) >= 3, 30)
    first.kill()
    first.wait()
    kafka.produce(topic, [order(number) for number in range(201, 400)])
    savepoint = re.search(r"^savepoint: (\S+)$", deploy(
        case, "--gateway", flink.gateway, "--stop", "--savepoint", (tmp_path / "savepoints").as_uri()).stdout, re.M)[1]
    assert "running" in deploy(case, "--gateway", flink.gateway, "--stop", expect=3).stderr
    assert "has records of an earlier job" in deploy(case, "--gateway", flink.gateway, expect=2).stderr
    kafka.produce(topic, [order(number) for number in range(400, 500)] +
                  [order(number, 3599, customer="end") for number in (100000, 100001)])
    deploy(case, "--gateway", flink.gateway, "--from-savepoint", savepoint)
    second = running(sinks)
    numbers = [number for number in range(500) if number != 200]
    wanted = totals(numbers)
    eventually(lambda: of_lake(tmp_path / "lake") == wanted, 60)
    assert sum(count for count, _ in wanted.values()) == 499
    eventually(lambda: sum(n for n, _ in current().values()) == 501, 60)
    # A set of its own, which commits in its own time.
    eventually(lambda: sorted(row["id"] for row in rows(tmp_path / "raw")) == [*numbers, 100000, 100001], 60)
    errors = {row["code"] for row in case.error_rows(f"{topic}-sinks", "orders")}
    assert errors == {"malformed", "check_failed"}
    assert "--savepoint" in deploy(case, "--gateway", flink.gateway, "--stop", expect=2).stderr
    deploy(case, "--gateway", flink.gateway, "--stop", "--savepoint", (tmp_path / "savepoints").as_uri())
    second.terminate()
    assert second.wait(20) == 0


def test_stateless_inserts_move_when_they_are_told_to(pipeline, topic, kafka, flink, eventually, tmp_path):
    """With keys, METADATA, a computed column and a Kafka sink."""
    kafka.create_topic(f"{topic}-out")
    case = pipeline(f"""
CREATE TABLE copies (id BIGINT, shout STRING, position BIGINT)
WITH ('connector'='kafka', 'topic'='{topic}-out', 'properties.bootstrap.servers'='{kafka.bootstrap}',
  'key.fields'='shout');
CREATE TABLE lake WITH ('connector'='delta', 'path'='{tmp_path / "lake"}');
CREATE TEMPORARY VIEW loud AS SELECT id, UPPER(name) AS shout, place, twice, k FROM orders;
EXECUTE STATEMENT SET BEGIN
  INSERT INTO copies SELECT id, shout, place FROM loud WHERE id != 2;
  INSERT INTO lake SELECT id, shout, twice, k, CASE WHEN id > 1 THEN TRUE ELSE FALSE END AS late FROM loud;
END;
""", columns="id BIGINT NOT NULL, name STRING, twice AS id * 2, place BIGINT METADATA FROM 'offset', "
             "k STRING METADATA FROM 'key'")
    kafka.produce(topic, [{"key": f"k{number}", "value": json.dumps({"id": number, "name": "ab"}), "partition": 0}
                          for number in range(5)] + ['{"name": "no id"}'])
    assert "is stateless" in deploy(case, "--gateway", flink.gateway, expect=2).stderr
    deploy(case, "--gateway", flink.gateway, "--all")
    eventually(lambda: len(kafka.values(f"{topic}-out")) == 4, 30)
    assert sorted(map(json.loads, kafka.values(f"{topic}-out")), key=lambda row: row["id"]) == [
        {"id": number, "shout": "AB", "position": number} for number in (0, 1, 3, 4)]
    assert {message.key() for message in kafka.read(f"{topic}-out")} == {b"AB"}
    eventually(lambda: len(kafka.values(f"weir.{topic}.lake")) == 5, 30)
    deploy(case, "--gateway", flink.gateway, "--stop", "--savepoint", (tmp_path / "savepoints").as_uri())
    case.weir.run(["run", "p.sql.weir-sinks.sql", "--once", "--progress", "none"], cwd=case.folder)
    found = sorted(rows(tmp_path / "lake"), key=lambda row: row["id"])
    assert [(row["id"], row["shout"], row["twice"], row["k"], row["late"]) for row in found] == [
        (number, "AB", number * 2, f"k{number}", number > 1) for number in range(5)]
    assert [row["code"] for row in case.error_rows(f"{topic}-sinks", "orders")] == ["missing_required"]


def test_the_dry_run_shows_both_halves_without_secrets(pipeline, topic, tmp_path, monkeypatch):
    monkeypatch.setenv("WORD", "s3cret-word")
    case = pipeline(f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{tmp_path / 'lake'}');\n"
                    f"INSERT INTO lake SELECT id, customer FROM orders;\n", create=False,
                    options=", 'properties.sasl.mechanism'='PLAIN', 'properties.sasl.username'='weir', "
                            "'properties.sasl.password'='${env:WORD}'",
                    settings={"pipeline__parallelism": "2", "pipeline__state_ttl": "1 h"})
    said = deploy(case, "--dry-run", "--all").stdout
    assert "s3cret-word" not in said
    flinks, weirs = said.split("-- p.sql.weir-sinks.sql")
    assert "'properties.sasl.jaas.config' = '***'" in flinks and "SET 'parallelism.default' = '2';" in flinks
    assert "SET 'table.exec.state.ttl' = '3600000 ms';" in flinks
    assert "'properties.sasl.password' = '${env:WORD}'" in weirs
    assert "'properties.isolation.level' = 'read_committed'" in weirs
    assert f"SET 'pipeline.name' = '{topic}-sinks';" in weirs and "pipeline.parallelism" not in weirs
    case.write("second.sql", weirs.split(":\n", 1)[1])
    case.weir.run(["check", "second.sql"], cwd=case.folder)


def test_what_flink_refuses_is_told_at_its_place(pipeline, flink):
    case = pipeline("CREATE TABLE sink WITH ('connector'='blackhole');\n"
                    "INSERT INTO sink\nSELECT id,\n  split_part(customer, 'x', 1) AS part FROM orders;\n")
    said = deploy(case, "--gateway", flink.gateway, "--all", expect=2).stderr
    line = 1 + (case.folder / "p.sql").read_text()[:(case.folder / "p.sql").read_text().index("split_part")].count("\n")
    assert re.search(rf"p\.sql:{line}:3: error: Flink: No match found for function signature split_part", said), said


def test_an_address_that_is_no_gateway(pipeline, flink):
    case = pipeline("CREATE TABLE sink WITH ('connector'='blackhole');\nINSERT INTO sink SELECT id FROM orders;\n",
                    create=False)
    assert "is no SQL gateway" in deploy(case, "--gateway", flink.jobmanager, "--all", expect=3).stderr
    nobody = deploy(case, "--gateway", "http://127.0.0.1:1", "--all", expect=3)
    assert "SQL gateway at http://127.0.0.1:1: " in nobody.stderr
    assert "--gateway is missing" in deploy(case, "--all", expect=2).stderr


def places(said, kind):
    """{the text at the place: words} of p.sql's diagnostics."""
    return re.findall(rf"^p\.sql:(\d+):(\d+): {kind}: (.*)$", said, re.M)


def test_check_names_what_flink_takes_differently_or_not_at_all(pipeline):
    case = pipeline("""
CREATE TABLE sink WITH ('connector'='blackhole');
INSERT INTO sink SELECT id, date_trunc('hour', ts) AS hour, concat(customer, value) AS text, amount::STRING AS amount,
  factorial(id) AS odd, CAST(id AS STRING) AS plain, UPPER(customer) AS fine
FROM orders WHERE id <> 3;
""", columns=COLUMNS + ", `value` STRING, place STRING METADATA FROM 'partition'", create=False,
                    settings={"pipeline__late_rows": "drop"},
                    options=", 'scan.partitions'='0', 'watermark.max-ahead'='1 h'")
    said = check(case, expect=2)
    lines = (case.folder / "p.sql").read_text().splitlines()
    errors = {lines[int(line) - 1][int(column) - 1:].split("(")[0].split(" ")[0].strip(",'="): words
              for line, column, words in places(said, "error")}
    assert "FLOOR" in errors["date_trunc"]
    assert "reserved word" in errors["hour"] and "reserved word" in errors["value)"]
    assert "CAST" in errors["::STRING"]
    assert "not known to be the same" in errors["factorial"]
    assert any("scan.partitions" in words for words in errors.values())
    assert not {"UPPER", "CAST", "id"} & set(errors)
    warnings = "\n".join(words for _, _, words in places(said, "warning"))
    for part in ("CONCAT: ", "Flink has no CHECK", "rows that come late", "'pipeline.late-rows' has no counterpart",
                 "'watermark.max-ahead'", "METADATA 'partition'", "'sink' (blackhole) is no table of Flink's"):
        assert part in warnings, part


def test_check_takes_what_is_portable(pipeline, tmp_path):
    case = pipeline(f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{tmp_path / 'lake'}');\n"
                    "INSERT INTO lake SELECT id, COALESCE(customer, '-') AS who, EXTRACT(HOUR FROM ts) AS hours "
                    "FROM orders;\n", create=False)
    assert ": error: " not in check(case)


def test_check_names_sources_that_flink_cannot_read(case):
    case.write("p.sql", """
CREATE TABLE orders (id BIGINT) WITH ('connector'='file', 'path'='x.ndjson', 'format'='json');
CREATE TABLE sink WITH ('connector'='blackhole');
INSERT INTO sink SELECT id FROM orders;
""")
    assert re.search(r"^p\.sql:2:51: error: Flink cannot read 'orders', whose connector is 'file'", check(case, 2),
                     re.M)


def test_the_page_of_portable_sql_is_what_the_binary_says(weir):
    page = (ROOT / "docs" / "portable-sql.md").read_text()
    assert page == weir.run(["check", "--portable-sql"]).stdout, \
        "mend it with: build/weir check --portable-sql > docs/portable-sql.md"
