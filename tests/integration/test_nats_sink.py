"""The NATS sink against a real JetStream: what a message looks like, what is refused, what comes twice after a kill."""

import json

import pytest
from case import COLUMNS, event, publish, stored, with_jetstream
from servers import NatsServer

COUNT = 50


def make_stream(url, name, subjects=None, **config):
    async def make(js):
        await js.add_stream(name=name, subjects=subjects or [f"{name}.>"], **config)
    with_jetstream(url, make)


def ids(url, stream):
    return sorted(json.loads(payload)["id"] for _, payload, _ in stored(url, stream))


@pytest.fixture
def sink(case, shared_nats):
    """sink(options, select=…, columns=…, lines=…): a pipeline from a file into NATS."""
    def write(options, select="*", columns=COLUMNS, lines=None, url=None):
        source = case.folder / "in.ndjson"
        source.write_bytes(b"\n".join(lines or [event(number) for number in range(1, COUNT + 1)]) + b"\n")
        return case.write("sink.sql", case.settings("sink") + f"""
CREATE TABLE src ({columns}) WITH ('connector'='file', 'path'='{source}', 'format'='json');
CREATE TABLE dst WITH ('connector'='nats', 'url'='{url or shared_nats.url}', 'stream'='{case.stream}', {options});
INSERT INTO dst SELECT {select} FROM src;
""")
    return write


def test_rows_become_messages(case, sink, shared_nats):
    make_stream(shared_nats.url, case.stream)
    lines = [json.dumps({"id": n, "name": f"{case.stream}.{'eu' if n % 2 else 'us'}", "body": f"b{n}",
                         "tags": {"a": str(n), "Nats-Rollup": "all"}}).encode() for n in range(1, 7)]
    file = sink("'subject.from-column'='subject', 'headers.column'='tags', 'value.format'='raw'",
                select="name AS subject, body, tags", lines=lines,
                columns="id BIGINT, name STRING, body STRING, tags MAP<STRING, STRING>")
    assert "at least once" in case.weir.run(["check", "--connect", file], cwd=case.folder).stdout
    case.once(file)
    found = stored(shared_nats.url, case.stream)
    assert [(subject, payload) for subject, payload, _ in found] == \
        [(f"{case.stream}.{'eu' if n % 2 else 'us'}", f"b{n}".encode()) for n in range(1, 7)]
    assert [headers["a"] for _, _, headers in found] == ["1", "2", "3", "4", "5", "6"]
    assert all("Nats-Rollup" not in headers and headers["Nats-Msg-Id"] for _, _, headers in found)


def test_json_rows_come_back_through_the_source(case, sink, shared_nats):
    make_stream(shared_nats.url, case.stream)
    case.once(sink(f"'subject'='{case.stream}.x'"))
    assert ids(shared_nats.url, case.stream) == list(range(1, COUNT + 1))
    case.once(case.nats_pipeline(shared_nats.url))
    assert case.ids() == list(range(1, COUNT + 1))


def test_what_cannot_be_a_message_goes_to_the_error_lake(case, sink, shared_nats):
    make_stream(shared_nats.url, case.stream, max_msg_size=20_000)
    subjects = [f"{case.stream}.a", "", f"{case.stream}.a b", "elsewhere", f"{case.stream}.>", f"{case.stream}.b"]
    lines = [event(n, name=subject, amount=1) for n, subject in enumerate(subjects, 1)]
    lines += [json.dumps({"id": 7, "name": f"{case.stream}.a", "pad": "x" * 30_000}).encode(),  # for the stream
              json.dumps({"id": 8, "name": f"{case.stream}.a", "pad": "x" * 9_000_000}).encode()]  # for the server
    file = sink("'subject.from-column'='name'", columns=COLUMNS + ", pad STRING", lines=lines)
    text = file.read_text().replace("'format'='json'", "'format'='json', 'json.max-size'='16 mb'")
    file.write_text(text)
    case.once(file)
    assert ids(shared_nats.url, case.stream) == [1, 6]
    errors = case.error_rows("sink", "src")
    refused = {json.loads(error["payload"])["id"]: error for error in errors}
    assert sorted(refused) == [2, 3, 4, 5, 7, 8]
    assert {(error["code"], error["sink"]) for error in errors} == {("sink_refused", "dst")}
    for number, words in {2: "empty", 3: "white space", 4: "does not take", 5: "wildcard", 7: "exceeds maximum",
                          8: "max_payload"}.items():
        assert words in refused[number]["message"]


