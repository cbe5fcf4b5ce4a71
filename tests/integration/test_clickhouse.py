"""The ClickHouse sink on ClickHouse's own engine: exactly once over crashes and lost answers, and what it says."""

import json
import shutil
import threading

import pytest
from case import event, events, publish
from servers import ClickHouseError, ClickHouseFront, Proxy, free_port, make_certificates

POINTS = ("before_intent", "after_intent", "after_insert", "before_finish", "after_finish")
COLUMNS = "id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2)"


class Target:
    """A table of its own in the shared server, and pipelines from a file or a stream into it."""

    def __init__(self, server, case):
        self.server, self.case = server, case
        self.name = f"{case.stream.lower()}_out"

    def sink(self, options="", url=None):
        return (f"CREATE TABLE sink WITH ('connector'='clickhouse', 'url'='{url or self.server.http_url}', "
                f"'table'='{self.name}', 'retry.first-wait'='10 ms', 'commit-interval'='50 ms'{options});\n")

    def pipeline(self, source, options="", url=None, columns=COLUMNS, select="*", file="p.sql", settings=None):
        return self.case.write(file, self.case.settings(file.removesuffix(".sql"), **(settings or {})) + (
            f"CREATE TABLE events ({columns}) WITH ({source});\n"
            f"{self.sink(options, url)}INSERT INTO sink SELECT {select} FROM events;\n"))

    def file_pipeline(self, messages=None, *arguments, **more):
        if messages is not None:
            (self.case.folder / "in.ndjson").write_bytes(b"\n".join(messages) + b"\n")
        path = self.case.folder / "in.ndjson"
        return self.pipeline(f"'connector'='file', 'path'='{path}', 'format'='json'", *arguments, **more)

    def nats_pipeline(self, nats, *arguments, **more):
        return self.pipeline(f"'connector'='nats', 'url'='{nats.url}', 'stream'='{self.case.stream}', "
                             "'format'='json'", *arguments, **more)

    def ids(self, table=None):
        return [row[0] for row in self.server.rows(f"SELECT id FROM default.{table or self.name} ORDER BY id")]

    def create(self, columns, engine="MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 100"):
        self.server.query(f"CREATE TABLE default.{self.name} ({columns}) ENGINE = {engine}")

    def restart_state(self):
        self.server.query(f"DROP TABLE IF EXISTS default.{self.name}")
        shutil.rmtree(self.case.folder / "state", ignore_errors=True)
        shutil.rmtree(self.case.folder / "errors", ignore_errors=True)

    def refused(self):
        return sorted((json.loads(row["payload"])["id"], row["sink"], row["code"]) for row in self.case.error_rows())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ClickHouseFront(tmp_path_factory.mktemp("clickhouse"), users={"writer": "s3cret-word"}) as server:
        yield server


@pytest.fixture
def target(server, case):
    server.clear_faults()
    return Target(server, case)


def test_rows_become_visible_within_the_interval_and_can_be_traced(target, shared_nats, running, eventually):
    publish(shared_nats.url, target.case.stream, events(1, 50))
    target.nats_pipeline(shared_nats)
    running("p.sql")
    eventually(lambda: target.ids() == list(range(1, 51)))
    publish(shared_nats.url, target.case.stream, events(51, 60))
    eventually(lambda: target.ids() == list(range(1, 61)))
    columns = "id, name, toString(amount), _weir_offset"
    rows = target.server.rows(f"SELECT {columns} FROM {target.name} ORDER BY id LIMIT 2")
    assert rows == [(1, "n1", "0.25", 1), (2, "n2", "0.5", 2)]
    insert = target.server.requests(f"INSERT INTO `default`.`{target.name}`")[0]
    assert insert["settings"]["async_insert"] == "0" and insert["settings"]["insert_deduplication_token"]
    assert insert["encoding"] == "lz4"


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_step_neither_loses_nor_doubles(target, point):
    target.file_pipeline(events(1, 200))
    target.case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": f"clickhouse.{point}:1"})
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 201))
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 201))


