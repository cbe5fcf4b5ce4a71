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
