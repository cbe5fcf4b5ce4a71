"""What a stateful pipeline goes on from: killed at every step of a checkpoint, and whatever can be wrong with one."""

import json
import shutil
import signal

import pytest
from case import duckdb_rows, publish
from deltalake import DeltaTable

POINTS = ("barrier", "snapshot", "sealed", "manifest", "committed", "acknowledged")


def moments(first, last, **fields):
    """Event n happened at second n."""
    return [json.dumps({"id": number, "at": f"2026-11-21T10:{number // 60:02d}:{number % 60:02d}"} | fields).encode()
            for number in range(first, last + 1)]


def closed(last):
    """What the windows of 10 s hold that have closed when second `last` has come."""
    windows = {}
    for number in range(1, last // 10 * 10):
        count, ids = windows.get(number // 10 * 10, (0, 0))
        windows[number // 10 * 10] = (count + 1, ids + number)
    return windows


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Stateful:
    """events (JetStream) -> windows of 10 s -> sums (Delta)."""

    def __init__(self, case, nats, settings=None, lake=None, storage=None, env=None):
        self.case, self.nats, self.settings, self.env = case, nats, settings or {}, env
        self.lake, self.storage = lake or str(case.lake), storage
        self.folder = case.folder / "state" / "p" / "checkpoints" / "events"
        self.write()

    def write(self, ids="SUM(id)", also=""):
        text = self.case.settings("p", pipeline__checkpoints_kept="50", pipeline__parallelism="2", **self.settings)
        self.case.write("p.sql", text + (
            "CREATE TABLE events (id BIGINT NOT NULL, name STRING, at TIMESTAMP(3), WATERMARK FOR at AS at)"
            f" WITH ('connector'='nats', 'url'='{self.nats.url}', 'stream'='{self.case.stream}', 'format'='json',"
            " 'watermark.max-ahead'='0 s');\n"
            f"CREATE TABLE sums WITH ('connector'='delta', 'path'='{self.lake}');\n"
            f"INSERT INTO sums SELECT window_start, COUNT(*) AS n, {ids} AS ids FROM"
            " TABLE(TUMBLE(TABLE events, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;\n"
            + also))

    def send(self, first, last, **fields):
        publish(self.nats.url, self.case.stream, moments(first, last, **fields))

    def once(self, expect=0, point=None):
        env = dict(self.env or {}, **({"WEIR_CRASH_POINT": point} if point else {}))
        return self.case.once("p.sql", expect=expect, env=env)

    def sums(self):
        found = duckdb_rows(self.lake, "SELECT epoch(window_start) AS s, n, ids FROM t", self.storage)
        windows = {int(row["s"]) - 1795255200: (row["n"], row["ids"]) for row in found}
        assert len(windows) == len(found), f"a window is there twice: {found}"
        return windows

    def checkpoints(self, *arguments, expect=0):
        done = self.case.weir.run(["checkpoints", *arguments[:1], "p.sql", *arguments[1:], "--format", "json"],
                                  cwd=self.case.folder, expect=expect, env=self.env)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def epochs(self):
        """The newest first."""
        return [line["epoch"] for line in self.checkpoints("list")]

    def table_epoch(self):
        return DeltaTable(self.lake, storage_options=self.storage).transaction_version("weir/p/sums")

    def manifest(self, epoch):
        return self.folder / f"{epoch:012d}.json"

    def state_files(self, epoch):
        told = json.loads(self.manifest(epoch).read_text().rsplit("\n", 2)[0])
        return [self.folder / file["path"] for file in told["states"].values()]


@pytest.fixture
def stateful(case, shared_nats):
    return Stateful(case, shared_nats)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def change(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def refused(stateful, *words):
    """The run ends with these words, and changes nothing."""
    before, epochs = stateful.sums(), sorted(path.name for path in stateful.folder.glob("*.json"))
    run = stateful.once(expect=None)
    assert run.returncode in (1, 2), run.stderr
    for word in words:
        assert word in run.stderr, run.stderr
    assert stateful.sums() == before and sorted(path.name for path in stateful.folder.glob("*.json")) == epochs


def test_a_restart_goes_on_and_the_command_tells_from_what(stateful):
    assert "no checkpoints" in stateful.case.weir.run(["checkpoints", "list", "p.sql"], cwd=stateful.case.folder).stdout
    for first, last in ((1, 35), (36, 67), (68, 93)):
        stateful.send(first, last)
        stateful.once()
        assert stateful.sums() == closed(last)
    listed = stateful.checkpoints("list", "--verify")
    assert [line["state"] for line in listed] == ["whole"] * len(listed) and len(listed) >= 3
    (shown,) = stateful.checkpoints("show")
    assert shown["epoch"] == listed[0]["epoch"] and not shown["ended"] and shown["shares"] == 2
    assert list(shown["positions"].values()) == [94]
    assert [node["shares"] for node in shown["operators"].values()] == [1]  # without a key there is one
    assert list(shown["merged"]) == ["events"] and shown["sequences"]["sums"] == 9
    text = stateful.case.weir.run(["checkpoints", "show", "p.sql"], cwd=stateful.case.folder).stdout
    assert "state    whole" in text and "next 94" in text and "watermark 2026-11-21T10:01:3" in text
    (older,) = stateful.checkpoints("show", "--epoch", str(listed[-1]["epoch"]))
    assert older["epoch"] == listed[-1]["epoch"]
    stateful.case.weir.run(["checkpoints", "show", "p.sql", "--epoch", "999"], cwd=stateful.case.folder, expect=3)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_within_a_checkpoint(stateful, point):
    stateful.send(1, 35)
    stateful.once(point=f"epoch.{point}:1", expect=-9)  # within the first one
    stateful.once()
    assert stateful.sums() == closed(35)
    stateful.send(36, 67)
    stateful.once(point=f"epoch.{point}:1", expect=-9)
    stateful.once()
    assert stateful.sums() == closed(67)
    assert {line["state"] for line in stateful.checkpoints("list", "--verify")} == {"whole"}


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "manifest"])
def test_a_damaged_newest_one_that_no_table_has(stateful, damage):
    """The next older one is taken, which is said, and every row still comes once."""
    stateful.send(1, 35)
    stateful.once()
    stateful.send(36, 67)
    stateful.once(point="epoch.manifest:1", expect=-9)
    newest = stateful.epochs()[0]
    assert stateful.table_epoch() < newest
    if damage == "manifest":
        change(stateful.manifest(newest), 40)
    else:
        (stateful.state_files(newest)[0].unlink if damage == "missing" else
         lambda: cut(stateful.state_files(newest)[0]) if damage == "cut" else
         change(stateful.state_files(newest)[0], 20))()
    run = stateful.once()
    assert f"checkpoint {newest} of 'events' of pipeline 'p' cannot be used" in run.stderr, run.stderr
    assert stateful.sums() == closed(67)
    assert stateful.epochs()[0] > newest


def test_tables_that_are_ahead_of_what_is_whole(stateful):
    stateful.send(1, 35)
    stateful.once()
    stateful.send(36, 67)
    stateful.once()
    held = stateful.table_epoch()
    for epoch in stateful.epochs():
        if epoch >= held:
            cut(stateful.state_files(epoch)[0])
    assert any(epoch < held for epoch in stateful.epochs())
    refused(stateful, f"hold checkpoint {held}", "the newest state that is whole")
    listed = {line["epoch"]: line for line in stateful.checkpoints("list")}
    assert listed[held]["state"] == "damaged" and "bytes instead of" in listed[held]["problem"]
    stateful.checkpoints("show", "--epoch", str(held), expect=1)


def test_none_is_whole(stateful):
    stateful.send(1, 35)
    stateful.once()
    for epoch in stateful.epochs():
        change(stateful.manifest(epoch), 10)
    refused(stateful, "no checkpoint of pipeline 'p' is whole", "checksum does not hold")


def test_the_state_is_gone(stateful):
    stateful.send(1, 35)
    stateful.once()
    shutil.rmtree(stateful.case.folder / "state")
    refused(stateful, f"hold checkpoint {stateful.table_epoch()}, and its state is gone", "state.path")
    assert stateful.epochs() == []


def test_another_query(stateful):
    stateful.send(1, 35)
    stateful.once()
    as_it_was = (stateful.case.folder / "p.sql").read_text()
    stateful.write(ids="MIN(id)")
    refused(stateful, "belongs to another query")
    stateful.case.write("p.sql", "-- a comment\n" + as_it_was.replace("'100 ms'", "'70 ms'"))
    stateful.send(36, 67)
    stateful.once()
    assert stateful.sums() == closed(67)


def test_a_changed_file_takes_over_only_with_its_state(stateful, running, eventually):
    """SIGHUP: a version that cannot go on from the state is refused while the earlier one runs, not after its end."""
    def said(words):
        process.send_signal(signal.SIGHUP)
        eventually(lambda: words in process.said(), what=words)

    as_it_was = (stateful.case.folder / "p.sql").read_text()
    stateful.send(1, 35)
    process = running("p.sql", "--progress", "none")
    eventually(lambda: stateful.sums() == closed(35))
    stateful.write(ids="MIN(id)")
    said("the earlier version goes on: what reads 'events' has changed, and the state belongs to another query")
    head, tail = as_it_was.split("INSERT INTO sums", 1)
    stateful.case.write("p.sql", head + "INSERT INTO sums SELECT at AS window_start, id AS n, id AS ids FROM events;\n")
    said("the earlier version goes on: what reads 'events' keeps no state any more")
    stateful.send(36, 67)
    eventually(lambda: stateful.sums() == closed(67), what="the earlier version's rows")
    flat = stateful.case.folder / "flat"
    stateful.case.write("p.sql", head.replace("name STRING", "name STRING, more STRING")
                        + f"CREATE TABLE flat WITH ('connector'='delta', 'path'='{flat}');\n"
                        "INSERT INTO flat SELECT id, more FROM events;\nINSERT INTO sums" + tail)
    said("goes on with the changed")
    stateful.send(68, 93, more="x")
    eventually(lambda: stateful.sums() == closed(93), what="rows of both versions")
    eventually(lambda: [row["id"] for row in duckdb_rows(str(flat), "SELECT id FROM t ORDER BY id")]
               == list(range(68, 94)))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.said()


def test_state_is_not_begun_while_it_runs(stateful, running, eventually):
    as_it_was = (stateful.case.folder / "p.sql").read_text()
    head, _ = as_it_was.split("INSERT INTO sums", 1)
    stateful.case.write("p.sql", head + "INSERT INTO sums SELECT at AS window_start, id AS n, id AS ids FROM events;\n")
    stateful.send(1, 5)
    process = running("p.sql", "--progress", "none")
    eventually(lambda: len(stateful.sums()) == 5)
    stateful.case.write("p.sql", as_it_was)
    process.send_signal(signal.SIGHUP)
    eventually(lambda: "goes on: 'events' belongs to a query that keeps state now" in process.said())
    stateful.send(6, 9)
    eventually(lambda: len(stateful.sums()) == 9)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, process.said()


def test_a_later_schema_goes_on_from_the_state(stateful):
    """A column that the schema now has, in front of the others; no query reads it."""
    def schema(*more):
        properties = {name: {"type": "string"} for name in more} | {"id": {"type": "integer"}, "at": {"type": "string"}}
        stateful.case.write("events.json", json.dumps({"type": "object", "properties": properties}))

    text = (stateful.case.folder / "p.sql").read_text()
    head, tail = text.split("CREATE TABLE events (")
    stateful.case.write("p.sql", head + "CREATE TABLE events (ts AS CAST(at AS TIMESTAMP(3)), WATERMARK FOR ts AS ts)"
                        + tail.split("WATERMARK FOR at AS at)", 1)[1]
                        .replace("'format'='json',", "'format'='json', 'json.schema-file'='events.json',")
                        .replace("DESCRIPTOR(at)", "DESCRIPTOR(ts)"))
    schema()
    stateful.send(1, 35)
    stateful.once()
    schema("first", "name")
    stateful.send(36, 67, name="x")
    stateful.once()
    assert stateful.sums() == closed(67)


def test_a_newer_format(stateful):
    stateful.send(1, 35)
    stateful.once()
    newest = stateful.manifest(stateful.epochs()[0])
    body = newest.read_text().rsplit("\n", 2)[0].replace('"version": 1', '"version": 2') + "\n"
    newest.write_text(body + json.dumps({"crc32c": f"{crc32c(body.encode()):08x}"}, separators=(",", ":")) + "\n")
    refused(stateful, "has version 2, this Weir knows 1")


def test_tables_of_a_run_without_state(stateful):
    sums = (stateful.case.folder / "p.sql").read_text()
    head, _ = sums.split("INSERT INTO sums", 1)
    stateful.case.write("p.sql", head + "INSERT INTO sums SELECT at AS window_start, id AS n, id AS ids FROM events;\n")
    stateful.send(1, 35)
    stateful.once()
    assert len(stateful.sums()) == 35
    stateful.case.write("p.sql", sums)
    refused(stateful, "filled by a run without state")


def test_two_processes_at_once(stateful):
    """Whichever loses says so; the rows come once."""
    stateful.send(1, 35)
    stateful.once()
    stateful.send(36, 67)
    both = [stateful.case.weir.start(["run", "p.sql", "--once", "--progress", "none"], cwd=stateful.case.folder)
            for _ in range(2)]
    for process in both:
        assert process.wait(30) in (0, 1)
    stateful.once()
    assert stateful.sums() == closed(67)


def test_a_full_disk(case, shared_nats, small_disk):
    disk, remount = small_disk
    stateful = Stateful(case, shared_nats, settings={"state__path": disk / "state"})
    text = (case.folder / "p.sql").read_text()
    case.write("p.sql", text.replace("COUNT(*) AS n", "name, COUNT(*) AS n").replace("window_start, window_end;",
                                                                                    "window_start, window_end, name;"))
    publish(shared_nats.url, case.stream, [moment for number in range(4000)
                                           for moment in moments(1, 1, name=f"{number:01000d}")])
    run = stateful.once(expect=1)
    assert "space" in run.stderr.lower() and str(disk) in run.stderr, run.stderr
    remount("size=100m")
    stateful.send(30, 30)
    stateful.once()
    assert duckdb_rows(stateful.lake, "SELECT count(*) AS c, sum(n) AS n FROM t") == [{"c": 4000, "n": 4000}]


def test_a_store_that_may_not_be_written(case, shared_nats, small_disk):
    disk, remount = small_disk
    stateful = Stateful(case, shared_nats, settings={"state__path": disk / "state"})
    stateful.send(1, 35)
    stateful.once()
    stateful.send(36, 67)
    remount("ro")
    run = stateful.once(expect=None)
    assert run.returncode in (1, 3) and "read-only" in run.stderr.lower() and str(disk) in run.stderr, run.stderr
    assert stateful.sums() == closed(35)
    remount("rw")
    stateful.once()
    assert stateful.sums() == closed(67)


def test_on_s3(case, shared_nats, minio, bucket):
    """Nothing of the state is local: another folder goes on."""
    settings = {"s3__endpoint": minio.url, "s3__access_key": minio.access_key, "s3__secret_key": "${env:S3_SECRET}",
                "s3__region": "us-east-1", "s3__path_style": "true", "state__path": f"s3://{bucket}/state",
                "error_lake__path": f"s3://{bucket}/errors", "pipeline__checkpoints_kept": "2"}
    case.settings = lambda name, _settings=case.settings, **more: _settings(name, **(more | settings))
    stateful = Stateful(case, shared_nats, lake=f"s3://{bucket}/lake", storage=minio.storage_options(),
                        env={"S3_SECRET": minio.secret_key})
    stateful.send(1, 35)
    stateful.once()
    stateful.send(36, 67)
    stateful.once(point="epoch.manifest:1", expect=-9)
    newest, older = stateful.checkpoints("list", "--verify")[:2]
    assert newest["state"] == older["state"] == "whole"
    states = [key for key in minio.list(bucket, f"state/p/checkpoints/events/{newest['epoch']:012d}/")]
    assert len(states) == 1 and not (case.folder / "state").exists()
    minio.delete(bucket, states[0])
    run = stateful.once()
    assert f"checkpoint {newest['epoch']} of 'events' of pipeline 'p' cannot be used" in run.stderr
    assert stateful.sums() == closed(67)
    # Two that are whole are kept; the damaged one between them is not counted.
    assert [line["state"] for line in stateful.checkpoints("list")] == ["whole", "damaged", "whole"]
