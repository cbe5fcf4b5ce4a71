"""The file source: follow, glob, compressed and damaged files, positions that no longer fit."""

import gzip
import signal

from case import event, events, write_zstd


def lines(first, last):
    return b"".join(line + b"\n" for line in events(first, last))


def test_follow_a_growing_file(case, running, eventually):
    path = case.folder / "grow.ndjson"
    path.write_bytes(lines(1, 10) + event(11)[:9])
    process = running(case.file_pipeline(path, ", 'follow'='true'"), "--progress", "none")
    eventually(lambda: case.ids() == list(range(1, 11)))
    with open(path, "ab") as out:
        out.write(event(11)[9:] + b"\n" + lines(12, 20))
    eventually(lambda: case.ids() == list(range(1, 21)))
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    with open(path, "ab") as out:
        out.write(lines(21, 30))
    case.once(case.file_pipeline(path, ", 'follow'='true'"))
    assert case.ids() == list(range(1, 31))


def test_follow_finds_new_files_of_a_glob(case, running, eventually):
    for number in range(2):
        (case.folder / f"in-{number}.ndjson").write_bytes(lines(1 + number * 10, 10 + number * 10))
    (case.folder / "other.txt").write_bytes(lines(900, 910))
    process = running(case.file_pipeline(case.folder / "in-*.ndjson", ", 'follow'='true'"), "--progress", "none")
    eventually(lambda: case.ids() == list(range(1, 21)))
    (case.folder / "in-2.ndjson").write_bytes(lines(21, 30))
    eventually(lambda: case.ids() == list(range(1, 31)))
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def test_glob_of_plain_and_compressed_files(case):
    folder = case.folder / "in"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines(1, 100))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(lines(101, 200)) + gzip.compress(lines(201, 210)))
    write_zstd(folder / "c.ndjson.zst", lines(211, 300))
    file = case.file_pipeline(folder / "*")
    case.once(file)
    (folder / "d.ndjson").write_bytes(lines(301, 310)[:-1])
    case.once(file)
    case.once(file)
    assert case.ids() == list(range(1, 311))


def test_truncated_compressed_files_stop_with_words(case):
    for name, data in (("t.ndjson.gz", gzip.compress(lines(1, 5000))), ("t.ndjson.zst", None)):
        path = case.folder / name
        if data is None:
            write_zstd(path, lines(1, 5000))
            data = path.read_bytes()
        path.write_bytes(data[:len(data) // 2])
        stem = name.split(".")[-1]
        file = case.file_pipeline(path, file=f"{stem}.sql", lake=case.folder / f"lake-{stem}")
        run = case.once(file, expect=1)
        assert name in run.stderr and ("end" in run.stderr or "truncated" in run.stderr), run.stderr
        path.write_bytes(data)
        case.once(file)
        assert case.ids(case.folder / f"lake-{stem}") == list(range(1, 5001))


def test_a_file_that_became_shorter(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(lines(1, 50))
    file = case.file_pipeline(path)
    case.once(file)
    path.write_bytes(lines(1, 10))
    run = case.once(file, expect=None)
    assert run.returncode in (1, 3) and "in.ndjson" in run.stderr, run.stderr
    assert case.ids() == list(range(1, 51))


def test_a_file_that_is_gone(case):
    folder = case.folder / "in"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.ndjson").write_bytes(lines(1 + number * 10, 10 + number * 10))
    file = case.file_pipeline(folder / "*")
    case.once(file)
    (folder / "0.ndjson").unlink()
    (folder / "2.ndjson").write_bytes(lines(21, 30))
    run = case.once(file, expect=3)
    assert "0.ndjson" in run.stderr
    case.once(case.file_pipeline(folder / "*", ", 'scan.on-missing-file'='continue'"))
    assert case.ids() == list(range(1, 31))


def test_missing_path(case):
    file = case.file_pipeline(case.folder / "nowhere.ndjson")
    run = case.once(file, expect=3)
    assert "nowhere.ndjson" in run.stderr
    assert case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3).stderr


def test_interrupted_compressed_file_goes_on_where_it_was(case):
    path = case.folder / "big.ndjson.gz"
    path.write_bytes(gzip.compress(lines(1, 80_000)))
    file = case.file_pipeline(path, settings={"pipeline__commit_interval": "10 ms", "pipeline__batch_rows": "500"})
    killed = case.weir.run(["run", file, "--once"], cwd=case.folder, expect=None,
                           env={"WEIR_CRASH_POINT": "runtime.after_authority:1"})
    assert killed.returncode == -signal.SIGKILL
    assert 0 < len(case.ids()) < 80_000
    case.once(file)
    assert case.ids() == list(range(1, 80_001))