def test_lost_answers_do_not_double(target):
    target.file_pipeline(events(1, 100))
    target.server.fault("drop", when="after", count=3)
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 101))
    assert len(target.server.requests(f"INSERT INTO `default`.`{target.name}`")) == 4


@pytest.mark.parametrize("code", [252, 241, 164, 242, 202])
def test_a_server_that_cannot_take_it_now_is_waited_for(target, code, running, eventually):
    target.file_pipeline(events(1, 20), ", 'retry.max-attempts'='2'")
    target.server.fault("fail", code=code, count=5)
    process = running("p.sql", "--once")
    eventually(lambda: process.poll() is not None, timeout_s=30)
    assert process.returncode == 0, process.said()
    assert target.ids() == list(range(1, 21))
    assert f"code {code}" in process.said() and "trying again" in process.said()


def test_a_wrong_password_ends_with_words_and_shows_none(target):
    target.file_pipeline(events(1, 5), ", 'username'='writer', 'password'='not-the-word'")
    refused = target.case.once("p.sql", expect=None)
    assert refused.returncode not in (0, -9)
    said = refused.stdout + refused.stderr
    assert "516" in said and target.server.http_url in said and "not-the-word" not in said
    target.file_pipeline(None, ", 'username'='writer', 'password'='s3cret-word'")
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 6))


def test_rows_that_the_server_refuses_are_found_and_the_others_stored(target):
    target.create("id Int64, name String, amount Decimal(12,2), CONSTRAINT positive CHECK amount > 0")
    bad = {3, 77, 78, 200}
    target.file_pipeline([event(i, amount=-1 if i in bad else 1) for i in range(1, 201)])
    target.case.once("p.sql")
    assert target.ids() == [i for i in range(1, 201) if i not in bad]
    assert target.refused() == [(i, "sink", "sink_refused") for i in sorted(bad)]
    assert "positive" in target.case.error_rows()[0]["message"]
    target.case.once("p.sql")
    assert len(target.case.error_rows()) == 4


@pytest.mark.parametrize("point", ["split:1", "split:2", "split:7", "after_insert:3", "after_refused:1",
                                   "before_finish:1", "after_finish:1"])
def test_a_kill_while_rows_are_refused(target, point):
    target.create("id Int64, name String, amount Decimal(12,2), CONSTRAINT positive CHECK amount > 0")
    bad = {3, 77}
    target.file_pipeline([event(i, amount=-1 if i in bad else 1) for i in range(1, 101)])
    target.case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": f"clickhouse.{point}"})
    target.case.once("p.sql")
    assert target.ids() == [i for i in range(1, 101) if i not in bad]
    assert [row[0] for row in target.refused()] == sorted(bad)


@pytest.mark.parametrize("own_column", [True, False])
def test_a_table_that_is_altered_before_an_interrupted_commit_is_resumed(target, own_column):
    if not own_column:
        target.create("id Int64, name String, amount Decimal(12,2)")
    target.file_pipeline(events(1, 50))
    target.case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": "clickhouse.after_insert:1"})
    assert target.ids() == list(range(1, 51))
    target.server.query(f"ALTER TABLE {target.name} ADD CONSTRAINT small CHECK id < 10")
    if not own_column:
        stopped = target.case.once("p.sql", expect=1)
        assert "cannot be known" in stopped.stderr and "at-least-once" in stopped.stderr
        assert target.case.error_rows() == []
        target.server.query(f"ALTER TABLE {target.name} DROP CONSTRAINT small")
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 51))


def test_a_value_that_no_column_holds_goes_to_the_error_lake(target):
    target.create("id UInt8, name Nullable(String), amount Nullable(Decimal(12,2))")
    target.file_pipeline([event(1), event(2, id=300), event(3)])
    target.case.once("p.sql")
    assert target.ids() == [1, 3]
    rows = target.case.error_rows()
    assert len(rows) == 1 and rows[0]["code"] == "sink_refused" and "id" in rows[0]["message"]


def test_an_existing_table_that_does_not_fit_is_explained_column_by_column(target):
    target.create("id Array(Int64), name DateTime, amount Decimal(12,2)")
    target.file_pipeline(events(1, 3))
    refused = target.case.once("p.sql", expect=2)
    assert "column id: BIGINT cannot be stored in Array(Int64)" in refused.stderr
    assert "column name: STRING cannot be stored in DateTime" in refused.stderr
    assert "column amount" not in refused.stderr


