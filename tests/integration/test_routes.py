"""Events posted to `weir serve`, routed to JetStream, Kafka and the log; and those that no route takes."""

import asyncio
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from case import rows, with_jetstream
from edge import Edge
from nats import connect

EVENTS = b'{"n":1}\n{"n":2}\n{"n":3}\n'


@pytest.fixture
def edge(weir, tmp_path):
    """edge(config) starts `weir serve` and ends it after the test."""
    started = []

    def start(config, server="", errors=None):
        started.append(Edge(weir, tmp_path / f"edge{len(started)}", config, server, errors).start())
        return started[-1]
    yield start
    for each in started:
        each.kill()


@pytest.fixture
def stream():
    """A stream's name that no other test has."""
    stream.count = getattr(stream, "count", 0) + 1
    return f"R{stream.count}"


def make_stream(url, stream, **config):
    with_jetstream(url, lambda js: js.add_stream(name=stream, subjects=[f"{stream}.>"], **config))


def stored(url, stream):
    """All messages: (sequence, subject, payload, headers)."""
    async def read(js):
        last = (await js.stream_info(stream)).state.last_seq
        found = [await js.get_msg(stream, sequence) for sequence in range(1, last + 1)]
        return [(message.seq, message.subject, message.data, message.headers or {}) for message in found]
    return with_jetstream(url, read)


def nats_target(url, stream, subject="{stream}", more=""):
    return (f'[[target]]\nname = "n"\nconnector = "nats"\nurl = "{url}"\nstream = "{stream}"\n'
            f'subject = "{stream}.{subject}"\n{more}\n')


def kafka_target(bootstrap, topic, more=""):
    return (f'[[target]]\nname = "k"\nconnector = "kafka"\nproperties.bootstrap.servers = "{bootstrap}"\n'
            f'topic = "{topic}"\n{more}\n')


def route(to, **conditions):
    return "[[route]]\n" + "".join(f'{name.replace("__", ".")} = "{value}"\n' for name, value in conditions.items()
                                   ) + f'to = "{to}"\n'


def of_type(kind, **attributes):
    return {"ce_specversion": "1.0", "ce_type": kind, "ce_source": "/s"} | {
        f"ce_{name}": value for name, value in attributes.items()}


def test_routes_by_stream_type_header_and_subject(edge, shared_nats, kafka, stream, topic):
    make_stream(shared_nats.url, stream)
    kafka.create_topic(topic, partitions=2)
    server = edge(nats_target(shared_nats.url, stream, "{stream}.{type}") + kafka_target(kafka.bootstrap, topic)
                  + route("kafka:k", stream="orders*", type="com.x.*")
                  + route("nats:n", **{"header.ce-region": "eu*"})
                  + route("nats:n", subject="made.>")
                  + route("log:rest", stream="orders"))

    status, answer = server.post("orders-1", {"n": 1}, **of_type("com.x.sold", id="1", subject="c7"),
                                 Weir_Key="customer-7")
    assert (status, answer["routed"]) == (200, True)
    (position,) = answer["positions"]
    (message,) = kafka.read(topic)
    assert position == {"target": "kafka:k", "partition": message.partition(), "first": message.offset(),
                        "last": message.offset()}
    assert json.loads(message.value()) == {"n": 1} and message.key() == b"customer-7"
    headers = dict(message.headers())
    assert headers["ce-type"] == b"com.x.sold" and headers["weir-stream"] == b"orders-1"
    assert headers["ce-subject"] == b"c7" and headers["content-type"] == b"application/json"

    status, answer = server.post("pay", {"n": 2}, **of_type("x", id="2", region="eu-west"))
    assert answer["positions"] == [{"target": "nats:n", "partition": 0, "first": 1, "last": 1}]
    status, answer = server.post("pay", {"n": 3}, **of_type("made.a", id="3"), Nats_Rollup="all")
    assert answer["positions"] == [{"target": "nats:n", "partition": 0, "first": 2, "last": 2}]
    first, second = stored(shared_nats.url, stream)
    assert first[:2] == (1, f"{stream}.pay.x") and json.loads(first[2]) == {"n": 2}
    assert first[3]["ce-region"] == "eu-west" and first[3]["weir-stream"] == "pay"
    assert second[1] == f"{stream}.pay.made.a" and "Nats-Rollup" not in second[3]

    status, answer = server.post("orders", {"n": 4}, **of_type("y", id="4"))
    assert answer["positions"][0]["target"] == "log:rest"
    # One request, three targets.
    batch = [{"specversion": "1.0", "id": str(n), "source": "/b", "type": kind, "data": {"n": n}}
             for n, kind in enumerate(["com.x.a", "made.b", "other", "com.x.c"])]
    status, answer = server.post("orders", batch, "application/cloudevents-batch+json")
    assert status == 200 and answer["events"] == 4
    assert {position["target"] for position in answer["positions"]} == {"kafka:k", "nats:n", "log:rest"}
    assert len(kafka.read(topic)) == 3 and len(stored(shared_nats.url, stream)) == 3


