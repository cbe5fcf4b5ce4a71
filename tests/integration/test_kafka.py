"""The Kafka source and sink against a real broker: starts, transactions, what is gone, log-ins, workers that share."""

import json
import time
from datetime import datetime, timezone

import pytest
from case import COLUMNS, column, event, events, rows
from servers import KafkaServer, make_certificates


def table(server, topic, options="", bootstrap=None, form="json"):
    return (f"'connector'='kafka', 'topic'='{topic}', 'format'='{form}', "
            f"'properties.bootstrap.servers'='{bootstrap or server.bootstrap}'{options}")


def is_refused(case, file, env=None):
    """Exit 3 by both commands; returns what they said."""
    check = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3, env=env, timeout_s=30)
    run = case.once(file, expect=3, env=env, timeout_s=30)
    return check.stdout + check.stderr + run.stdout + run.stderr


# ---- reading --------------------------------------------------------------------------------------------------------


def test_all_partitions_once_and_again(case, kafka, topic):
    kafka.create_topic(topic, 3)
    kafka.produce(topic, [{"value": event(n), "partition": n % 3} for n in range(1, 61)])
    file = case.pipeline(table(kafka, topic))
    case.weir.run(["check", "--connect", file], cwd=case.folder)
    case.once(file)
    case.once(file)
    assert case.ids() == list(range(1, 61))
    kafka.produce(topic, [{"value": event(n), "partition": n % 3} for n in range(61, 71)])
    case.once(file)
    assert case.ids() == list(range(1, 71))
    assert all(name.startswith(f"{topic}:") for name in column(case.lake, "_weir_partition"))


def test_metadata(case, kafka, topic):
    kafka.create_topic(topic)
    at = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=timezone.utc)
    kafka.produce(topic, [
        {"value": event(1), "key": b"k1", "timestamp": int(at.timestamp() * 1000),
         "headers": [("trace", b"a"), ("trace", b"b"), ("odd", b"\xff\x00"), ("none", None)]},
        {"value": event(2)}])
    columns = (f"{COLUMNS}, part STRING METADATA FROM 'partition', off BIGINT METADATA FROM 'offset', "
               "topic STRING METADATA FROM 'topic', k STRING METADATA FROM 'key', "
               "h MAP<STRING, STRING> METADATA FROM 'headers', ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'")
    case.once(case.pipeline(table(kafka, topic), columns=columns))
    first, second = sorted(rows(case.lake), key=lambda row: row["id"])
    assert (first["off"], first["topic"], first["k"], first["ts"]) == (0, topic, "k1", at)
    assert first["part"].startswith(f"{topic}:") and first["part"].endswith("/0")
    assert dict(first["h"]) == {"trace": "b", "odd": "base64:/wA=", "none": None}
    assert second["k"] is None and second["h"] is None


def test_a_key_that_is_no_text(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, [{"value": event(1), "key": b"k1"}, {"value": event(2), "key": b"\xff\xfe"},
                          {"value": event(3)}])
    case.once(case.pipeline(table(kafka, topic), columns=f"{COLUMNS}, k STRING METADATA FROM 'key'"))
    assert sorted((row["id"], row["k"]) for row in rows(case.lake)) == [(1, "k1"), (3, None)]
    (error,) = case.error_rows()
    assert error["code"] == "invalid_utf8" and "METADATA 'key'" in error["message"]
    assert error["offset"] == 1 and error["payload"] == event(2)
    lake = case.folder / "bytes"
    case.once(case.pipeline(table(kafka, topic), columns=f"{COLUMNS}, k BYTES METADATA FROM 'key'", file="bytes.sql",
                            lake=lake))
    assert sorted((row["id"], row["k"]) for row in rows(lake)) == [(1, b"k1"), (2, b"\xff\xfe"), (3, None)]