def test_missing_columns_are_added_or_refused(target):
    target.create("id Int64")
    target.file_pipeline(events(1, 3), ", 'schema-evolution'='none'")
    refused = target.case.once("p.sql", expect=2)
    assert "name" in refused.stderr and "amount" in refused.stderr
    target.file_pipeline(None)
    target.case.once("p.sql")
    assert target.server.rows(f"SELECT id, name FROM {target.name} ORDER BY id")[0] == (1, "n1")


def test_a_table_without_a_window_is_refused_with_the_way_out(target):
    target.create("id Int64, name Nullable(String), amount Nullable(Decimal(12,2))", "MergeTree ORDER BY tuple()")
    target.file_pipeline(events(1, 3))
    refused = target.case.once("p.sql", expect=2)
    assert "MODIFY SETTING non_replicated_deduplication_window" in refused.stderr
    target.file_pipeline(None, ", 'delivery'='at-least-once'")
    target.case.once("p.sql")
    assert target.ids() == [1, 2, 3]
    assert "at least once" in target.case.weir.run(["check", "p.sql"], cwd=target.case.folder).stdout


def test_a_view_whose_target_would_double_is_refused(target):
    columns = "id Int64, name Nullable(String), amount Nullable(Decimal(12,2))"
    target.create(columns)
    name = target.name
    target.server.query(f"CREATE TABLE {name}_view (id Int64) ENGINE = MergeTree ORDER BY id")
    target.server.query(f"CREATE MATERIALIZED VIEW {name}_mv TO {name}_view AS SELECT id FROM {name}")
    target.file_pipeline(events(1, 20))
    refused = target.case.once("p.sql", expect=2)
    assert f"default.{name}_mv" in refused.stderr and "MODIFY SETTING" in refused.stderr
    target.server.query(f"ALTER TABLE {name}_view MODIFY SETTING non_replicated_deduplication_window = 100")
    target.server.fault("drop", when="after", count=2)
    target.case.once("p.sql")
    assert target.ids() == target.ids(f"{name}_view") == list(range(1, 21))


def test_a_view_that_fails_stops_with_words_and_doubles_nothing(target):
    name = target.name
    target.file_pipeline(events(1, 3))
    target.case.once("p.sql")
    target.server.query(f"CREATE TABLE {name}_view (id Int64, x UInt8) ENGINE = MergeTree ORDER BY id "
                        "SETTINGS non_replicated_deduplication_window = 100")
    target.server.query(f"CREATE MATERIALIZED VIEW {name}_mv TO {name}_view AS "
                        f"SELECT id, throwIf(id = 7) AS x FROM {name}")
    target.file_pipeline(events(1, 20))
    refused = target.case.once("p.sql", expect=1)
    assert "materialized views" in refused.stderr and target.case.error_rows() == []
    target.server.query(f"DROP TABLE {name}_mv")
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 21))


def test_a_server_that_is_killed_and_comes_back(target, tmp_path, shared_nats, running, eventually):
    with ClickHouseFront(tmp_path / "own") as own:
        target.server = own
        publish(shared_nats.url, target.case.stream, events(1, 100))
        target.nats_pipeline(shared_nats, ", 'retry.max-attempts'='2'")
        process = running("p.sql")
        eventually(lambda: target.ids() == list(range(1, 101)))
        own.kill9()
        publish(shared_nats.url, target.case.stream, events(101, 200))
        eventually(lambda: "trying again" in process.said() or "retrying" in process.said())
        own.restart()
        eventually(lambda: target.ids() == list(range(1, 201)), timeout_s=30)


