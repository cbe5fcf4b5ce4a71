"""What recovery does when more than the process has changed between a crash and the next start."""

import pytest
from case import event, events

CHECK = "CHECK (amount >= 0)"


@pytest.fixture
def crashed(case):
    """A file pipeline that was killed after its error lake's commit and before its lake's; event 5 is a bad one."""
    lines = events(1, 20)
    lines[4] = event(5, amount=-1)
    (case.folder / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    case.file_pipeline(case.folder / "in.ndjson", checks=CHECK)
    case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": "runtime.after_errors:1"})
    assert len(case.error_rows()) == 1 and case.ids() == []
    return case


def test_a_changed_file_after_a_crash_inside_a_commit_is_refused(crashed):
    case = crashed
    as_it_was = (case.folder / "p.sql").read_text()
    mended = as_it_was.replace(CHECK, "CHECK (amount >= -5)")
    case.write("p.sql", mended)
    refused = case.once("p.sql", expect=1)
    assert "ended inside a commit" in refused.stderr and "run the earlier version once" in refused.stderr
    assert case.ids() == []
    # As the words say: the earlier version once, then the changed one; then replay brings the event back, once.
    case.write("p.sql", as_it_was)
    case.once("p.sql")
    assert case.ids() == [i for i in range(1, 21) if i != 5]
    case.write("p.sql", mended)
    case.once("p.sql")
    assert "replayed=1 resolved=1 failed=0" in case.errors("p.sql", "replay").stdout
    assert case.ids() == list(range(1, 21))


def test_a_comment_or_an_interval_is_no_change(crashed):
    case = crashed
    text = (case.folder / "p.sql").read_text()
    case.write("p.sql", "-- a comment\n" + text.replace("'100 ms'", "'50 ms'"))
    case.once("p.sql")
    assert case.ids() == [i for i in range(1, 21) if i != 5] and len(case.error_rows()) == 1


def test_a_table_added_first_does_not_become_the_authority(case):
    (case.folder / "in.ndjson").write_bytes(b"\n".join(events(1, 10)) + b"\n")
    text = case.file_pipeline(case.folder / "in.ndjson").read_text()
    case.once("p.sql")
    second = case.folder / "second"
    case.write("p.sql", text.replace(
        "CREATE TABLE lake", f"CREATE TABLE second WITH ('connector'='delta', 'path'='{second}');\nCREATE TABLE lake"
    ).replace("INSERT INTO lake", "INSERT INTO second SELECT id FROM events;\nINSERT INTO lake"))
    with open(case.folder / "in.ndjson", "ab") as more:
        more.write(b"\n".join(events(11, 15)) + b"\n")
    case.once("p.sql")
    assert case.ids() == list(range(1, 16))
    assert case.ids(second) == list(range(11, 16))


def test_two_sets_without_a_memory_keep_their_positions_apart(case):
    """print sinks only: positions live in the state folder, one object a source."""
    for name in ("a", "b"):
        (case.folder / f"{name}.ndjson").write_bytes(b"\n".join(events(1, 3)) + b"\n")
    tables = "".join(
        f"CREATE TABLE {name} (id BIGINT) WITH ('connector'='file', 'path'='{case.folder / name}.ndjson');\n"
        f"CREATE TABLE out_{name} WITH ('connector'='print', 'prefix'='{name} ');\n"
        f"INSERT INTO out_{name} SELECT id FROM {name};\n" for name in ("a", "b"))
    case.write("p.sql", case.settings("p", pipeline__commit_interval="10 ms") + tables)
    printed = ""
    for number in range(4, 8):
        printed += case.once("p.sql").stdout
        with open(case.folder / "a.ndjson", "ab") as more:
            more.write(event(number) + b"\n")
    printed += case.once("p.sql").stdout
    ids = sorted(line.split(" ", 1)[0] + line.split(":")[1].rstrip("}") for line in printed.splitlines())
    assert ids == sorted([f"a{i}" for i in range(1, 8)] + [f"b{i}" for i in range(1, 4)])


def test_a_source_that_joins_another_set_goes_on_where_its_table_stands(case):
    """Two sets become one by a third INSERT; the second source's position is then only in its own table."""
    for name, last in (("a", 5), ("b", 5)):
        (case.folder / f"{name}.ndjson").write_bytes(b"\n".join(events(1, last)) + b"\n")
    tables = "".join(
        f"CREATE TABLE {name} (id BIGINT) WITH ('connector'='file', 'path'='{case.folder / name}.ndjson');\n"
        f"CREATE TABLE lake_{name} WITH ('connector'='delta', 'path'='{case.folder / ('lake_' + name)}');\n"
        f"INSERT INTO lake_{name} SELECT id FROM {name};\n" for name in ("a", "b"))
    case.write("p.sql", case.settings("p") + tables)
    case.once("p.sql")
    joined = tables + "INSERT INTO lake_a SELECT id + 100 AS id FROM b;\n"
    case.write("p.sql", case.settings("p") + joined)
    with open(case.folder / "b.ndjson", "ab") as more:
        more.write(event(6) + b"\n")
    case.once("p.sql")
    assert case.ids(case.folder / "lake_b") == [1, 2, 3, 4, 5, 6]
    assert case.ids(case.folder / "lake_a") == [1, 2, 3, 4, 5, 106]
