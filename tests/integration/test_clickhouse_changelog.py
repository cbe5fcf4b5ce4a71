"""Changelogs into ClickHouse: whatever order, repetition or crash, `FINAL` gives the rows that the source has."""

import json
import random
import shutil

import pytest
from case import publish
from servers import ClickHouseFront


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ClickHouseFront(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


def change(op, before=None, after=None):
    return json.dumps({"op": op, "before": before, "after": after}).encode()


def row(number, name):
    return {"id": number, "name": name}


def insert(number, name):
    return change("c", None, row(number, name))


def update(number, name, after, to=None):
    return change("u", row(number, name), row(to or number, after))


def delete(number, name):
    return change("d", row(number, name))


class Target:
    """A table of its own, and pipelines from a file of changes into it."""

    def __init__(self, server, case):
        self.server, self.case = server, case
        self.name = f"{case.stream.lower()}_current"

    def pipeline(self, messages, options="", checks="", key=", PRIMARY KEY (id) NOT ENFORCED", source=None,
                 select="SELECT * FROM changes"):
        path = self.case.folder / "in.ndjson"
        if messages is not None:
            path.write_bytes(b"\n".join(messages) + b"\n")
        source = source or f"'connector'='file', 'path'='{path}'"
        self.case.write("p.sql", self.case.settings("p") + f"""
CREATE TABLE changes (id BIGINT NOT NULL, name STRING{checks}) WITH ({source}, 'format'='debezium-json');
CREATE TABLE current (id BIGINT, name STRING{key})
WITH ('connector'='clickhouse', 'url'='{self.server.http_url}', 'table'='{self.name}', 'retry.first-wait'='10 ms',
      'commit-interval'='50 ms'{options});
INSERT INTO current {select};
""")

    def once(self, **more):
        return self.case.once("p.sql", **more)

    def current(self):
        return self.server.rows(f"SELECT id, name FROM default.{self.name} FINAL ORDER BY id")

    def create(self, engine, columns="id Int64, name Nullable(String), _weir_version UInt64, _weir_deleted UInt8"):
        self.server.query(f"CREATE TABLE default.{self.name} ({columns}) ENGINE = {engine} "
                          "SETTINGS non_replicated_deduplication_window = 100")

    def forget(self):
        self.server.query(f"DROP TABLE IF EXISTS default.{self.name}")
        shutil.rmtree(self.case.folder / "state", ignore_errors=True)


@pytest.fixture
def target(server, case):
    server.clear_faults()
    return Target(server, case)


def test_every_operation_and_the_table_that_is_made(target):
    target.pipeline([insert(1, "one"), insert(2, "two"), insert(3, "three"), insert(4, "four"),
                     update(1, "one", "uno"), update(1, "uno", "un"),
                     update(2, "two", "moved", to=20), insert(2, "second"),
                     delete(3, "three"), insert(3, "tres"), delete(4, "four")])
    target.once()
    assert target.current() == [(1, "un"), (2, "second"), (3, "tres"), (20, "moved")]
    [[made]] = target.server.rows(f"SELECT create_table_query FROM system.tables WHERE name = '{target.name}'")
    assert "`id` Int64," in made and "`_weir_version` UInt64, `_weir_deleted` UInt8" in made
    assert "ENGINE = ReplacingMergeTree(_weir_version, _weir_deleted) ORDER BY (id) " in made
    target.server.query(f"OPTIMIZE TABLE default.{target.name} FINAL")
    assert target.current() == [(1, "un"), (2, "second"), (3, "tres"), (20, "moved")]


def random_changes(seed, count, keys):
    """Changes and the rows that are left; keys move, come and go."""
    pick, rows, changes = random.Random(seed), {}, []
    for n in range(count):
        number, other = pick.randrange(keys), pick.randrange(keys)
        if number not in rows:
            rows[number] = f"v{n}"
            changes.append(insert(number + 1, rows[number]))
        elif pick.random() < 0.3:
            changes.append(delete(number + 1, rows.pop(number)))
        else:
            to = number if other in rows else other
            before = rows.pop(number)
            rows[to] = f"v{n}"
            changes.append(update(number + 1, before, rows[to], to=to + 1))
    return changes, [(number + 1, rows[number]) for number in sorted(rows)]


@pytest.mark.parametrize("point", ["before_intent", "after_intent", "after_insert", "before_finish"])
def test_a_kill_in_the_middle(target, point):
    changes, left = random_changes(point, 400, 12)
    killed = {"WEIR_CRASH_POINT": f"clickhouse.{point}:1"}
    target.pipeline(changes[:150])
    target.once(expect=-9, env=killed)
    target.pipeline(changes[:300])  # the file grew
    target.once()
    target.pipeline(changes)
    target.once(expect=-9, env=killed)
    target.once()
    assert target.current() == left


def test_a_table_that_is_altered_before_an_interrupted_commit_is_resumed(target):
    changes, left = random_changes("altered", 60, 6)
    target.pipeline(changes)
    target.once(expect=-9, env={"WEIR_CRASH_POINT": "clickhouse.after_insert:1"})
    target.server.query(f"ALTER TABLE default.{target.name} ADD CONSTRAINT small CHECK id < 3")
    target.once()  # what is refused now was stored; that it is in the error lake, too, changes nothing
    assert target.current() == left
    target.server.query(f"ALTER TABLE default.{target.name} DROP CONSTRAINT small")
    target.case.errors("p.sql", "replay")
    assert target.current() == left


def test_what_is_written_twice_changes_nothing(target):
    changes, left = random_changes("twice", 200, 8)
    target.pipeline(changes)
    target.once()
    shutil.rmtree(target.case.folder / "state")  # all is read and written again, under the same versions
    target.once()
    written, = target.server.requests(f"INSERT INTO `default`.`{target.name}`")[1:]
    assert written and target.current() == left


def test_changes_that_were_sent_twice(target, shared_nats, running, eventually):
    changes, left = random_changes("again", 100, 6)
    target.pipeline(None, source=f"'connector'='nats', 'url'='{shared_nats.url}', 'stream'='{target.case.stream}'")
    publish(shared_nats.url, target.case.stream, changes + [insert(1000, "end")])
    running("p.sql")
    eventually(lambda: target.current() == left + [(1000, "end")])
    publish(shared_nats.url, target.case.stream, changes + [insert(1001, "end")])
    eventually(lambda: target.current() == left + [(1000, "end"), (1001, "end")])


def test_a_change_that_replay_brings_late_does_not_win(target):
    late = [update(1, "one", "late"), insert(2, "late"), insert(3, "late"), update(4, "four", "late", to=5)]
    target.pipeline([insert(1, "one"), insert(4, "four"), *late, update(1, "late", "new"), delete(3, "late")],
                    checks=", CHECK (name <> 'late')")
    target.once()
    # Events that name 'late' are in the error lake as a whole; those without it went on.
    assert target.current() == [(1, "one"), (4, "four")]
    target.pipeline(None)
    target.case.errors("p.sql", "replay")
    assert target.current() == [(1, "new"), (2, "late"), (5, "late")]


def test_an_older_version_that_comes_after_a_newer_one(target):
    target.pipeline([insert(1, "one"), update(1, "one", "ONE!"), change("u", row(1, "One"), row(1, "new")),
                     insert(2, "TWO!"), delete(2, "Two")], checks=", CHECK (name NOT LIKE '%!')")
    target.once()
    assert target.current() == [(1, "new")]
    target.pipeline(None)
    target.case.errors("p.sql", "replay")
    assert target.current() == [(1, "new")]
    counted = target.server.rows(f"SELECT count() FROM default.{target.name}")
    assert counted[0][0] > 2  # the late rows are there, and lose


def test_rows_that_the_server_refused_come_back_with_their_versions(target):
    target.create("ReplacingMergeTree(_weir_version, _weir_deleted) ORDER BY id",
                  "id Int64, name Nullable(String), _weir_version UInt64, _weir_deleted UInt8, "
                  "CONSTRAINT fine CHECK name != 'bad'")
    target.pipeline([insert(1, "one"), update(1, "one", "bad"), update(1, "bad", "new"), insert(2, "bad"),
                     insert(3, "bad"), delete(3, "bad"), insert(3, "three"), insert(4, "bad"), delete(4, "bad")])
    target.once()
    assert target.current() == [(1, "new"), (3, "three")]
    refused = [json.loads(each["payload"]) for each in target.case.error_rows(source="changes")]
    assert sorted((each["id"], each["_weir_weight"]) for each in refused) == [
        (1, -1), (1, 1), (2, 1), (3, -1), (3, 1), (4, -1), (4, 1)]
    target.server.query(f"ALTER TABLE default.{target.name} DROP CONSTRAINT fine")
    target.case.errors("p.sql", "replay")
    assert target.current() == [(1, "new"), (2, "bad"), (3, "three")]


def test_a_filter_and_two_branches_keep_one_row_a_key(target):
    target.pipeline([insert(1, "a1"), insert(2, "b1"), update(1, "a1", "b2"), update(2, "b1", "c1"), insert(3, "c2"),
                     update(3, "c2", "a2")],
                    select="SELECT id, name FROM changes WHERE name LIKE 'b%' "
                           "UNION ALL SELECT id, name FROM changes WHERE name LIKE 'a%'")
    target.once()
    assert target.current() == [(1, "b2"), (3, "a2")]


def test_a_row_that_moves_to_another_table_leaves_its_own(target):
    name = target.name
    target.name += "_{name}"
    target.pipeline([insert(1, "a"), insert(2, "b"), update(1, "a", "b"), update(2, "b", "a"), update(2, "a", "b")],
                    ", 'delivery'='at-least-once'")
    target.once()
    left = {kind: target.server.rows(f"SELECT id FROM default.{name}_{kind} FINAL ORDER BY id") for kind in "ab"}
    assert left == {"a": [], "b": [(1,), (2,)]}


@pytest.mark.parametrize("engine, words", [
    ("MergeTree ORDER BY id", "its engine is MergeTree"),
    ("CollapsingMergeTree(sign) ORDER BY id", "its engine is CollapsingMergeTree"),
    ("ReplacingMergeTree(_weir_version) ORDER BY id", "does not name _weir_version as the version"),
    ("ReplacingMergeTree(_weir_version, _weir_deleted) ORDER BY (id, _weir_version)", "is not the PRIMARY KEY"),
    ("ReplacingMergeTree(_weir_version, _weir_deleted) PARTITION BY length(ifNull(name, '')) ORDER BY id",
     "is no key column")])
def test_a_table_that_cannot_take_a_changelog_is_refused(target, engine, words):
    target.create(engine, "id Int64, name Nullable(String), sign Int8, _weir_version UInt64, _weir_deleted UInt8")
    target.pipeline([insert(1, "one")])
    said = target.once(expect=2).stderr
    assert words in said and "ReplacingMergeTree(_weir_version, _weir_deleted) ORDER BY (`id`)" in said


@pytest.mark.parametrize("options, words", [
    (", 'order-by'='name'", "'order-by'"), (", 'partition-by'='name'", "'name' is no key column"),
    (", 'engine'='SummingMergeTree'", "found 'SummingMergeTree'")])
def test_options_that_would_break_replacement_are_refused(target, options, words):
    target.pipeline([insert(1, "one")], options)
    assert words in target.once(expect=2).stderr