def test_the_next_url_is_taken_when_one_does_not_answer(target):
    proxy = Proxy(target.server.port)
    try:
        urls = f"http://127.0.0.1:{proxy.port},{target.server.http_url}"
        # The engine's database `default` gives tables no UUID, by which two addresses of one server are known.
        options = f", 'database'='{target.name}_db'"
        target.file_pipeline(events(1, 10), options, url=urls)
        target.case.once("p.sql")
        proxy.refuse()
        target.file_pipeline(events(1, 30), options, url=urls)
        target.case.once("p.sql")
        rows = target.server.rows(f"SELECT id FROM {target.name}_db.{target.name} ORDER BY id")
        assert [row[0] for row in rows] == list(range(1, 31))
    finally:
        proxy.close()


def test_an_unreplicated_second_server_is_refused(target, tmp_path):
    with ClickHouseFront(tmp_path / "other") as other:
        target.file_pipeline(events(1, 10), url=f"{target.server.http_url},{other.http_url}")
        refused = target.case.once("p.sql", expect=1)
        assert "unreplicated" in refused.stderr and other.http_url in refused.stderr
        with pytest.raises(ClickHouseError):
            other.rows(f"SELECT * FROM default.{target.name}")


def test_a_lost_state_is_said(target):
    target.file_pipeline(events(1, 10))
    target.case.once("p.sql")
    shutil.rmtree(target.case.folder / "state")
    again = target.case.once("p.sql")
    assert "earlier sink log" in again.stderr and "at least once" in again.stderr


def test_a_lost_state_of_a_query_that_keeps_it_is_said(target):
    lines = [json.dumps({"id": n, "at": f"2026-11-21T10:00:{n:02d}"}).encode() for n in range(1, 36)]
    (target.case.folder / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    target.case.write("p.sql", target.case.settings("p") + (
        "CREATE TABLE events (id BIGINT NOT NULL, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector'='file',"
        f" 'path'='{target.case.folder}/in.ndjson', 'format'='json', 'watermark.max-ahead'='0 s');\n"
        f"{target.sink()}INSERT INTO sink SELECT window_start, COUNT(*) AS n FROM"
        " TABLE(TUMBLE(TABLE events, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;\n"))
    counts = [(9,), (10,), (10,), (6,)]
    target.case.once("p.sql")
    assert target.server.rows(f"SELECT n FROM default.{target.name} ORDER BY window_start") == counts
    target.case.once("p.sql")
    assert target.server.rows(f"SELECT n FROM default.{target.name} ORDER BY window_start") == counts
    shutil.rmtree(target.case.folder / "state")
    again = target.case.once("p.sql")
    assert "earlier sink log" in again.stderr and "at least once" in again.stderr
    assert target.server.rows(f"SELECT count(), sum(n) FROM default.{target.name}") == [(8, 70)]


def test_a_kill_while_the_answer_is_on_its_way(target, running, eventually):
    target.file_pipeline(events(1, 100))
    target.server.fault("hang", when="after")
    process = running("p.sql", "--once")
    target.server.wait_for_hang()
    process.kill()
    process.wait()
    target.server.clear_faults()
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 101))


def test_a_server_that_stands_still_is_given_up_and_asked_again(target, tmp_path, running, eventually):
    with ClickHouseFront(tmp_path / "own") as own:
        target.server = own
        target.file_pipeline(events(1, 100), ", 'request-timeout'='500 ms'")
        own.fault("delay", when="before", ms=3000, count=1)
        target.case.once("p.sql")
        assert target.ids() == list(range(1, 101))
        eventually(lambda: len([r for r in own.requests(f"INSERT INTO `default`.`{target.name}`") if r["status"]]) > 1)
        assert target.ids() == list(range(1, 101)), "the late INSERT was dropped by its token"


def test_a_column_dropped_under_us_stops_with_words_and_the_next_start_goes_on(target, shared_nats, running,
                                                                                eventually):
    publish(shared_nats.url, target.case.stream, events(1, 10))
    target.nats_pipeline(shared_nats)
    process = running("p.sql")
    eventually(lambda: target.ids() == list(range(1, 11)))
    target.server.query(f"ALTER TABLE {target.name} DROP COLUMN name")
    publish(shared_nats.url, target.case.stream, events(11, 20))
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 1 and "altered" in process.said() and target.name in process.said()
    running("p.sql")
    eventually(lambda: target.ids() == list(range(1, 21)))
    assert target.server.rows(f"SELECT name FROM {target.name} WHERE id > 10 ORDER BY id LIMIT 1") == [("n11",)]