def test_a_repeated_key_stores_nothing_again(edge, shared_nats, kafka, stream, topic):
    make_stream(shared_nats.url, stream)
    kafka.create_topic(topic)
    server = edge(nats_target(shared_nats.url, stream) + kafka_target(kafka.bootstrap, topic)
                  + route("nats:n", stream="a") + route("kafka:k", stream="b"))
    for name in ("a", "b"):
        first = server.post(name, EVENTS, "application/x-ndjson", Idempotency_Key="k1")
        assert first[0] == 200 and not first[1]["repeated"]
        again = server.post(name, EVENTS, "application/x-ndjson", Idempotency_Key="k1")
        assert again == (200, first[1] | {"repeated": True})
        server.kill()
        server.start()
        assert server.post(name, EVENTS, "application/x-ndjson", Idempotency_Key="k1") == again
        assert server.post(name, b'{"n":9}', Idempotency_Key="k1")[0] == 422
        assert server.post(name, EVENTS, "application/x-ndjson", Idempotency_Key="k2")[1]["repeated"] is False
    assert [message[2] for message in stored(shared_nats.url, stream)] == EVENTS.split() * 2
    assert kafka.values(topic) == EVENTS.split() * 2


def test_a_cloud_event_that_comes_twice_is_stored_once_by_jetstream(edge, shared_nats, stream):
    make_stream(shared_nats.url, stream)
    server = edge(nats_target(shared_nats.url, stream) + route("nats:n"))
    for repeated in (False, True):
        status, answer = server.post("a", {"n": 1}, **of_type("x", id="7"))
        assert (status, answer["repeated"]) == (200, repeated)
    assert server.post("a", {"n": 1}, **of_type("x", id="8"))[1]["repeated"] is False
    assert len(stored(shared_nats.url, stream)) == 2


def test_a_cloud_event_in_two_streams_is_two_events(edge, shared_nats, stream):
    make_stream(shared_nats.url, stream)
    server = edge(nats_target(shared_nats.url, stream) + route("nats:n"))
    for name in ("orders", "audit"):
        status, answer = server.post(name, {"n": 1}, **of_type("x", id="7"))
        assert (status, answer["repeated"]) == (200, False)
    assert len(stored(shared_nats.url, stream)) == 2


def test_another_service_that_answers_settles_nothing(edge, shared_nats, stream):
    make_stream(shared_nats.url, stream)
    server = edge(nats_target(shared_nats.url, stream, "in") + route("nats:n"))
    answers = [b'{"error":"nope"}', b'{"seq":"1"}', b'{"error":{"err_code":"x"}', b'{"ok":true}', b"pong", b"[]"]

    async def posts():
        connection = await connect(shared_nats.url)

        async def answer(message):
            for each in answers:
                await connection.publish(message.reply, each)

        await connection.subscribe(f"{stream}.in", cb=answer)
        await connection.flush()
        loop = asyncio.get_running_loop()
        done = [await loop.run_in_executor(None, lambda: server.post("a", {"n": 1})) for _ in range(5)]
        await connection.close()
        return done

    assert [status for status, _ in asyncio.run(posts())] == [200] * 5
    assert len(stored(shared_nats.url, stream)) == 5