def test_start_modes(case, kafka, topic):
    kafka.create_topic(topic, 2)
    first_ms = int(time.time() * 1000) - 100_000  # retention removes what is old
    kafka.produce(topic, [{"value": event(n), "partition": n % 2, "timestamp": first_ms + n} for n in range(1, 11)])

    def read(name, options):
        file = case.pipeline(table(kafka, topic, options), file=f"{name}.sql", lake=case.folder / name)
        case.once(file)
        return file, case.ids(case.folder / name) if (case.folder / name / "_delta_log").exists() else []

    assert read("earliest", "")[1] == list(range(1, 11))
    assert read("time", f", 'scan.startup.mode'='timestamp', 'scan.startup.timestamp-millis'='{first_ms + 7}'")[1] \
        == [7, 8, 9, 10]
    assert read("specific", ", 'scan.startup.mode'='specific-offsets', "
                            "'scan.startup.specific-offsets'='partition:0,offset:4;partition:1,offset:3'")[1] \
        == [7, 9, 10]
    file, latest = read("latest", ", 'scan.startup.mode'='latest-offset'")
    assert latest == []
    # Where it began is kept although nothing was read: what comes between two runs is not lost.
    kafka.produce(topic, [{"value": event(11), "partition": 1}])
    case.once(file)
    assert case.ids(case.folder / "latest") == [11]


@pytest.mark.parametrize("options", [
    ", 'scan.startup.mode'='latest-offset'",
    ", 'scan.startup.mode'='timestamp', 'scan.startup.timestamp-millis'='4102444800000'"])  # nothing is behind it
def test_the_start_on_an_empty_topic_is_kept(case, kafka, topic, options):
    kafka.create_topic(topic, 2)
    file = case.pipeline(table(kafka, topic, options))
    case.once(file)
    kafka.produce(topic, [{"value": event(n), "partition": n % 2} for n in range(1, 11)])
    case.once(file)
    assert case.ids() == list(range(1, 11))
    case.once(file)
    assert case.ids() == list(range(1, 11))


