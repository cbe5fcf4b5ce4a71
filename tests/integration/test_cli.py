"""The command line: exit codes, draining, what is listed, and that no secret is ever shown."""

import json
import signal
import subprocess
import time

import pytest
from case import events, publish


def test_exit_codes_of_wrong_use(case):
    for arguments in ([], ["no-such-command"], ["run"], ["run", "nowhere.sql"], ["run", "x.sql", "--no-such-option"],
                      ["check", "nowhere.sql"], ["connectors", "nots"]):
        run = case.weir.run(arguments, cwd=case.folder, expect=2)
        assert run.stdout + run.stderr


def test_help_and_version(case):
    assert "Exit codes" in case.weir.run(["--help"], cwd=case.folder).stdout
    for command in ("run", "check", "explain", "sql", "errors", "test"):
        assert "Example" in case.weir.run([command, "--help"], cwd=case.folder).stdout, command
    assert any(character.isdigit() for character in case.weir.run(["version"], cwd=case.folder).stdout)


INSERT = "\nCREATE TABLE l WITH ('connector'='delta', 'path'='y');\nINSERT INTO l SELECT * FROM e;"


@pytest.mark.parametrize("text, words", [
    ("CREATE TABLE e (id BIGINT) WITH ('connector'='nots', 'url'='x');\nINSERT INTO e SELECT 1;", "nats"),
    ("CREATE TABLE e (id BIGNT) WITH ('connector'='file', 'path'='x');" + INSERT, "BIGINT"),
    ("CREATE TABLE e (id BIGINT) WITH ('connector'='file', 'path'='x', 'folow'='true');" + INSERT, "follow"),
    ("CREATE TABLE e (id BIGINT) WITH ('connector'='file');" + INSERT, "path"),
    ("CREATE TABEL e (id BIGINT);", "TABLE"),
    ("SET 'pipeline.nam' = 'x';", "pipeline.name"),
    ("CREATE TABLE e (id BIGINT) WITH ('connector'='file', 'path'='x');" + INSERT.replace("*", "idd"), "'id'"),
])
def test_bad_files_name_the_place_and_the_near_word(case, text, words):
    file = case.write("bad.sql", text)
    for command in ("check", "run", "explain"):
        run = case.weir.run([command, file], cwd=case.folder, expect=2)
        assert "bad.sql:" in run.stderr and ": error: " in run.stderr and words in run.stderr, run.stderr


@pytest.mark.parametrize("source, sink", [
    ("'connector'='generator', 'rows'='-1'", "'connector'='print'"),
    ("'connector'='generator', 'rows'='5', 'fields.nope.min'='1'", "'connector'='print'"),
    ("'connector'='nats', 'url'='nats://127.0.0.1:1', 'stream'='S', 'fetch.batch'='0'", "'connector'='print'"),
    ("'connector'='file', 'path'='x'", "'connector'='delta', 'path'='y', 'compression-level'='99'"),
])
def test_values_that_only_the_connector_can_judge_are_found_before_anything_runs(case, source, sink):
    file = case.write("bad.sql", f"CREATE TABLE e (id BIGINT) WITH ({source});\nCREATE TABLE l WITH ({sink});\n"
                                 "INSERT INTO l SELECT * FROM e;")
    for command in (["check"], ["run", "--once"]):
        run = case.weir.run([*command, file], cwd=case.folder, expect=2)
        assert "bad.sql:" in run.stderr and ": error: " in run.stderr and "done" not in run.stderr