@pytest.mark.parametrize("point", ["edge.after_begun:1", "edge.before_done:1"])
def test_killed_in_the_middle_of_a_request(weir, tmp_path, shared_nats, stream, point, monkeypatch):
    make_stream(shared_nats.url, stream)
    server = Edge(weir, tmp_path / "edge", nats_target(shared_nats.url, stream) + route("nats:n"))
    monkeypatch.setenv("WEIR_CRASH_POINT", point)
    with server:
        with pytest.raises(OSError):
            server.post("a", EVENTS, "application/x-ndjson", Idempotency_Key="k")
        server.process.wait(10)
        monkeypatch.delenv("WEIR_CRASH_POINT")
        server.process.stdout.close()
        server.start()
        status, answer = server.post("a", EVENTS, "application/x-ndjson", Idempotency_Key="k")
        assert status == 200
        assert answer["positions"] == [{"target": "nats:n", "partition": 0, "first": 1, "last": 3}]
        # JetStream says so when it had them.
        assert answer["repeated"] is (point == "edge.before_done:1")
    assert [message[2] for message in stored(shared_nats.url, stream)] == EVENTS.split()


def test_a_broker_that_is_away_and_comes_back(edge, nats, stream, eventually):
    make_stream(nats.url, stream)
    server = edge(nats_target(nats.url, stream, more='timeout = "2 s"') + route("nats:n"))
    assert server.post("a", {"n": 1}, Idempotency_Key="1")[0] == 200
    nats.kill9()
    status, answer = server.post("a", {"n": 2}, Idempotency_Key="2")
    assert status == 503 and "repeat" in answer["detail"]
    nats.restart()
    assert eventually(lambda: server.post("a", {"n": 2}, Idempotency_Key="2")[0] == 200)
    # Away when the server starts is the same.
    nats.kill9()
    server.kill()
    server.start()
    assert server.post("a", {"n": 3}, Idempotency_Key="3")[0] == 503
    nats.restart()
    assert eventually(lambda: server.post("a", {"n": 3}, Idempotency_Key="3")[0] == 200)
    assert [json.loads(message[2])["n"] for message in stored(nats.url, stream)] == [1, 2, 3]


def test_a_broker_that_answers_too_late(edge, nats, stream, eventually):
    make_stream(nats.url, stream)
    server = edge(nats_target(nats.url, stream, more='timeout = "500 ms"') + route("nats:n"))
    assert server.post("a", {"n": 1}, Idempotency_Key="1")[0] == 200
    nats.pause()
    status, answer = server.post("a", EVENTS, "application/x-ndjson", Idempotency_Key="2")
    assert status == 503 and "did not answer in time" in answer["detail"]
    nats.resume()
    assert eventually(lambda: server.post("a", EVENTS, "application/x-ndjson", Idempotency_Key="2")[0] == 200)
    assert len(stored(nats.url, stream)) == 4


def test_kafka_that_is_away_and_comes_back(edge, kafka, topic, eventually):
    kafka.create_topic(topic)
    server = edge(kafka_target(kafka.bootstrap, topic, 'timeout = "1 s"') + route("kafka:k"))
    assert server.post("a", {"n": 1}, Idempotency_Key="1")[0] == 200
    kafka.pause()
    try:
        status, answer = server.post("a", {"n": 2}, Idempotency_Key="2")
    finally:
        kafka.resume()
    assert status == 503 and topic in answer["detail"]
    assert eventually(lambda: server.post("a", {"n": 2}, Idempotency_Key="2")[0] == 200)
    assert server.post("a", {"n": 3}, Idempotency_Key="3")[0] == 200
    # An event whose report never came may be there twice, under one id; no other is.
    events = [(json.loads(message.value())["n"], dict(message.headers())["weir-event-id"])
              for message in kafka.read(topic)]
    assert [number for number, _ in events if number != 2] == [1, 3]
    assert {number for number, _ in events} == {1, 2, 3} and len(events) <= 4 and len(set(events)) == 3