def test_aborted_transactions_never_arrive(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.transaction(topic, events(1, 5))
    kafka.transaction(topic, events(100, 150), end="abort")
    kafka.transaction(topic, events(6, 8))
    file = case.pipeline(table(kafka, topic))
    case.once(file)
    assert case.ids() == list(range(1, 9))
    open_transaction = kafka.transaction(topic, events(9, 10), end="open")
    kafka.produce(topic, events(11, 11))
    case.once(file)
    assert case.ids() == list(range(1, 9)), "nothing beyond the last stable offset"
    open_transaction.commit_transaction(30)
    case.once(file)
    assert case.ids() == list(range(1, 12))
    everything = case.pipeline(table(kafka, topic, ", 'properties.isolation.level'='read_uncommitted'"),
                               file="all.sql", lake=case.folder / "all")
    case.once(everything)
    assert len(case.ids(case.folder / "all")) == 11 + 51


def test_a_compacted_topic_has_gaps(case, kafka, topic):
    kafka.create_topic(topic, cleanup_policy="compact", segment_ms=100, min_cleanable_dirty_ratio=0.01,
                       min_compaction_lag_ms=0, max_compaction_lag_ms=200)
    kafka.produce(topic, [{"key": b"same", "value": event(n)} for n in range(1, 51)])
    file = case.pipeline(table(kafka, topic))
    deadline = time.monotonic() + 60
    while len(kafka.read(topic)) > 10:
        assert time.monotonic() < deadline, "the broker does not compact"
        time.sleep(0.5)
        kafka.produce(topic, [{"key": b"other", "value": event(1000)}])
    left = sorted(json.loads(message.value())["id"] for message in kafka.read(topic))
    case.once(file)
    assert case.ids() == left


def test_tombstones(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, [{"key": b"k", "value": event(1)}, {"key": b"k", "value": None}, {"value": event(2)}])
    file = case.pipeline(table(kafka, topic))
    case.once(file)
    assert case.ids() == [1, 2]
    [error] = case.error_rows()
    assert "tombstone" in error["message"] and "scan.tombstones" in error["message"]
    skipping = case.pipeline(table(kafka, topic, ", 'scan.tombstones'='skip'"), file="skip.sql",
                             lake=case.folder / "skip")
    case.once(skipping)
    assert case.ids(case.folder / "skip") == [1, 2]
    assert case.error_rows("skip") == [] if (case.folder / "errors" / "skip" / "events").exists() else True


def test_raw_bytes(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, [b"\xff\x00", b""])
    case.once(case.pipeline(table(kafka, topic, form="raw"), columns="payload BYTES"))
    assert sorted(column(case.lake, "payload")) == [b"", b"\xff\x00"]


def test_a_large_message_arrives(case, kafka, topic):
    kafka.create_topic(topic, max_message_bytes=4_000_000)
    kafka.produce(topic, [event(1, name="x" * 3_000_000), event(2)], message_max_bytes=4_000_000)
    case.once(case.pipeline(table(kafka, topic, ", 'json.max-size'='8 mb'")))
    assert case.ids() == [1, 2]


def test_topics_by_pattern_and_growth(case, kafka, topic, running, eventually):
    kafka.create_topic(f"{topic}.a")
    kafka.produce(f"{topic}.a", events(1, 5))
    source = (f"'connector'='kafka', 'topic-pattern'='{topic}[.].*', 'format'='json', "
              f"'properties.bootstrap.servers'='{kafka.bootstrap}', "
              "'scan.topic-partition-discovery.interval'='200 ms'")
    file = case.pipeline(source)
    process = running(file)
    eventually(lambda: case.ids() == [1, 2, 3, 4, 5], 30)
    kafka.add_partitions(f"{topic}.a", 2)
    kafka.produce(f"{topic}.a", [{"value": event(6), "partition": 1}])
    kafka.create_topic(f"{topic}.b")
    kafka.produce(f"{topic}.b", events(7, 8))
    eventually(lambda: case.ids() == [1, 2, 3, 4, 5, 6, 7, 8], 30, "a new partition and a new topic")
    assert process.poll() is None


# ---- what is gone ---------------------------------------------------------------------------------------------------


def test_a_recreated_topic_is_refused(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, events(1, 5))
    file = case.pipeline(table(kafka, topic))
    case.once(file)
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, events(1, 9))
    said = case.once(file, expect=1).stderr
    assert "deleted and created again" in said
    assert case.ids() == [1, 2, 3, 4, 5]


def test_removed_events_are_told(case, kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, events(1, 5))
    file = case.pipeline(table(kafka, topic))
    case.once(file)
    kafka.produce(topic, events(6, 20))
    kafka.delete_records(topic, 10)
    said = case.once(file, expect=1).stderr
    assert "offset 5" in said and "begins at 10" in said and "scan.on-gap" in said
    case.once(case.pipeline(table(kafka, topic, ", 'scan.on-gap'='continue'")))
    assert case.ids() == [1, 2, 3, 4, 5, *range(11, 21)]


def test_a_missing_topic_names_a_near_one(case, kafka, topic):
    kafka.create_topic(topic)
    said = is_refused(case, case.pipeline(table(kafka, topic + "x")))
    assert f"'{topic}x' does not exist" in said and f"'{topic}'" in said


# ---- log-ins --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    certificates = make_certificates(folder / "certs")
    with KafkaServer(folder / "kafka", users={"weir": "p4ss-w0rd"}, tls=certificates) as server:
        server.certificates = certificates
        yield server


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_password(case, secured, topic, mechanism):
    secured.create_topic(topic)
    secured.produce(topic, events(1, 5))
    options = (f", 'properties.security.protocol'='SASL_PLAINTEXT', 'properties.sasl.mechanism'='{mechanism}', "
               "'properties.sasl.username'='weir', 'properties.sasl.password'='${env:SECRET}'")
    file = case.pipeline(table(secured, topic, options, secured.sasl_bootstrap))
    case.weir.run(["check", "--connect", file], cwd=case.folder, env={"SECRET": "p4ss-w0rd"})
    case.once(file, env={"SECRET": "p4ss-w0rd"})
    assert case.ids() == [1, 2, 3, 4, 5]
    assert "wr0ng-secret" not in is_refused(case, file, env={"SECRET": "wr0ng-secret"})


