"""`weir send` into `weir serve`: nothing lost and nothing doubled, whatever dies in between."""

import json
import os
import threading
import urllib.request

import pytest
from edge import Edge


@pytest.fixture
def edge(weir, tmp_path):
    """edge() starts `weir serve` and ends it after the test."""
    started = []

    def start(config="", server=""):
        started.append(Edge(weir, tmp_path / f"edge{len(started)}", config, server).start())
        return started[-1]
    yield start
    for each in started:
        each.kill()


def write_events(path, count):
    path.write_text("".join(f'{{"id":{number}}}\n' for number in range(count)))
    return path


def ids_in_log(case, edge, stream):
    """All of the stream's ids, sorted, read back by a pipeline."""
    file = case.write("read.sql", case.settings("read") + (
        f"CREATE TABLE events (id BIGINT) WITH ('connector'='http', 'stream'='{stream}', "
        f"'path'='{edge.folder / 'data' / 'log'}', 'format'='json');\n"
        f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{case.lake}');\n"
        "INSERT INTO lake SELECT * FROM events;\n"))
    case.once(file)
    return case.ids()


def test_sends_lines_in_batches_and_sums_up(edge, weir, case):
    server = edge()
    file = write_events(case.folder / "e.ndjson", 250)
    done = weir.run(["send", file, "--url", server.url, "--stream", "orders"], cwd=case.folder)
    assert done.stdout == ("sent events=250 requests=3 repeated=0 unrouted=0 retries=0 "
                           "positions: log:orders/0 0..249\n")
    assert ids_in_log(case, server, "orders") == list(range(250))


def test_the_same_prefix_again_repeats_and_stores_nothing(edge, weir, case):
    server = edge()
    file = write_events(case.folder / "e.ndjson", 30)
    send = ["send", file, "--url", server.url + "/", "--stream", "orders", "--batch", "10", "--key-prefix", "load-1"]
    assert " repeated=0 " in weir.run(send, cwd=case.folder).stdout
    assert "events=30 requests=3 repeated=30 " in weir.run(send, cwd=case.folder).stdout
    write_events(file, 31)
    assert "events=31 requests=4 repeated=30 " in weir.run(send, cwd=case.folder).stdout
    file.write_text('{"id":-1}\n' * 40)
    done = weir.run(send, cwd=case.folder, expect=2)
    assert "e.ndjson:1: " in done.stderr and "--key-prefix" in done.stderr
    assert ids_in_log(case, server, "orders") == list(range(31))


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(edge, weir, case, eventually):
    server = edge()
    count = 6000
    file = write_events(case.folder / "e.ndjson", count)
    process = weir.start(["send", file, "--url", server.url, "--stream", "orders", "--batch", "10", "--progress",
                          "lines"], cwd=case.folder)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    for wanted in (100, 1500, 3000):
        eventually(lambda: extent(server, "orders") >= wanted)
        server.kill()
        assert process.poll() is None, "all was sent before the server died"
        server.start()
    out = process.stdout.read()
    assert process.wait(60) == 0, lines
    reader.join()
    process.stdout.close()
    process.stderr.close()
    assert f"sent events={count} requests={count // 10} " in out
    assert "trying again: " in "".join(lines)
    assert ids_in_log(case, server, "orders") == list(range(count))


def extent(server, stream):
    """How many events the log has, by the server's own page."""
    with urllib.request.urlopen(server.url + "/v1/streams", timeout=5) as answer:
        streams = json.loads(answer.read())["streams"]
    return sum(partition["next"] for each in streams if each["name"] == stream for partition in each["partitions"])


def test_a_refused_line_is_named_and_what_lies_before_is_stored(edge, weir, case):
    server = edge()
    lines = [f'{{"id":{number}}}' for number in range(20)]
    lines[13] = '{"id":13,}'
    (case.folder / "e.ndjson").write_text("\n\n".join(lines))
    done = weir.run(["send", "e.ndjson", "--url", server.url, "--stream", "orders", "--batch", "5"],
                    cwd=case.folder, expect=2)
    assert "error: e.ndjson:27:" in done.stderr
    assert "sent events=10 " in done.stdout
    assert ids_in_log(case, server, "orders") == list(range(10))


def test_tokens_come_from_the_environment_or_a_file_and_are_never_shown(edge, weir, case):
    server = edge(server='tokens = ["secret-1"]')
    file = write_events(case.folder / "e.ndjson", 1)
    send = ["send", file, "--url", server.url, "--stream", "orders"]
    assert "Check --token" in weir.run(send, cwd=case.folder, expect=3).stderr
    environment = dict(os.environ, WEIR_TOKEN="secret-1")
    assert "events=1 " in weir.run([*send, "--token", "${env:WEIR_TOKEN}"], cwd=case.folder, env=environment).stdout
    (case.folder / "token").write_text("secret-1\n")
    assert "events=1 " in weir.run([*send, "--token-file", "token"], cwd=case.folder).stdout
    (case.folder / "token").write_text("wrong-secret")
    done = weir.run([*send, "--token-file", "token"], cwd=case.folder, expect=3)
    assert "secret" not in done.stdout + done.stderr
    assert "WEIR_NONE" in weir.run([*send, "--token", "${env:WEIR_NONE}"], cwd=case.folder, expect=2).stderr


def test_a_server_that_is_not_there(weir, case):
    file = write_events(case.folder / "e.ndjson", 3)
    done = weir.run(["send", file, "--url", "http://127.0.0.1:1", "--stream", "s", "--retry-for", "300 ms",
                     "--key-prefix", "p"], cwd=case.folder, expect=3)
    assert "e.ndjson:1: not stored from here on" in done.stderr and "--key-prefix p" in done.stderr
    assert "sent events=0 " in done.stdout
    assert "cannot be opened" in weir.run(["send", "none", "--stream", "s"], cwd=case.folder, expect=2).stderr


def test_standard_input_and_cloud_events(edge, weir, case):
    server = edge()
    events = [{"specversion": "1.0", "id": str(n), "source": "/s", "type": "t", "data": {"id": n}} for n in range(7)]
    process = weir.start(["send", "--url", server.url, "--stream", "orders", "--batch", "3", "--content-type",
                          "application/cloudevents-batch+json"], cwd=case.folder, stdin=-1)
    out, err = process.communicate("".join(json.dumps(each) + "\n" for each in events), timeout=30)
    assert process.returncode == 0, err
    assert "sent events=7 requests=3 " in out
    assert ids_in_log(case, server, "orders") == list(range(7))