def test_what_the_broker_refuses_says_why(edge, shared_nats, kafka, stream, topic, eventually):
    make_stream(shared_nats.url, stream, max_msg_size=100)
    server = edge(nats_target(shared_nats.url, stream) + kafka_target(kafka.bootstrap, topic, 'timeout = "1 s"')
                  + route("kafka:k", stream="k") + route("nats:n", stream="n"))
    status, answer = server.post("n", {"text": "x" * 200})
    assert status == 413 and "message size exceeds" in answer["detail"]
    status, answer = server.post("k", {"n": 1}, Idempotency_Key="k")
    assert status == 503 and topic in answer["detail"] and '"n"' not in answer["detail"]
    kafka.create_topic(topic)
    assert eventually(lambda: server.post("k", {"n": 1}, Idempotency_Key="k")[0] == 200)
    assert [json.loads(value) for value in kafka.values(topic)] == [{"n": 1}]
    # A stream that is full stores nothing, one that is not there neither.
    full = f"{stream}F"
    make_stream(shared_nats.url, full, max_msgs=1, discard="new")
    other = edge(nats_target(shared_nats.url, full) + route("nats:n"))
    assert other.post("a", {"n": 1})[0] == 200
    status, answer = other.post("a", {"n": 2})
    assert status == 503 and "maximum messages exceeded" in answer["detail"]
    missing = edge(nats_target(shared_nats.url, "NoSuch") + route("nats:n"))
    status, answer = missing.post("a", {"n": 1})
    assert status == 503 and "no stream takes this subject" in answer["detail"]


def test_a_type_never_becomes_another_subject(edge, shared_nats, stream):
    make_stream(shared_nats.url, stream)
    server = edge(nats_target(shared_nats.url, stream, "{type}.{subject}") + route("nats:n"))
    for number, (kind, subject) in enumerate([("a.*.>", "x y"), ("$JS.API.STREAM.DELETE", "../../etc"), ("..", "b")]):
        assert server.post("a", {"n": 1}, **of_type(kind, id=str(number), subject=subject))[0] == 200
    subjects = [message[1] for message in stored(shared_nats.url, stream)]
    assert subjects == [f"{stream}.a._._.x_y", f"{stream}._JS.API.STREAM.DELETE._._._._._etc", f"{stream}._._._.b"]


DECLARED = '[[stream]]\nname = "known"\n'


def unrouted(server):
    return rows(server.errors_path / "_edge" / "unrouted")


def counts(done):
    return {name: int(value) for name, value in (pair.split("=") for pair in done.stdout.split())}


def test_unrouted_events_are_kept_and_replayed_by_todays_routes(edge, shared_nats, stream, eventually):
    make_stream(shared_nats.url, stream)
    server = edge(DECLARED)
    status, answer = server.post("lost", EVENTS, "application/x-ndjson", Idempotency_Key="k")
    assert (status, answer["routed"], answer["unrouted"]) == (202, False, 3)
    assert server.post("lost", EVENTS, "application/x-ndjson", Idempotency_Key="k")[1]["repeated"] is True
    assert server.post("lost", {"n": 4}, **of_type("x.y", id="4"), Weir_Key="customer")[0] == 202
    assert eventually(lambda: len(unrouted(server)) == 4)
    found = sorted(unrouted(server), key=lambda row: row["offset"])
    assert [json.loads(row["payload"])["n"] for row in found] == [1, 2, 3, 4]
    assert {row["code"] for row in found} == {"unrouted"}
    assert found[3]["subject"] == "x.y" and found[3]["key"] == b"customer"
    assert json.loads(found[3]["headers"])["weir-stream"] == "lost"

    assert counts(server.errors("replay")) == {"replayed": 4, "resolved": 0, "failed": 4}
    listed = server.errors("list", "--code", "unrouted", "--format", "json").stdout.splitlines()
    assert len(listed) == 4
    server.stop()
    server.config += nats_target(shared_nats.url, stream, "{stream}.{type}") + route("nats:n", stream="lost")
    server.start()
    one = json.loads(listed[0])["id"]
    assert counts(server.errors("replay", "--id", one)) == {"replayed": 1, "resolved": 1, "failed": 0}
    assert counts(server.errors("replay")) == {"replayed": 3, "resolved": 3, "failed": 0}
    assert counts(server.errors("replay")) == {"replayed": 0, "resolved": 0, "failed": 0}
    assert counts(server.errors("count")) == {"unresolved": 0, "resolved": 4, "total": 4}
    messages = stored(shared_nats.url, stream)
    assert sorted(json.loads(message[2])["n"] for message in messages) == [1, 2, 3, 4]
    (typed,) = [message for message in messages if json.loads(message[2])["n"] == 4]
    assert typed[1] == f"{stream}.lost.x.y" and typed[3]["ce-id"] == "4" and typed[3]["weir-key"] == "customer"