def test_a_created_table_is_shaped_by_options(target):
    options = (", 'engine'='ReplacingMergeTree', 'order-by'='id', 'partition-by'='id % 2', "
               "'ttl'='toDateTime(1700000000 + id) + INTERVAL 50 YEAR', 'settings.index_granularity'='1024', "
               "'column.id'='UInt32', 'low-cardinality'='name'")
    target.file_pipeline([event(1), event(1, name="again"), event(2)], options)
    target.case.once("p.sql")
    text = target.server.value(f"SELECT create_table_query FROM system.tables WHERE name = '{target.name}'")
    for part in ("`id` UInt32", "`name` LowCardinality(Nullable(String))", "ReplacingMergeTree", "PARTITION BY id % 2",
                 "ORDER BY (id)", "TTL", "index_granularity = 1024", "non_replicated_deduplication_window = 10000"):
        assert part in text, f"{part} in {text}"
    assert target.server.value(f"SELECT count() FROM {target.name} FINAL") == 2


def test_a_block_of_too_many_partitions_is_cut(target):
    target.file_pipeline(events(1, 1100), ", 'partition-by'='id', 'column.id'='Int64'")
    target.case.once("p.sql")
    assert target.ids() == list(range(1, 1101)) and target.case.error_rows() == []


def test_tls_with_a_private_authority(target, tmp_path):
    tls = make_certificates(tmp_path / "tls")
    with ClickHouseFront(tmp_path / "own", tls=tls) as own:
        target.server = own
        target.file_pipeline(events(1, 10))
        refused = target.case.weir.run(["check", "--connect", "p.sql"], cwd=target.case.folder, expect=None)
        assert refused.returncode != 0 and "TLS" in refused.stdout + refused.stderr
        target.file_pipeline(None, f", 'tls.ca-file'='{tls['ca']}'")
        target.case.once("p.sql")
        assert target.ids() == list(range(1, 11))


def test_check_connect_tells_what_is_wrong_with_the_target(target):
    def check():
        done = target.case.weir.run(["check", "--connect", "p.sql"], cwd=target.case.folder, expect=None)
        return done.returncode, done.stdout + done.stderr
    target.file_pipeline(events(1, 3))
    assert check()[0] == 0
    dead = f"http://127.0.0.1:{free_port()}"
    target.file_pipeline(None, url=dead)
    code, said = check()
    assert code != 0 and dead in said
    assert target.case.weir.run(["check", "p.sql"], cwd=target.case.folder).returncode == 0
    target.file_pipeline(None, ", 'username'='writer', 'password'='no-such-word'")
    code, said = check()
    assert code != 0 and "516" in said and "no-such-word" not in said


def test_one_stream_many_tables(target):
    messages = [event(i, name=["a", "b`c", "d e"][i % 3]) for i in range(1, 31)] + [event(31, name=None)]
    many = target.name + "_{name}"
    options = ", 'max-tables'='3'"
    text = target.file_pipeline(messages, options).read_text().replace(f"'{target.name}'", f"'{many}'")
    target.case.write("p.sql", text)
    target.case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": "clickhouse.after_insert:2"})
    target.case.once("p.sql")
    for index, value in enumerate(["a", "b\\`c", "d e"]):
        assert target.ids(f"`{target.name}_{value}`") == [i for i in range(1, 31) if i % 3 == index]
    assert [row[0] for row in target.refused()] == [31]
    with open(target.case.folder / "in.ndjson", "ab") as more:
        more.write(event(32, name="fourth") + b"\n" + event(33, name="a") + b"\n")
    target.case.once("p.sql")
    assert [row[0] for row in target.refused()] == [31, 32]
    assert 33 in target.ids(f"`{target.name}_a`")


