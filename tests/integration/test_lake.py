"""The Delta lake, read back by others than Weir; and everything that can stand in a table's way."""

import random
import shutil
import signal
import time
from decimal import Decimal

import pytest
from case import Case, column, duckdb_rows, event, events, publish, rows
from deltalake import DeltaTable, write_deltalake

import pyarrow


def input_file(case, lines, name="input.ndjson"):
    path = case.folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def s3_settings(minio):
    return {"s3__endpoint": minio.url, "s3__access_key": minio.access_key, "s3__secret_key": "${env:S3_SECRET}",
            "s3__region": "us-east-1", "s3__path_style": "true"}


def typed(row):
    """A row of deltalake or DuckDB as `weir sql --format json` prints it."""
    def plain(value):
        if isinstance(value, Decimal):
            return float(value)
        return value.isoformat() if hasattr(value, "isoformat") else value
    return {name: plain(value) for name, value in row.items()}


def test_minio_read_by_others_equals_weir_sql(case, shared_nats, minio, bucket):
    env = {"S3_SECRET": minio.secret_key}
    lake = f"s3://{bucket}/lake"
    columns = "id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2), moment TIMESTAMP(3), tags ARRAY<STRING>"
    broken = [b'{"id": 1, "amount": "much"}', b"{nothing"]
    publish(shared_nats.url, case.stream,
            [event(number, moment=f"2026-11-21T10:00:{number % 60:02d}.25", tags=["a", f"t{number % 3}"])
             for number in range(1, 201)] + broken)
    settings = s3_settings(minio) | {"error_lake__path": f"s3://{bucket}/errors"}
    select = "*, CAST(id % 3 AS INT) AS part"
    file = case.nats_pipeline(shared_nats.url, columns=columns, settings=settings, lake=lake, select=select,
                              sink=", 'partition-by'='part'")
    case.weir.run(["check", "--connect", file], cwd=case.folder, env=env)
    case.once(file, env=env)
    storage = minio.storage_options()
    ours = case.sql(file, "SELECT id, name, amount, moment, tags, part FROM lake ORDER BY id", env=env)
    query = "SELECT id, name, amount, moment, tags, part FROM t ORDER BY id"
    theirs = [typed(row) for row in duckdb_rows(lake, query, storage)]
    table = sorted(rows(lake, storage), key=lambda row: row["id"])
    assert len(ours) == len(theirs) == len(table) == 200
    for mine, other, plain in zip(ours, theirs, table):
        assert mine["moment"].startswith("2026-11-21T10:00:") and mine["moment"][:19] == other["moment"][:19]
        for name in ("id", "name", "amount", "tags", "part"):
            assert mine[name] == other[name] == typed(plain)[name]
    assert DeltaTable(lake, storage_options=storage).metadata().partition_columns == ["part"]
    errors = rows(f"s3://{bucket}/errors/p/events", storage)
    assert sorted(row["payload"] for row in errors) == sorted(broken)
    assert case.sql(file, "SELECT count(*) AS n FROM errors.events", env=env) == [{"n": 2}]
    case.once(file, env=env)
    assert case.ids(lake, storage) == list(range(1, 201))


def test_wrong_s3_credentials(case, minio, bucket):
    settings = s3_settings(minio) | {"s3__secret_key": "${env:S3_SECRET}"}
    path = input_file(case, events(1, 3))
    file = case.file_pipeline(path, settings=settings, lake=f"s3://{bucket}/lake")
    started = time.monotonic()
    for command in (["check", "--connect", file], ["run", file, "--once", "--progress", "none"]):
        run = case.weir.run(command, cwd=case.folder, expect=3, env={"S3_SECRET": "wr0ng-s3-secret"}, timeout_s=30)
        assert "wr0ng-s3-secret" not in run.stdout + run.stderr
    assert time.monotonic() - started < 25
    assert not minio.list(bucket)


def test_a_new_column_is_added(case):
    path = input_file(case, events(1, 10))
    file = case.file_pipeline(path)
    case.once(file)
    with open(path, "ab") as out:
        out.write(b"".join(event(number, city="Rome") + b"\n" for number in range(11, 16)))
    file = case.file_pipeline(path, columns="id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2), city STRING")
    case.once(file)
    assert case.ids() == list(range(1, 16))
    cities = dict(zip(column(case.lake, "id"), column(case.lake, "city")))
    assert all(cities[number] is None for number in range(1, 11)) and cities[11] == "Rome"
    assert case.sql(file, "SELECT count(city) AS n FROM lake") == [{"n": 5}]


def test_no_column_is_added_where_that_is_forbidden(case):
    path = input_file(case, events(1, 10))
    sink = ", 'schema-evolution'='none'"
    case.once(case.file_pipeline(path, sink=sink))
    wider = case.file_pipeline(path, columns="id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2), city STRING",
                               sink=sink)
    run = case.once(wider, expect=None)
    assert run.returncode in (1, 2) and "city" in run.stderr
    assert [field.name for field in DeltaTable(str(case.lake)).schema().fields][:3] == ["id", "name", "amount"]
    assert "city" not in [field.name for field in DeltaTable(str(case.lake)).schema().fields]
    assert case.ids() == list(range(1, 11))


