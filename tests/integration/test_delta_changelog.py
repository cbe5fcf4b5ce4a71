"""Changelogs into Delta: one row a key, by a MERGE in each commit, whatever crashes."""

import json
import random

import duckdb
import pyarrow
import pytest
from deltalake import DeltaTable, write_deltalake


def change(op, before=None, after=None):
    return json.dumps({"op": op, "before": before, "after": after}).encode()


def row(number, name, day):
    return {"id": number, "region": "eu" if number % 2 else "us", "name": name, "day": day}


def random_changes(seed, count, keys):
    """Changes of `keys` rows that come, change, move between days and go; and the rows that are left."""
    pick, rows, changes = random.Random(seed), {}, []
    for n in range(count):
        number = pick.randrange(keys)
        after = row(number, pick.choice([f"v{n}", None]), f"2026-11-{pick.randrange(1, 4):02}")
        before = rows.get(number)
        if before is None:
            changes.append(change("c", None, after))
        elif pick.random() < 0.3:
            changes.append(change("d", before))
            del rows[number]
            continue
        else:
            changes.append(change("u", before, after))
        rows[number] = after
    return changes, rows


class Target:
    def __init__(self, case):
        self.case = case
        self.input = case.folder / "in.ndjson"

    def pipeline(self, changes, options="", checks=""):
        if changes is not None:
            self.input.write_bytes(b"\n".join(changes) + b"\n")
        self.case.write("p.sql", self.case.settings("p", pipeline__batch_rows="20") + f"""
CREATE TABLE changes (id BIGINT NOT NULL, region STRING, name STRING, day STRING{checks})
WITH ('connector'='file', 'path'='{self.input}', 'format'='debezium-json');
CREATE TABLE current (id BIGINT, region STRING, name STRING, day DATE, PRIMARY KEY (id, region) NOT ENFORCED)
WITH ('connector'='delta', 'path'='{self.case.lake}'{options});
INSERT INTO current SELECT id, region, name, CAST(day AS DATE) FROM changes;
""")

    def once(self, **more):
        return self.case.once("p.sql", **more)

    def current(self):
        table = DeltaTable(str(self.case.lake)).to_pyarrow_table(columns=["id", "name", "day"]).sort_by("id")
        return [(each["id"], each["name"], str(each["day"])) for each in table.to_pylist()]

    def expect(self, rows):
        assert self.current() == [(number, rows[number]["name"], rows[number]["day"]) for number in sorted(rows)]


@pytest.fixture
def target(case):
    return Target(case)


@pytest.mark.parametrize("options", ["", ", 'partition-by'='day'", ", 'partition-by'='region', 'positions'='false'"])
def test_the_table_is_what_the_changes_left(target, options):
    changes, rows = random_changes(f"left{options}", 400, 30)
    for upto in (100, 101, 250, 400):  # the file grew
        target.pipeline(changes[:upto], options)
        target.once()
    target.expect(rows)
    lake = DeltaTable(str(target.case.lake))
    merges = [each for each in lake.history() if each["operation"] == "MERGE"]
    assert len(merges) >= 4
    assert merges[0]["weir"]["merge"]["key"] == "id, region"
    assert sum(each["weir"]["merge"]["rows_removed"] for each in merges) > 0
    files = lake.to_pyarrow_table()  # read by duckdb
    assert duckdb.sql("SELECT count(*) - count(DISTINCT id) FROM files").fetchall() == [(0,)]
    assert not list((target.case.lake / "_weir_changes").glob("*"))


@pytest.mark.parametrize("point", ["before_merge", "after_authority_commit"])
def test_a_kill_in_the_middle(target, point):
    changes, rows = random_changes(point, 300, 15)
    killed = {"WEIR_CRASH_POINT": f"delta.{point}:1"}
    target.pipeline(changes[:150])
    target.once(expect=-9, env=killed)
    target.pipeline(changes[:200])
    target.once()
    target.pipeline(changes)
    target.once(expect=-9, env=killed)
    target.once()
    target.expect(rows)


def test_what_another_writer_left_is_kept(target):
    """Columns that the query does not give, rows of other keys, another writer's statistics."""
    changes, _ = random_changes("other", 1, 1)
    target.pipeline(changes)
    target.once()
    lake = DeltaTable(str(target.case.lake))
    extra = lake.to_pyarrow_table().slice(0, 1).to_pylist()[0] | {"id": 77, "region": "xx", "name": "theirs"}
    write_deltalake(lake, pyarrow.Table.from_pylist([extra | {"note": "kept"}]), mode="append", schema_mode="merge")
    target.pipeline(changes + [change("c", None, row(77, "mine", "2026-11-02"))])
    target.once()
    rows = DeltaTable(str(target.case.lake)).to_pyarrow_table().to_pylist()
    assert {(each["id"], each["region"], each["name"], each["note"]) for each in rows} == {
        (0, "us", json.loads(changes[0])["after"]["name"], None), (77, "xx", "theirs", "kept"),
        (77, "eu", "mine", None)}


def test_a_change_without_a_key_is_an_error(target):
    target.pipeline([change("c", None, {"id": 1, "region": None, "name": "x", "day": "2026-11-01"}),
                     change("c", None, row(2, "y", "2026-11-02"))])
    target.once()
    refused, = target.case.error_rows(source="changes")
    assert (refused["code"], refused["sink"]) == ("sink_refused", "current") and "region" in refused["message"]
    assert target.current() == [(2, "y", "2026-11-02")]


def test_events_set_aside_are_not_replayed_over_newer_ones(target):
    bad = change("u", row(1, "a", "2026-11-01"), row(1, "late", "2026-11-01"))
    target.pipeline([change("c", None, row(1, "a", "2026-11-01")), bad], checks=", CHECK (name <> 'late')")
    target.once()
    target.pipeline(None)
    said = target.case.errors("p.sql", "replay", expect=2).stderr
    assert "not replayed into a Delta table" in said
    assert target.current() == [(1, "a", "2026-11-01")]


@pytest.mark.parametrize("point", ["delta.after_merge", "delta.after_commit"])
def test_sums_of_a_query_that_keeps_state(target, point):
    """Epochs: what is persisted in a manifest is merged once, whatever crashes behind it."""
    pick, sums, lines = random.Random(point), {}, []
    for _ in range(6000):
        customer, amount = f"c{pick.randrange(40)}", pick.randrange(100)
        lines.append(json.dumps({"customer": customer, "amount": amount}))
        total, count = sums.get(customer, (0, 0))
        sums[customer] = (total + amount, count + 1)
    settings = target.case.settings("p", pipeline__commit_interval="20 ms", pipeline__batch_rows="20",
                                    pipeline__unbounded_state="allow")
    target.case.write("p.sql", settings + f"""
CREATE TABLE orders (customer STRING, amount BIGINT) WITH ('connector'='file', 'path'='{target.input}');
CREATE TABLE sums (customer STRING, total BIGINT, orders BIGINT, PRIMARY KEY (customer) NOT ENFORCED)
WITH ('connector'='delta', 'path'='{target.case.lake}');
INSERT INTO sums SELECT customer, SUM(amount), COUNT(*) FROM orders GROUP BY customer;
""")
    target.input.write_text("\n".join(lines) + "\n")
    target.once(expect=-9, env={"WEIR_CRASH_POINT": f"{point}:1"})
    target.once()
    rows = DeltaTable(str(target.case.lake)).to_pyarrow_table(columns=["customer", "total", "orders"]).to_pylist()
    assert {each["customer"]: (each["total"], each["orders"]) for each in rows} == sums
    assert len(rows) == len(sums)