def test_token(case, secured, topic):
    secured.create_topic(topic)
    secured.produce(topic, events(1, 5))
    options = (", 'properties.security.protocol'='SASL_PLAINTEXT', 'properties.sasl.mechanism'='OAUTHBEARER', "
               "'properties.enable.sasl.oauthbearer.unsecure.jwt'='true', "
               "'properties.sasl.oauthbearer.config'='principal=weir'")
    case.once(case.pipeline(table(secured, topic, options, secured.sasl_bootstrap)))
    assert case.ids() == [1, 2, 3, 4, 5]


def test_tls(case, secured, topic):
    secured.create_topic(topic)
    secured.produce(topic, events(1, 5))
    ca = f", 'properties.ssl.ca.location'='{secured.certificates['ca']}'"
    case.once(case.pipeline(table(secured, topic, ", 'properties.security.protocol'='SSL'" + ca,
                                  secured.ssl_bootstrap)))
    assert case.ids() == [1, 2, 3, 4, 5]
    both = (", 'properties.security.protocol'='SASL_SSL', 'properties.sasl.mechanism'='PLAIN', "
            "'properties.sasl.username'='weir', 'properties.sasl.password'='p4ss-w0rd'" + ca)
    case.once(case.pipeline(table(secured, topic, both, secured.sasl_ssl_bootstrap), file="both.sql",
                            lake=case.folder / "both"))
    assert case.ids(case.folder / "both") == [1, 2, 3, 4, 5]
    untrusted = case.pipeline(table(secured, topic, ", 'properties.security.protocol'='SSL'", secured.ssl_bootstrap),
                              file="untrusted.sql")
    assert "properties.ssl" in is_refused(case, untrusted)


# ---- a broker that goes, workers that share --------------------------------------------------------------------------


def test_the_broker_is_killed_and_comes_back(case, tmp_path, running, eventually):
    with KafkaServer(tmp_path / "kafka") as server:
        server.create_topic("t", 2)
        server.produce("t", [{"value": event(n), "partition": n % 2} for n in range(1, 101)])
        process = running(case.pipeline(table(server, "t", ", 'properties.reconnect.backoff.max.ms'='500'")))
        eventually(lambda: len(case.ids()) == 100, 30)
        server.kill9()
        time.sleep(1)
        server.restart()
        server.produce("t", [{"value": event(n), "partition": n % 2} for n in range(101, 151)])
        eventually(lambda: case.ids() == list(range(1, 151)), 60, "the rest, once")
        assert process.poll() is None


def test_workers_share_a_group_and_one_is_killed(case, kafka, topic, running, eventually):
    kafka.create_topic(topic, 6)
    settings = {"pipeline.workers": "several"}
    options = (f", 'properties.group.id'='g-{topic}', 'properties.session.timeout.ms'='2000', "
               "'properties.heartbeat.interval.ms'='200'")
    file = case.pipeline(table(kafka, topic, options), settings=settings)
    count = 0

    def produce(more):
        nonlocal count
        kafka.produce(topic, [{"value": event(n), "partition": n % 6} for n in range(count + 1, count + more + 1)])
        count += more

    produce(600)
    workers = [running(file)]
    eventually(lambda: len(case.ids()) >= 600, 60, "the first worker alone")
    workers += [running(file), running(file)]
    for _ in range(10):
        produce(120)
        time.sleep(0.3)
    eventually(lambda: kafka.members(f"g-{topic}")[0] == 3, 60, "three members")
    produce(600)
    workers[0].kill()
    for _ in range(10):
        produce(120)
        time.sleep(0.3)
    eventually(lambda: len(case.ids()) >= count, 90, "the others take its partitions")
    time.sleep(1)
    assert case.ids() == list(range(1, count + 1)), "nothing lost, nothing twice"
    eventually(lambda: sum(filter(None, kafka.committed(f"g-{topic}", topic).values())) == count, 30,
               "the group's offsets, for tools that watch its lag")