def test_an_existing_table_of_another_schema_is_refused(case):
    write_deltalake(str(case.lake), pyarrow.table({"id": ["one"], "name": ["x"]}))
    path = input_file(case, events(1, 3))
    file = case.file_pipeline(path)
    run = case.once(file, expect=None)
    assert run.returncode in (1, 2) and "id" in run.stderr, run.stderr
    assert column(case.lake, "id") == ["one"]
    assert case.weir.run(["check", file], cwd=case.folder, expect=None).returncode == 2


def test_partitioned_table(case):
    lines = [event(number, name=name) for number, name in enumerate(["a", "b", "a/b", "c d", None, "ü"] * 5, start=1)]
    case.once(case.file_pipeline(input_file(case, lines), sink=", 'partition-by'='name'"))
    table = DeltaTable(str(case.lake))
    assert table.metadata().partition_columns == ["name"]
    by_name = {}
    for row in rows(case.lake):
        by_name.setdefault(row["name"], []).append(row["id"])
    assert set(by_name) == {"a", "b", "a/b", "c d", None, "ü"} and all(len(ids) == 5 for ids in by_name.values())
    found = duckdb_rows(case.lake, "SELECT count(*) AS n FROM t WHERE name = 'a/b'")
    assert found == [{"n": 5}]


def test_two_pipelines_write_one_table_and_lose_nothing(case, running):
    files = []
    for number in range(2):
        path = input_file(case, events(1 + number * 3000, 3000 + number * 3000), f"in-{number}.ndjson")
        files.append(case.file_pipeline(path, file=f"w{number}.sql", settings={
            "pipeline__commit_interval": "20 ms", "pipeline__batch_rows": "100"}))
    processes = [running(file, "--once", "--progress", "none") for file in files]
    for process in processes:
        assert process.wait(60) == 0, process.said()
    assert case.ids() == list(range(1, 6001))


def test_two_pipelines_that_claim_one_name(case, running, eventually):
    path = input_file(case, events(1, 10))
    first = case.file_pipeline(path, ", 'follow'='true'")
    process = running(first, "--progress", "none")
    eventually(lambda: len(case.ids()) == 10)
    second = case.write("other.sql", first.read_text())
    started = time.monotonic()
    run = case.weir.run(["run", second], cwd=case.folder, expect=None, timeout_s=15)
    assert run.returncode in (1, 2) and "'p'" in run.stderr and "running" in run.stderr, run.stderr
    assert time.monotonic() - started < 10
    both = case.weir.run(["run", first, second], cwd=case.folder, expect=2)
    assert "'p'" in both.stderr
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    case.once(second)
    assert case.ids() == list(range(1, 11))


def test_lost_local_state_is_recovered_from_the_table(case, shared_nats):
    publish(shared_nats.url, case.stream, events(1, 50) + [b"broken"])
    file = case.nats_pipeline(shared_nats.url)
    case.once(file)
    shutil.rmtree(case.folder / "state")
    publish(shared_nats.url, case.stream, events(51, 60))
    case.once(file)
    assert case.ids() == list(range(1, 61))
    assert len(case.error_rows()) == 1


def test_full_disk_stops_with_words_and_loses_nothing(case, small_disk):
    disk, remount = small_disk
    dice = random.Random(7)
    lines = [event(number, name="%0500x" % dice.getrandbits(2000)) for number in range(1, 20_001)]
    file = case.file_pipeline(input_file(case, lines), lake=disk / "lake", settings={
        "pipeline__commit_interval": "20 ms", "pipeline__batch_rows": "500"})
    run = case.once(file, expect=1)
    assert "space" in run.stderr.lower() or "disk" in run.stderr.lower(), run.stderr
    remount("size=100m")
    case.once(file)
    assert case.ids(disk / "lake") == list(range(1, 20_001))


def test_read_only_lake(case, small_disk):
    disk, remount = small_disk
    path = input_file(case, events(1, 10))
    file = case.file_pipeline(path, lake=disk / "lake")
    remount("ro")
    run = case.once(file, expect=None, timeout_s=20)
    assert run.returncode in (1, 3) and "lake" in run.stderr, run.stderr
    assert "read-only" in run.stderr.lower() or "permission" in run.stderr.lower(), run.stderr
    remount("rw")
    case.once(file)
    assert case.ids(disk / "lake") == list(range(1, 11))


def test_the_ledger_of_a_pipeline_adds_up(case):
    path = input_file(case, events(1, 40) + [b"broken"] * 3)
    file = case.write("p.sql", case.settings("p") + (
        f"CREATE TABLE events (id BIGINT NOT NULL, name STRING) WITH ('connector'='file', 'path'='{path}');\n"
        f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
        "INSERT INTO lake SELECT * FROM events WHERE id > 10;\n"))
    done = case.once(file)
    assert "events=43 rows=30 errors=3 filtered=10" in done.stderr, done.stderr
    assert case.ids() == list(range(11, 41))