def test_a_replay_that_is_killed_or_runs_without_the_server_stores_once(edge, weir, eventually):
    server = edge(DECLARED)
    server.post("lost", EVENTS, "application/x-ndjson")
    server.kill()  # before the mover had a chance, or after: replay moves what is left
    server.config += route("log:found", stream="lost")
    server.write()
    for point in ("replay.after_lake:1", "replay.before_note:1", "replay.after_resolved:1"):
        process = weir.start(["errors", "replay", server.file], cwd=server.folder,
                             env={"WEIR_CRASH_POINT": point}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert process.wait(60) == -9
    assert counts(server.errors("replay")) == {"replayed": 0, "resolved": 0, "failed": 0}
    assert counts(server.errors("count")) == {"unresolved": 0, "resolved": 3, "total": 3}
    server.start()
    (position,) = server.post("lost", {"n": 4})[1]["positions"]
    assert (position["target"], position["first"]) == ("log:found", 3)


def test_the_error_lake_that_is_away_holds_nobody_up(edge, eventually):
    server = edge(DECLARED)
    server.errors_path.write_text("in the way")
    assert server.post("lost", {"n": 1})[0] == 202
    log = server.folder / "serve.log"
    assert eventually(lambda: "wait for the error lake" in log.read_text())
    assert server.post("lost", {"n": 2})[0] == 202
    server.errors_path.unlink()
    assert eventually(lambda: len(unrouted(server)) == 2)
    server.stop()
    server.start()
    server.post("lost", {"n": 3})
    assert eventually(lambda: len(unrouted(server)) == 3)


def test_the_error_lake_on_s3(edge, minio, bucket, eventually):
    server = edge(DECLARED, f's3.endpoint = "{minio.url}"\ns3.access-key = "{minio.access_key}"\n'
                            f's3.secret-key = "{minio.secret_key}"', errors=f"s3://{bucket}/errors")
    assert server.post("lost", EVENTS, "application/x-ndjson")[0] == 202
    assert eventually(lambda: counts(server.errors("count"))["unresolved"] == 3)
    server.stop()
    server.config += route("log:found", stream="lost")
    server.write()
    assert counts(server.errors("replay")) == {"replayed": 3, "resolved": 3, "failed": 0}
    assert counts(server.errors("count")) == {"unresolved": 0, "resolved": 3, "total": 3}


def test_a_replay_needs_the_servers_token(edge, weir, eventually):
    server = edge(DECLARED, 'tokens = ["secret-1"]')
    assert server.post("lost", {"n": 1}, Authorization="Bearer secret-1")[0] == 202
    assert counts(server.errors("replay"))["failed"] == 1
    stranger = server.folder / "stranger.toml"
    stranger.write_text(f'[server]\ndata = "{server.folder / "none"}"\n')
    done = weir.run(["errors", "replay", stranger, "--url", server.url], cwd=server.folder, expect=3)
    assert "401" in done.stderr


def test_many_clients_at_once(edge, shared_nats, stream):
    """Requests of many clients at once, each with its own key: all are stored, each once, each in its order."""
    make_stream(shared_nats.url, stream)
    server = edge(nats_target(shared_nats.url, stream) + route("nats:n"))

    def send(client):
        for number in range(20):
            body = "".join(f'{{"c":{client},"n":{number * 5 + i}}}\n' for i in range(5)).encode()
            assert server.post("a", body, "application/x-ndjson", Idempotency_Key=f"{client}-{number}")[0] == 200
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    events = [json.loads(message[2]) for message in stored(shared_nats.url, stream)]
    for client in range(8):
        assert [event["n"] for event in events if event["c"] == client] == list(range(100))