# ---- writing --------------------------------------------------------------------------------------------------------


def test_rows_become_messages(case, kafka, topic):
    kafka.create_topic(topic, 3)
    source = case.folder / "in.ndjson"
    source.write_bytes(b"\n".join(
        json.dumps({"id": n, "name": None if n == 3 else f"n{n % 2}", "tags": {"a": str(n)},
                    "at": "2026-11-21T12:00:00.123"}).encode() for n in range(1, 7)))
    file = case.write("sink.sql", case.settings("sink") + f"""
CREATE TABLE src (id BIGINT, name STRING, tags MAP<STRING, STRING>, at TIMESTAMP(3))
  WITH ('connector'='file', 'path'='{source}', 'format'='json');
CREATE TABLE dst WITH ('connector'='kafka', 'topic'='{topic}', 'key.fields'='name', 'headers.column'='tags',
  'timestamp.column'='at', 'properties.bootstrap.servers'='{kafka.bootstrap}');
INSERT INTO dst SELECT id, name, tags, at FROM src;
""")
    assert "at least once" in case.weir.run(["check", "--connect", file], cwd=case.folder).stdout
    case.once(file)
    messages = {json.loads(message.value())["id"]: message for message in kafka.read(topic)}
    assert sorted(messages) == [1, 2, 3, 4, 5, 6]
    assert json.loads(messages[1].value()) == {"id": 1, "name": "n1", "at": "2026-11-21T12:00:00.123"}
    assert messages[1].key() == b"n1" and messages[3].key() is None
    assert messages[1].headers() == [("a", b"1")]
    at = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=timezone.utc)
    assert messages[1].timestamp()[1] == int(at.timestamp() * 1000)
    assert messages[1].partition() == messages[5].partition(), "one key, one partition"
    back = case.pipeline(table(kafka, topic), columns="id BIGINT, name STRING")
    case.once(back)
    assert case.ids() == [1, 2, 3, 4, 5, 6]


def test_a_row_too_large_for_the_topic_goes_to_the_error_lake(case, kafka, topic):
    kafka.create_topic(topic, max_message_bytes=20_000)
    source = case.folder / "in.ndjson"
    source.write_bytes(b"\n".join(event(n, name="x" * (200_000 if n == 3 else 10)) for n in range(1, 6)))
    file = case.write("sink.sql", case.settings("sink") + f"""
CREATE TABLE src ({COLUMNS}) WITH ('connector'='file', 'path'='{source}', 'format'='json');
CREATE TABLE dst WITH ('connector'='kafka', 'topic'='{topic}', 'properties.bootstrap.servers'='{kafka.bootstrap}',
  'properties.compression.type'='none');
INSERT INTO dst SELECT * FROM src;
""")
    case.once(file)
    assert sorted(json.loads(value)["id"] for value in kafka.values(topic)) == [1, 2, 4, 5]
    [error] = case.error_rows("sink", "src")
    assert (error["code"], error["sink"]) == ("sink_refused", "dst")


def test_the_topic_comes_from_a_column(case, kafka, topic):
    for name in ("eu", "us"):
        kafka.create_topic(f"{topic}.{name}")
    source = case.folder / "in.ndjson"
    source.write_bytes(b"\n".join(event(n, name=f"{topic}.{'eu' if n % 2 else 'us'}") for n in range(1, 6)))
    file = case.write("sink.sql", case.settings("sink") + f"""
CREATE TABLE src ({COLUMNS}) WITH ('connector'='file', 'path'='{source}', 'format'='json');
CREATE TABLE dst WITH ('connector'='kafka', 'topic.from-column'='name',
  'properties.bootstrap.servers'='{kafka.bootstrap}');
INSERT INTO dst SELECT * FROM src;
""")
    case.once(file)
    assert sorted(json.loads(value)["id"] for value in kafka.values(f"{topic}.eu")) == [1, 3, 5]
    assert sorted(json.loads(value)["id"] for value in kafka.values(f"{topic}.us")) == [2, 4]