def test_bad_sql_of_a_query(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(b"\n".join(events(1, 3)))
    file = case.file_pipeline(path)
    case.once(file)
    assert case.weir.run(["sql", "-f", file, "SELEC 1"], cwd=case.folder, expect=2).stderr
    assert "'lak'" in case.weir.run(["sql", "-f", file, "SELECT * FROM lak"], cwd=case.folder, expect=2).stderr
    assert case.weir.run(["sql", "-f", file, "--format", "csv", "SELECT id FROM lake ORDER BY id"],
                         cwd=case.folder).stdout.split() == ["id", "1", "2", "3"]
    by_state = case.weir.run(["sql", "--state", case.folder / "state", "SELECT sum(id) AS s FROM lake"],
                             cwd=case.folder)
    assert "6" in by_state.stdout


def test_connectors_lists_every_option(case):
    entries = json.loads(case.weir.run(["connectors", "--json"], cwd=case.folder).stdout)
    names = {entry["name"] for entry in entries}
    assert {"nats", "http", "file", "generator", "delta", "print", "blackhole", "json", "avro", "SET", "payload",
            "schema-registry", "error-budget"} <= names
    text = case.weir.run(["connectors"], cwd=case.folder).stdout
    markdown = case.weir.run(["connectors", "--markdown"], cwd=case.folder).stdout
    for entry in entries:
        for option in entry["options"]:
            assert option["help"], f"{entry['name']} {option['name']} has no help"
            assert option["name"] in text and f"`{option['name']}`" in markdown
    nats = {option["name"]: option for option in next(
        entry["options"] for entry in entries if (entry["kind"], entry["name"]) == ("source", "nats"))}
    assert {"url", "stream", "subject", "durable", "creds", "nkey", "token", "username", "password"} <= set(nats)
    assert all(nats[name]["secret"] for name in ("password", "token", "nkey"))
    one = case.weir.run(["connectors", "delta"], cwd=case.folder).stdout
    assert "partition-by" in one and "durable" not in one


def test_no_secret_is_shown(case, shared_nats, running, eventually):
    secrets = {"NATS_PASSWORD": "sEcr3t-one", "S3_SECRET": "sEcr3t-two"}
    (case.folder / "token.txt").write_text("sEcr3t-three\n")
    publish(shared_nats.url, case.stream, events(1, 5) + [b"broken"])
    options = ", 'username'='u', 'password'='${env:NATS_PASSWORD}'"
    settings = {"s3__secret_key": "${env:S3_SECRET}", "s3__access_key": "key"}
    file = case.nats_pipeline(shared_nats.url, options, settings=settings)
    by_token = case.nats_pipeline("nats://someone:sEcr3t-four@127.0.0.1:9", ", 'token'='${file:token.txt}'",
                                  file="t.sql", settings={"s3__secret_key": "${env:S3_SECRET}"})
    wrong = case.write("wrong.sql", file.read_text().replace("'format'='json'", "'format'='sEcr3t-no', 'x'='y'"))
    said = ""
    for arguments in (["check", file], ["check", "--connect", file], ["explain", file], ["explain", "--json", file],
                      ["run", file, "--once"], ["errors", "list", file], ["errors", "show", file],
                      ["sql", "-f", file, "SELECT * FROM lake"], ["sql", "-f", file, "SELECT * FROM errors.events"],
                      ["check", "--connect", by_token], ["explain", by_token], ["check", wrong]):
        run = case.weir.run(arguments, cwd=case.folder, env=secrets, expect=None, timeout_s=30)
        said += run.stdout + run.stderr
    process = running(by_token, "--progress", "lines", env=secrets)
    eventually(lambda: "retrying" in process.said())
    said += process.said()
    stored = b"".join(path.read_bytes() for path in case.folder.rglob("*")
                      if path.is_file() and path.suffix in (".json", "") and "sql" not in path.name)
    for secret in ("sEcr3t-one", "sEcr3t-two", "sEcr3t-three", "sEcr3t-four"):
        assert secret not in said
        assert secret.encode() not in stored


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_drains(case, shared_nats, running, eventually, sent):
    publish(shared_nats.url, case.stream, events(1, 500))
    file = case.nats_pipeline(shared_nats.url, settings={"pipeline__commit_interval": "60 s"})
    process = running(file, "--progress", "lines")
    eventually(lambda: "events=500" in process.said())
    assert not case.lake.exists() or case.ids() == []
    process.send_signal(sent)
    assert process.wait(15) == 0, process.said()
    assert case.ids() == list(range(1, 501))
    assert "done p: events=500 rows=500 errors=0 filtered=0 commits=1" in process.said()


def test_progress_line_when_piped(case, shared_nats, running, eventually):
    publish(shared_nats.url, case.stream, events(1, 10) + [b"broken"])
    process = running(case.nats_pipeline(shared_nats.url), "--progress", "lines")
    line = eventually(lambda: next((line for line in process.said().splitlines() if "state=running" in line
                                    and "lag=0" in line), None))
    assert line.startswith("p: events=11 (") and " rows=10 errors=1 " in line and "\x1b" not in process.said()


def test_bad_events_are_no_failure(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(b"broken\n" * 3)
    done = case.once(case.file_pipeline(path))
    assert "events=3 rows=0 errors=3" in done.stderr


def test_an_error_lake_that_is_switched_off_stops_the_pipeline(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(b"\n".join([*events(1, 3), b"broken", *events(4, 6)]))
    run = case.once(case.file_pipeline(path, settings={"error_lake__enabled": "false"}), expect=1)
    assert "malformed" in run.stderr.lower() or "json" in run.stderr.lower(), run.stderr


def test_explain(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(b"")
    file = case.file_pipeline(path, select="id, upper(name) AS name")
    text = case.weir.run(["explain", file], cwd=case.folder).stdout
    assert "upper" in text and "lake" in text and "events" in text
    assert json.loads(case.weir.run(["explain", "--json", file], cwd=case.folder).stdout)


def test_print_and_blackhole(case):
    path = case.folder / "in.ndjson"
    path.write_bytes(b"\n".join(events(1, 3)))
    file = case.write("p.sql", case.settings("p") + (
        f"CREATE TABLE events (id BIGINT NOT NULL) WITH ('connector'='file', 'path'='{path}');\n"
        "CREATE TABLE screen WITH ('connector'='print');\nCREATE TABLE nothing WITH ('connector'='blackhole');\n"
        "INSERT INTO screen SELECT * FROM events;\nINSERT INTO nothing SELECT * FROM events;\n"))
    said = case.once(file).stdout
    assert [json.loads(line[line.index("{"):])["id"] for line in said.splitlines() if "{" in line] == [1, 2, 3], said


def test_weir_test_reports_differences(case):
    folder = case.folder / "cases" / "one"
    for name in ("input", "expected"):
        (folder / name).mkdir(parents=True)
    (folder / "pipeline.sql").write_text(
        "CREATE TABLE events (id BIGINT NOT NULL) WITH ('connector'='file', 'path'='x');\n"
        "CREATE TABLE lake WITH ('connector'='delta', 'path'='y');\n"
        "INSERT INTO lake SELECT id * 2 AS id FROM events;\n")
    (folder / "input" / "events.ndjson").write_text('{"id": 1}\n{"id": 2}\n')
    (folder / "expected" / "lake.ndjson").write_text('{"id": 2}\n{"id": 4}\n')
    good = case.weir.run(["test", case.folder / "cases"], cwd=case.folder)
    assert "1 cases, 3 runs, 0 failed" in good.stdout + good.stderr
    (folder / "expected" / "lake.ndjson").write_text('{"id": 2}\n{"id": 5}\n')
    bad = case.weir.run(["test", case.folder / "cases"], cwd=case.folder, expect=4)
    assert "5" in bad.stdout + bad.stderr


def test_a_second_ctrl_c_does_not_wait(case, tmp_path, running, eventually):
    from servers import NatsServer
    with NatsServer(tmp_path / "nats", sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 5))
        process = running(case.nats_pipeline(server.url), "--progress", "lines")
        eventually(lambda: "state=running" in process.said())
        server.pause()
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(8) in (0, 130)
        except subprocess.TimeoutExpired:
            pytest.fail("a second Ctrl-C did not end it")
        finally:
            server.resume()