@pytest.mark.parametrize("deduplicate", [True, False])
def test_after_a_kill_the_stream_drops_what_comes_again(case, sink, shared_nats, deduplicate):
    make_stream(shared_nats.url, case.stream)
    file = sink(f"'subject'='{case.stream}.x', 'deduplicate'='{str(deduplicate).lower()}'")
    case.once(file, expect=-9, env={"WEIR_CRASH_POINT": "runtime.after_sink:1"})
    before = len(ids(shared_nats.url, case.stream))
    case.once(file)
    found = ids(shared_nats.url, case.stream)
    assert before > 0 and sorted(set(found)) == list(range(1, COUNT + 1))
    assert (len(found) == COUNT) == deduplicate


def test_rows_of_one_event_and_of_two_inserts_are_not_taken_for_repeats(case, shared_nats):
    make_stream(shared_nats.url, case.stream)
    source = case.folder / "in.ndjson"
    source.write_bytes(b'{"id": 1, "tags": ["x", "x", "y"]}\n{"id": 2, "tags": []}\n')
    file = case.write("sink.sql", case.settings("sink") + f"""
CREATE TABLE src (id BIGINT, tags ARRAY<STRING>) WITH ('connector'='file', 'path'='{source}', 'format'='json');
CREATE TABLE dst (id BIGINT, tag STRING) WITH ('connector'='nats', 'url'='{shared_nats.url}',
  'stream'='{case.stream}', 'subject'='{case.stream}.x');
INSERT INTO dst SELECT id, unnest(tags) FROM src;
INSERT INTO dst SELECT id, 'x' FROM src;
""")
    case.once(file)
    found = sorted((json.loads(payload)["id"], json.loads(payload)["tag"])
                   for _, payload, _ in stored(shared_nats.url, case.stream))
    assert found == [(1, "x"), (1, "x"), (1, "x"), (1, "y"), (2, "x")]


def test_what_the_stream_does_not_take_is_said(case, sink, shared_nats):
    file = sink(f"'subject'='{case.stream}.x'")
    done = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3)
    assert f"stream '{case.stream}' does not exist" in done.stderr
    make_stream(shared_nats.url, case.stream, subjects=[f"{case.stream}.a.*", f"{case.stream}.b"])
    done = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=2)
    words = f"does not take the subject '{case.stream}.x'; its subjects: {case.stream}.a.*, {case.stream}.b"
    assert words in done.stderr
    assert "does not take the subject" in case.once(file, expect=1).stderr


def test_a_server_that_dies_and_a_full_stream_are_waited_for(case, sink, running, eventually, tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        make_stream(server.url, case.stream, max_msgs=10, discard="new")
        lines = [event(number) for number in range(1, 21)]
        file = sink(f"'subject'='{case.stream}.x', 'publish.ack-timeout'='1 s'", lines=lines, url=server.url)
        process = running(str(file), "--once", "--progress", "lines")
        eventually(lambda: "maximum messages exceeded" in process.said(), what="words about the full stream")
        server.kill9()
        eventually(lambda: "no connection" in process.said() or "cannot connect" in process.said(), what="words")
        server.restart()

        async def widen(js):
            config = (await js.stream_info(case.stream)).config
            config.max_msgs = 1000
            await js.update_stream(config)
        with_jetstream(server.url, widen)
        assert process.wait(timeout=30) == 0, process.said()
        assert ids(server.url, case.stream) == list(range(1, 21)), "the ids drop what was sent again"


def test_one_connector_is_source_and_sink_in_one_file(case, shared_nats):
    publish(shared_nats.url, case.stream, [event(number) for number in range(1, COUNT + 1)])
    make_stream(shared_nats.url, f"{case.stream}-out")
    file = case.write("both.sql", case.settings("both") + f"""
CREATE TABLE src ({COLUMNS}) WITH ('connector'='nats', 'url'='{shared_nats.url}', 'stream'='{case.stream}');
CREATE TABLE dst WITH ('connector'='nats', 'url'='{shared_nats.url}', 'stream'='{case.stream}-out',
  'subject'='{case.stream}-out.x');
INSERT INTO dst SELECT * FROM src WHERE id <= 10;
""")
    case.once(file)
    assert ids(shared_nats.url, f"{case.stream}-out") == list(range(1, 11))
