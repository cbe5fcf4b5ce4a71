"""`weir serve` as services meet it: curl, the CloudEvents SDK, and clients that misbehave. Read back by `weir run`."""

import gzip
import json
import re
import socket
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest
from case import rows
from cloudevents.core.bindings import http as ce_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from edge import Edge
from servers.certs import make_certificates

NDJSON = "application/x-ndjson"
COLUMNS = ("id BIGINT NOT NULL, at BIGINT METADATA FROM 'offset', subject STRING METADATA, "
           "headers MAP<STRING, STRING> METADATA, k STRING METADATA FROM 'key'")


@pytest.fixture
def edge(weir, tmp_path):
    """edge(config, server) starts `weir serve`, and ends it after the test."""
    started = []

    def start(config="", server=""):
        started.append(Edge(weir, tmp_path / f"edge{len(started)}", config, server).start())
        return started[-1]
    yield start
    for each in started:
        each.kill()


def read_back(case, edge, stream, columns=COLUMNS):
    """The stream's events in order, through a pipeline into a lake."""
    case.pipeline(f"'connector'='http', 'path'='{edge.folder / 'data' / 'log'}', 'stream'='{stream}', "
                  "'format'='json'", columns=columns)
    case.once("p.sql")
    return sorted(rows(case.lake), key=lambda row: row["at"])


def curl(edge, *arguments):
    """(status, body) as curl has them."""
    command = ["curl", "-sS", "--path-as-is", "-w", "\n%{http_code}", *map(str, arguments)]
    done = subprocess.run(command, cwd=edge.folder, capture_output=True, text=True, timeout=30, check=True)
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), body


def raw(edge, *parts, half_close=False):
    """Sends the parts as they are; everything that comes back until the connection's end."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def head(path="/v1/events/orders", *lines):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    return "\r\n".join(lines).encode()


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]


def count(edge, stream):
    """Events in the stream's log."""
    with urllib.request.urlopen(f"{edge.url}/v1/streams", timeout=20) as answer:
        streams = json.loads(answer.read())["streams"]
    parts = [part for each in streams if each["name"] == stream for part in each["partitions"]]
    return sum(part["next"] - part["first"] for part in parts)


def test_curl_and_back_through_a_pipeline(case, edge):
    server = edge()
    url = f"{server.url}/v1/events/orders"
    assert curl(server, "-H", "Content-Type: application/json", "-d", '{"id":1}', url) == (
        200, '{"stream":"orders","routed":true,"events":1,"positions":[{"target":"log:orders","partition":0,"first":0,'
             '"last":0}],"repeated":false}\n')
    (server.folder / "lines").write_text('{"id":2}\n\n{"id":3}\n')
    status, body = curl(server, "-H", f"Content-Type: {NDJSON}", "-H", "Weir-Key: k", "--data-binary", "@lines", url)
    assert (status, json.loads(body)["positions"][0]["last"]) == (200, 2)
    # Above a megabyte curl asks first (Expect: 100-continue), and gets its answer without sending it.
    (server.folder / "large").write_text('"' + "x" * (2 << 20) + '"')
    assert curl(server, "-H", "Content-Type: application/json", "--data-binary", "@large", url)[0] == 413
    assert curl(server, "-d", "a=b", url)[0] == 415
    assert curl(server, url)[0] == 405
    assert curl(server, "-I", f"{server.url}/healthz")[0] == 200
    assert 'weir_edge_requests_total{stream="orders",status="200"} 2' in curl(server, f"{server.url}/metrics")[1]
    found = read_back(case, server, "orders")
    assert [(row["id"], row["at"], row["subject"], row["k"]) for row in found] == [
        (1, 0, "orders", None), (2, 1, "orders", "k"), (3, 2, "orders", "k")]
    server.stop()


def test_every_mode_of_the_cloudevents_sdk_gives_the_same_record(case, edge):
    server = edge()
    event = CloudEvent({"specversion": "1.0", "id": "e1", "source": "/shop/caf\u00e9", "type": "order.created",
                        "datacontenttype": "application/json", "partitionkey": "k", "subject": "a b"}, {"id": 7})
    for message in (ce_http.to_binary(event, JSONFormat()), ce_http.to_structured(event, JSONFormat())):
        request = urllib.request.Request(f"{server.url}/v1/events/orders", message.body, dict(message.headers))
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200
    structured = ce_http.to_structured(event, JSONFormat()).body
    assert server.post("orders", b"[" + structured + b"]", "application/cloudevents-batch+json")[0] == 200
    found = read_back(case, server, "orders")
    assert len(found) == 3
    assert {(row["id"], row["subject"], row["k"]) for row in found} == {(7, "order.created", "k")}
    headers = [dict(row["headers"]) for row in found]
    assert headers[0] == headers[1] == headers[2]
    assert headers[0]["ce-source"] == "/shop/caf\u00e9" and headers[0]["content-type"] == "application/json"


