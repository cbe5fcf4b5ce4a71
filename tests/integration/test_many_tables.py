"""One stream, many Delta tables: 'path' holds {column}."""

import json
import shutil

from case import publish, rows
from deltalake import DeltaTable

COLUMNS = "id BIGINT NOT NULL, tenant STRING, name STRING"


def message(number, tenant):
    return json.dumps({"id": number, "tenant": tenant, "name": f"n{number}"}).encode()


def pipeline(case, nats, options="", settings=None):
    return case.nats_pipeline(nats.url, columns=COLUMNS, lake=f"{case.folder}/lake/{{tenant}}/orders", sink=options,
                              settings=settings)


def tables(case):
    """{tenant: ids, sorted}"""
    return {path.parts[-3]: sorted(row["id"] for row in rows(path.parent))
            for path in (case.folder / "lake").glob("*/orders/_delta_log")}


def expected(tenants, last):
    wanted = {}
    for number in range(1, last + 1):
        wanted.setdefault(tenants[number % len(tenants)] or "_null", []).append(number)
    return wanted


def test_each_value_has_its_table(case, shared_nats):
    tenants = ["acme", "a/b c", "", "Ünal", "..", None]
    publish(shared_nats.url, case.stream, [message(n, tenants[n % 6]) for n in range(1, 121)])
    pipeline(case, shared_nats)
    case.once("p.sql")
    found = tables(case)
    assert found.pop("acme") == list(range(6, 121, 6))
    assert found.pop("_null") == sorted([*range(2, 121, 6), *range(5, 121, 6)])
    assert found.pop("_other") == list(range(4, 121, 6))  # '..' is no name for a folder
    assert {tenant: len(ids) for tenant, ids in found.items()} == {"a~2Fb~20c": 20, "~C3~9Cnal": 20}


def test_beyond_the_bound_rows_go_to_one_more_table_and_stay_there(case, shared_nats):
    tenants = [f"t{number}" for number in range(10)]
    publish(shared_nats.url, case.stream, [message(n, tenants[n % 10]) for n in range(1, 201)])
    pipeline(case, shared_nats, ", 'max-tables'='4', 'overflow-table'='rest'")
    case.once("p.sql")
    publish(shared_nats.url, case.stream, [message(n, tenants[(n + 5) % 10]) for n in range(201, 401)])
    case.once("p.sql")
    found = tables(case)
    assert len(found) == 5 and len(found["rest"]) == 240
    assert sorted(sum(found.values(), [])) == list(range(1, 401))


def test_a_raised_bound_after_a_crash_doubles_nothing(case, shared_nats):
    """What is in the overflow table, ahead of the positions, does not come again into a table of its own."""
    tenants = [f"t{number}" for number in range(6)]
    publish(shared_nats.url, case.stream, [message(n, tenants[n % 6]) for n in range(1, 121)])
    pipeline(case, shared_nats, ", 'max-tables'='2'")
    case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": "runtime.after_sink:1"})
    pipeline(case, shared_nats, ", 'max-tables'='20'")
    case.once("p.sql")
    publish(shared_nats.url, case.stream, [message(n, tenants[n % 6]) for n in range(121, 241)])
    case.once("p.sql")
    found = tables(case)
    assert len(found) == 7 and len(found["_other"]) == 80
    assert sorted(sum(found.values(), [])) == list(range(1, 241))


def test_exactly_once_when_killed_between_the_tables(case, shared_nats):
    tenants = ["a", "b", "c"]
    publish(shared_nats.url, case.stream, [message(n, tenants[n % 3]) for n in range(1, 301)])
    pipeline(case, shared_nats, settings={"pipeline.batch-rows": "20", "pipeline.commit-interval": "1 ms"})
    for point in ("delta.before_assigned:1", "delta.after_assigned:2", "delta.after_commit:1", "delta.after_commit:2",
                  "delta.before_commit:5", "runtime.before_sink:2", "delta.after_commit:4", "delta.after_seal:3"):
        case.once("p.sql", expect=None, env={"WEIR_CRASH_POINT": point})
    case.once("p.sql")
    assert tables(case) == expected(tenants, 300)
    assert case.errors("p.sql", "count").stdout.strip() == "unresolved=0 resolved=0 total=0"


def test_a_lost_state_is_refused_once_there_is_an_overflow_table(case, shared_nats):
    publish(shared_nats.url, case.stream, [message(n, f"t{n % 4}") for n in range(1, 41)])
    for options, words in (("", None), (", 'max-tables'='2'", "which values have a table of their own")):
        pipeline(case, shared_nats, options)
        case.once("p.sql")
        shutil.rmtree(case.folder / "state")
        said = case.once("p.sql", expect=None)
        assert (words is None) == (said.returncode == 0) and (words or "") in said.stderr
        found = tables(case)
        assert sorted(sum(found.values(), [])) == list(range(1, 41))
        shutil.rmtree(case.folder / "lake")
        shutil.rmtree(case.folder / "state", ignore_errors=True)


def test_a_changed_file_after_a_crash_inside_a_commit_is_refused(case, shared_nats):
    publish(shared_nats.url, case.stream, [message(n, f"t{n % 3}") for n in range(1, 31)])
    pipeline(case, shared_nats)
    case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": "runtime.after_sink:1"})
    case.nats_pipeline(shared_nats.url, columns=COLUMNS, lake=f"{case.folder}/lake/{{tenant}}/orders",
                       select="id, concat('x', tenant) AS tenant, name")
    assert "ended inside a commit" in case.once("p.sql", expect=1).stderr
    pipeline(case, shared_nats)
    case.once("p.sql")
    assert sorted(sum(tables(case).values(), [])) == list(range(1, 31))


def test_replay_goes_into_the_right_tables(case, shared_nats):
    bad = [json.dumps({"id": n, "tenant": f"t{n % 2}", "name": n}).encode() for n in range(1, 21)]
    publish(shared_nats.url, case.stream, bad)
    pipeline(case, shared_nats)
    case.once("p.sql")
    assert tables(case) == {}
    case.nats_pipeline(shared_nats.url, ", 'json.allow-numbers-as-strings'='true'", columns=COLUMNS,
                       lake=f"{case.folder}/lake/{{tenant}}/orders")
    assert case.errors("p.sql", "replay").stdout.strip() == "replayed=20 resolved=20 failed=0"
    assert case.errors("p.sql", "replay").stdout.strip() == "replayed=0 resolved=0 failed=0"
    assert tables(case) == {"t0": list(range(2, 21, 2)), "t1": list(range(1, 21, 2))}
    assert DeltaTable(str(case.folder / "lake/t0/orders")).version() >= 1


def test_wrong_names_are_refused(case, shared_nats):
    for path, said in (("{nobody}", "'nobody', which is not a column"), ("{tenant", "no column name and '}' follow"),
                       ("tenant}", "'}' without its '{'")):
        case.nats_pipeline(shared_nats.url, columns=COLUMNS, lake=f"{case.folder}/lake/{path}")
        assert said in case.weir.run(["check", "p.sql"], cwd=case.folder, expect=2).stderr