def test_replay_writes_into_the_log_of_a_running_pipeline(target, shared_nats, running, eventually):
    publish(shared_nats.url, target.case.stream, [event(i, amount=-1 if i % 10 == 0 else 1) for i in range(1, 101)])
    checked = target.nats_pipeline(shared_nats, columns=f"{COLUMNS}, CHECK (amount > 0)").read_text()
    process = running("p.sql")
    good = [i for i in range(1, 101) if i % 10]
    eventually(lambda: target.ids() == good and len(target.case.error_rows()) == 10)
    target.case.write("mended.sql", checked.replace(", CHECK (amount > 0)", ""))
    stop = threading.Event()
    last = [100]

    def keep_publishing():
        while not stop.is_set():
            publish(shared_nats.url, target.case.stream, events(last[0] + 1, last[0] + 10))
            last[0] += 10
    publisher = threading.Thread(target=keep_publishing)
    publisher.start()
    try:
        # Killed between its intent and the INSERT: whoever comes next, the running pipeline too, carries it out.
        target.case.errors("mended.sql", "replay", expect=-9, env={"WEIR_CRASH_POINT": "clickhouse.after_intent:1"})
        done = target.case.errors("mended.sql", "replay")
    finally:
        stop.set()
        publisher.join()
    eventually(lambda: target.ids() == list(range(1, last[0] + 1)))
    assert "failed=0" in done.stdout, done.stdout + done.stderr
    assert process.poll() is None, process.said()
    again = target.case.errors("mended.sql", "replay")
    assert "replayed=0" in again.stdout
    assert target.ids() == list(range(1, last[0] + 1))


def test_three_workers_share_one_log_and_one_is_killed(target, shared_nats, running, eventually):
    stream = target.case.stream
    subjects = [f"{stream}.{i}.x" for i in range(6)]
    publish(shared_nats.url, stream, [])
    target.pipeline(f"'connector'='nats', 'url'='{shared_nats.url}', 'stream'='{stream}', 'format'='json', "
                    f"'scan.partitions'='{stream}.{{0..5}}.>', 'lease.ttl'='2 s'",
                    settings={"pipeline.workers": "several"})
    workers = [running("p.sql") for _ in range(3)]
    last = [0]

    def publish_some(count):
        numbers = range(last[0] + 1, last[0] + count + 1)
        publish(shared_nats.url, stream, [event(i) for i in numbers], subjects)
        last[0] += count

    def said():
        return "\n\n".join(worker.said()[-1500:] for worker in workers)
    for round_ in range(10):
        publish_some(60)
        if round_ == 4:
            eventually(lambda: len(target.ids()) > 60, 40)
            workers[0].kill()
    try:
        eventually(lambda: len(set(target.ids())) == last[0], 60)
    except AssertionError:
        pytest.fail(said())
    assert target.ids() == list(range(1, last[0] + 1)), said()
    partitions = target.server.rows(f"SELECT DISTINCT _weir_partition FROM {target.name}")
    assert len(partitions) == 6


def test_the_genuine_old_server_takes_it_at_least_once(case, old_clickhouse):
    target = Target(old_clickhouse, case)
    columns = "id BIGINT NOT NULL, name STRING"
    target.file_pipeline(events(1, 50), columns=columns)
    refused = case.once("p.sql", expect=2)
    assert "insert_deduplication_token" in refused.stderr and "at-least-once" in refused.stderr
    # It knows neither lz4 nor zstd as a Content-Encoding.
    target.file_pipeline(None, ", 'delivery'='at-least-once', 'compression'='gzip'", columns=columns)
    case.once("p.sql")
    assert target.ids() == list(range(1, 51))


def test_a_column_that_is_narrowed_while_rows_flow_stores_no_wrong_value(target, shared_nats, running, eventually):
    publish(shared_nats.url, target.case.stream, events(1, 5))
    target.nats_pipeline(shared_nats)
    process = running("p.sql")
    eventually(lambda: len(target.ids()) == 5)
    target.server.query(f"ALTER TABLE default.{target.name} MODIFY COLUMN id Nullable(Int8)")
    publish(shared_nats.url, target.case.stream, events(1000, 1002))
    assert process.wait(30) == 1 and "altered" in process.said()
    assert target.ids() == [1, 2, 3, 4, 5]
    target.case.once("p.sql")
    assert target.ids() == [1, 2, 3, 4, 5]
    assert [row["code"] for row in target.case.error_rows()] == ["sink_refused"] * 3
