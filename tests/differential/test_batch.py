"""What the golden cases of stateful SQL expect is what DuckDB finds in the same input as a batch."""

import shutil

import batch
import pytest

STATEFUL = ("TUMBLE(", "HOP(", "CUMULATE(", "SESSION(", "GROUP BY", "JOIN ", "OVER (")


@pytest.mark.parametrize("case", batch.cases(), ids=lambda case: case.name)
def test_expected_rows_are_those_of_another_engine(case):
    assert batch.differences(case) == []


def test_every_case_that_keeps_state_has_a_batch_query():
    lacking = [file.parent.name for file in sorted(batch.GOLDEN.glob("*/pipeline.sql"))
               if any(word in file.read_text() for word in STATEFUL) and "UNNEST" not in file.read_text()
               and not (file.parent / "batch.sql").exists()
               and not (file.parent / "expected" / "refused.txt").exists()]
    assert lacking == []


def test_a_wrong_row_is_found(tmp_path):
    case = tmp_path / "case"
    shutil.copytree(batch.GOLDEN / "window-tumble", case)
    file = case / "expected" / "of_all.ndjson"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0].replace('"n":', '"n":1'), *lines[2:]]) + "\n")
    found = batch.differences(case)
    assert len(found) == 3 and all(line.startswith("of_all: ") for line in found), found
    (case / "expected" / "shifted.ndjson").unlink()
    assert "there is no expected/shifted.ndjson for the view" in batch.differences(case)