def test_malformed_events_store_nothing(edge):
    server = edge()
    status, problem = server.post("orders", b'{"id":1}\n{"id":}\n', NDJSON)
    assert (status, problem["line"], problem["byte"], problem["status"]) == (400, 2, 7, 400)
    no_source = b'{"specversion":"1.0","id":"1","type":"t"}'
    status, problem = server.post("orders", no_source, "application/cloudevents+json")
    assert status == 400 and "'source'" in problem["detail"]
    assert server.post("orders", b'{"a":"\xff"}')[0] == 400
    assert server.post("orders", b"[" * 100 + b"]" * 100)[0] == 400
    assert server.post("orders", gzip.compress(b" " * (4 << 20)), content_encoding="gzip")[0] == 413
    assert server.post("orders", gzip.compress(b'{"id":1}')[:-4], content_encoding="gzip")[0] == 400
    assert count(server, "orders") == 0
    assert server.post("orders", gzip.compress(b'{"id":1}'), content_encoding="gzip")[0] == 200
    assert count(server, "orders") == 1


def test_clients_that_misbehave(edge):
    server = edge(server='head-timeout = "300 ms"\nbody-timeout = "300 ms"\nidle-timeout = "300 ms"\nmax-body = "1 kb"')
    one = head("/v1/events/orders", "Content-Length: 8") + b'{"id":1}'
    # Slow: in the head, in the body, before anything.
    assert statuses(raw(server, one[:40])) == [408]
    assert statuses(raw(server, one[:-1])) == [408]
    assert raw(server) == b""
    # Half-closed: what was whole is answered, what was not is refused.
    assert statuses(raw(server, one, half_close=True)) == [200]
    assert statuses(raw(server, one[:-1], half_close=True)) == [400]
    # Too large, by its length, by its chunks, by its head.
    assert statuses(raw(server, head("/v1/events/orders", "Content-Length: 2000"))) == [413]
    chunked = head("/v1/events/orders", "Transfer-Encoding: chunked")
    assert statuses(raw(server, chunked, b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n", half_close=True)) == [413]
    assert statuses(raw(server, b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", half_close=True)) == [431]
    # Chunks: good ones, bad ones, and a length beside them.
    assert statuses(raw(server, chunked, b'3\r\n{"i\r\n', b'5\r\nd":1}\r\n0\r\n\r\n', half_close=True)) == [200]
    assert statuses(raw(server, chunked, b"zz\r\n", half_close=True)) == [400]
    assert statuses(raw(server, chunked, b'3\r\n{"id":1}\r\n', half_close=True)) == [400]
    both = head("/v1/events/orders", "Content-Length: 8", "Transfer-Encoding: chunked")
    assert statuses(raw(server, both, b"0\r\n\r\n", half_close=True)) == [400]
    # Pipelined: in order, each stored once.
    before = count(server, "orders")
    answer = raw(server, one * 20, half_close=True)
    assert statuses(answer) == [200] * 20
    assert [int(at) for at in re.findall(rb'"first":(\d+)', answer)] == list(range(before, before + 20))
    # Gone before its answer: the server lives on.
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(one * 5)
    assert raw(server, b"\x16\x03\x01\x00\xa5", half_close=True).startswith(b"HTTP/1.1 400")
    assert server.post("orders", {"id": 1})[0] == 200


def test_path_tricks(edge):
    server = edge()
    for path in ("/v1/events/../x", "/v1/events/%2e%2e", "/v1/events/a%2f..%2fb", "/v1/events/%00", "/v1/events/a%00b",
                 "/v1/events/", "/v1/events/a/b", "/v1/events/_unrouted", "/v1/events/.hidden", "/v1/events/a%0d%0ab",
                 "/v1/events/" + "a" * 101, "/v1/events/%zz"):
        status, body = curl(server, "-H", "Content-Type: application/json", "-d", "1", server.url + path)
        assert status == 400, path
        assert json.loads(body)["status"] == 400
    assert curl(server, "-d", "1", f"{server.url}/v2/events/a")[0] == 404
    assert {each.name for each in (server.folder / "data" / "log").iterdir() if not each.name.startswith("_")} <= set()


def test_tokens(weir, edge, tmp_path):
    config = '[[stream]]\nname = "orders"\ntokens = ["${file:token}"]\n[[stream]]\nname = "open"\n'
    (tmp_path / "edge0").mkdir()
    (tmp_path / "edge0" / "token").write_text("orders-secret\n")
    server = edge(config, 'tokens = ["server-secret"]')
    for stream, token, status in (("orders", "orders-secret", 200), ("orders", "server-secret", 401),
                                  ("orders", "orders-secre", 401), ("open", "server-secret", 200),
                                  ("other", "server-secret", 202)):
        assert server.post(stream, {"id": 1}, Authorization=f"Bearer {token}")[0] == status, (stream, token)
    assert server.post("orders", {"id": 1})[0] == 401
    for page in ("/metrics", "/v1/streams"):
        assert curl(server, server.url + page)[0] == 401
        assert curl(server, "-H", "Authorization: Bearer server-secret", server.url + page)[0] == 200
    assert curl(server, f"{server.url}/healthz")[0] == 200
    # Beyond loopback a token is a must.
    open_file = tmp_path / "open.toml"
    open_file.write_text('[server]\nlisten = "0.0.0.0:0"\n')
    refused = weir.run(["serve", "--config", open_file], cwd=tmp_path, expect=2)
    assert "reached from other machines" in refused.stderr and "tokens" in refused.stderr


def test_a_repeat_after_a_kill_answers_the_first_positions(case, edge):
    server = edge('[[stream]]\nname = "orders"\npartitions = 3\n')
    first = server.post("orders", b'{"id":1}\n{"id":2}\n', NDJSON, Idempotency_Key="request-1")
    assert first[0] == 200 and not first[1]["repeated"]
    assert server.post("orders", {"id": 3})[0] == 200
    server.kill()
    server.start()
    again = server.post("orders", b'{"id":1}\n{"id":2}\n', NDJSON, Idempotency_Key="request-1")
    assert again == (200, first[1] | {"repeated": True})
    status, problem = server.post("orders", b'{"id":1}\n{"id":9}\n', NDJSON, Idempotency_Key="request-1")
    assert status == 422 and "another request" in problem["detail"]
    assert server.post("orders", {"id": 4}, Idempotency_Key="request-2")[0] == 200
    assert sorted(row["id"] for row in read_back(case, server, "orders")) == [1, 2, 3, 4]


def test_a_full_disk_stores_nothing_and_passes(case, edge):
    """Room is made before anything is written, so a file that may not grow is what a full disk is."""
    server = edge('[[stream]]\nname = "orders"\nsegment = "64 kb"\n')
    subprocess.run(["prlimit", f"--pid={server.process.pid}", f"--fsize={100 << 10}:"], check=True)
    small, large = (b"".join(b'{"id":%d,"pad":"%s"}\n' % (number, b"x" * 1000) for number in range(events))
                    for events in (10, 200))
    for _ in range(20):  # over several segments
        assert server.post("orders", small, NDJSON)[0] == 200
        status, problem = server.post("orders", large, NDJSON, Idempotency_Key="large")
        assert status == 503 and "nothing of this request is stored" in problem["detail"]
    assert count(server, "orders") == 200
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=unlimited:"], check=True)
    assert server.post("orders", large, NDJSON, Idempotency_Key="large")[1]["repeated"] is False
    found = read_back(case, server, "orders")
    assert [row["id"] for row in found] == [*range(10)] * 20 + [*range(200)]


def test_rates(edge):
    server = edge('[[stream]]\nname = "orders"\nrate.events = 3\n')
    taken = [server.post("orders", {"id": number})[0] for number in range(20)]
    assert taken[:3] == [200, 200, 200] and 429 in taken
    assert count(server, "orders") == taken.count(200)
    status, _ = curl(server, "-D", "headers", "-H", f"Content-Type: {NDJSON}", "--data-binary", "1\n2\n3\n",
                     f"{server.url}/v1/events/orders")
    assert status == 429 and re.search(r"Retry-After: [1-9]", (server.folder / "headers").read_text())


def test_https(edge, tmp_path):
    made = make_certificates(tmp_path)
    server = edge(server=f'tls-cert = "{made["server_cert"]}"\ntls-key = "{made["server_key"]}"')
    trust = ssl.create_default_context(cafile=made["ca"])
    request = urllib.request.Request(f"https://localhost:{server.port}/v1/events/orders", b'{"id":1}',
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
        assert json.loads(answer.read())["events"] == 1
    assert raw(server, b"GET / HTTP/1.1\r\n\r\n", half_close=True)[:5] != b"HTTP/"


def test_says_what_is_wrong_with_the_file(weir, tmp_path):
    file = tmp_path / "weir.toml"
    file.write_text('[server]\nlisen = "127.0.0.1:0"\n[[stream]]\nname = "a"\npartitions = "two"\n')
    refused = weir.run(["serve", "--config", file], cwd=tmp_path, expect=2)
    assert f"{file}:2:1: error: [server] has no option 'lisen'. Did you mean 'listen'?" in refused.stderr
    assert f"{file}:5:14: error:" in refused.stderr
    assert "No such file" in weir.run(["serve", "--config", tmp_path / "none"], cwd=tmp_path, expect=2).stderr


def test_one_server_a_folder(weir, edge):
    server = edge('[[stream]]\nname = "orders"\n')
    second = server.folder / "second.toml"
    second.write_text(server.file.read_text().replace(str(server.port), "0"))
    refused = weir.run(["serve", "--config", second], cwd=server.folder, expect=1)
    assert "is held by process" in refused.stderr


def test_the_docs_have_every_option(weir):
    """`weir serve --options` prints what docs/edge.md ends with."""
    docs = (Path(__file__).parent.parent.parent / "docs" / "edge.md").read_text()
    tables = weir.run(["serve", "--options"]).stdout
    assert tables.count("\n|") > 30 and docs.endswith(tables.rstrip() + "\n")
