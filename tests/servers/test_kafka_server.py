"""The Kafka server and its client helpers: topics, transactions, kill -9, log-ins, and the proxied listener."""

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from servers import KafkaServer, make_certificates, process

ALICE = {"sasl.username": "alice", "sasl.password": "s3cret"}
TOKEN = {"enable.sasl.oauthbearer.unsecure.jwt": True, "sasl.oauthbearer.config": "principal=alice"}


def topics(bootstrap, timeout_s=20, **config):
    """The number of topics that a client with these properties sees."""
    client = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **config})
    return len(client.list_topics(timeout=timeout_s).topics)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, certificates):
    with KafkaServer(tmp_path_factory.mktemp("guarded"), users={"alice": "s3cret"}, tls=certificates,
                     client_auth=True) as server:
        server.create_topic("one")
        yield server


def test_records_keep_key_headers_time_and_order(kafka, topic):
    kafka.create_topic(topic, partitions=2)
    kafka.produce(topic, [{"key": b"k", "value": b"a", "headers": [("h", b"1")], "partition": 1, "timestamp": 1234},
                          {"key": b"k", "value": None, "partition": 1}, {"value": "text", "partition": 0}])
    first, second, third = kafka.read(topic)
    assert (first.value(), first.partition()) == (b"text", 0)
    assert (second.key(), second.value(), second.headers()) == (b"k", b"a", [("h", b"1")])
    assert second.timestamp()[1] == 1234
    assert third.value() is None
    assert kafka.ends(topic) == {0: 1, 1: 2}


def test_topics_are_made_grown_and_deleted_only_by_order(kafka, topic):
    assert kafka.partitions(topic) == 0
    kafka.create_topic(topic, partitions=2, retention_ms=10000)
    kafka.add_partitions(topic, 3)
    assert kafka.partitions(topic) == 3
    kafka.set_topic_config(topic, max_message_bytes=1000)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        raise KafkaException(delivery({"bootstrap.servers": kafka.bootstrap}, topic, b"x" * 2000))
    kafka.delete_topic(topic)
    assert kafka.partitions(topic) == 0


def delivery(properties, topic, value):
    """None, or the error with which the record was refused."""
    errors = []
    producer = Producer(properties)
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    return errors[0]


def test_only_committed_transactions_are_read(kafka, topic):
    kafka.create_topic(topic)
    kafka.transaction(topic, ["kept"], "commit")
    kafka.transaction(topic, ["aborted"], "abort")
    producer = kafka.transaction(topic, ["open"], "open", transactional_id=f"{topic}-open")
    assert kafka.values(topic) == [b"kept"]
    assert kafka.values(topic, isolation="read_uncommitted") == [b"kept", b"aborted", b"open"]
    assert kafka.ends(topic, "read_committed")[0] < kafka.ends(topic)[0]
    producer.commit_transaction()
    assert kafka.values(topic) == [b"kept", b"open"]


def test_deleted_records_are_out_of_range(kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, ["0", "1", "2"])
    kafka.delete_records(topic, before=2)
    assert [message.offset() for message in kafka.read(topic)] == [2]


def test_a_compacted_topic_keeps_the_last_of_each_key(kafka, topic):
    kafka.create_topic(topic, **kafka.COMPACTED)
    kafka.produce(topic, [{"key": "a", "value": str(number)} for number in range(10)])
    for _ in range(3000):
        left = kafka.values(topic)
        if b"0" not in left:
            break
        kafka.produce(topic, [{"key": "z", "value": "end"}])
    assert left[0] == b"9" and set(left[1:]) == {b"end"}


def test_a_group_commits_and_is_seen(kafka, topic):
    kafka.create_topic(topic)
    kafka.produce(topic, ["0", "1"])
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": topic, "auto.offset.reset": "earliest",
                         "enable.auto.commit": False})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(30)
        assert message.value() == b"0"
        assert kafka.members(topic) == (1, "stable")
        consumer.commit(message, asynchronous=False)
    finally:
        consumer.close()
    assert kafka.committed(topic, topic) == {0: 1}
    assert kafka.members(topic) == (0, "empty")


def test_acknowledged_records_survive_kill9(tmp_path):
    with KafkaServer(tmp_path) as server:
        server.create_topic("kept", partitions=2)
        server.produce("kept", [str(number) for number in range(100)])
        port, process_id = server.port, server.process.pid
        server.kill9()
        assert not server.running()
        server.restart()
        assert server.port == port and server.process.pid != process_id
        assert len(server.values("kept")) == 100
        server.stop()
        server.restart()
        assert len(server.values("kept")) == 100


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_sasl(guarded, certificates, mechanism):
    secret = TOKEN if mechanism == "OAUTHBEARER" else ALICE
    assert topics(guarded.sasl_bootstrap, **{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
                                             **secret}) == 1
    assert topics(guarded.sasl_ssl_bootstrap, **{"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism,
                                                 "ssl.ca.location": certificates["ca"], **secret}) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_refused(guarded, mechanism):
    errors = []
    client = Producer({"bootstrap.servers": guarded.sasl_bootstrap, "security.protocol": "SASL_PLAINTEXT",
                       "sasl.mechanism": mechanism, **ALICE, "sasl.password": "wrong", "log_level": 0,
                       "error_cb": lambda error: errors.append(error.name())})
    for _ in range(30):
        client.poll(1)
        if errors:
            break
    assert "_AUTHENTICATION" in errors


def test_users_may_do_only_what_is_allowed(tmp_path):
    with KafkaServer(tmp_path, users={"alice": "s3cret"}, authorize=True) as server:
        server.create_topic("open")
        server.create_topic("closed")
        server.allow("alice", topic="open")
        secret = {"bootstrap.servers": server.sasl_bootstrap, "security.protocol": "SASL_PLAINTEXT",
                  "sasl.mechanism": "PLAIN", **ALICE, "log_level": 0}
        assert delivery(secret, "open", b"x") is None
        assert delivery(secret, "closed", b"x").name() == "TOPIC_AUTHORIZATION_FAILED"
        assert (server.values("open"), server.values("closed")) == ([b"x"], [])


def test_tls_with_client_certificates(guarded, certificates):
    trust = {"security.protocol": "SSL", "ssl.ca.location": certificates["ca"]}
    assert topics(guarded.ssl_bootstrap, **trust, **{"ssl.certificate.location": certificates["client_cert"],
                                                     "ssl.key.location": certificates["client_key"]}) == 1
    with pytest.raises(KafkaException):
        topics(guarded.ssl_bootstrap, 2, **trust)


def test_the_network_may_fail_before_the_proxied_listener(tmp_path):
    with KafkaServer(tmp_path, proxied=True) as server:
        server.create_topic("one")
        assert topics(server.proxied_bootstrap) == 1
        server.proxy.stall()
        with pytest.raises(KafkaException):
            topics(server.proxied_bootstrap, 1)
        server.proxy.forward()
        client = Producer({"bootstrap.servers": server.proxied_bootstrap, "log_level": 0})
        client.list_topics(timeout=20)
        server.proxy.refuse()
        with pytest.raises(KafkaException):
            client.list_topics(timeout=1)
        server.proxy.forward()
        assert len(client.list_topics(timeout=20).topics) == 1


def test_missing_jars_fail(tmp_path, monkeypatch):
    monkeypatch.setattr("servers.kafka_server.CACHE", tmp_path)
    with pytest.raises(process.ServerError, match="make setup"):
        KafkaServer(tmp_path / "kafka").start()


def test_a_taken_port_is_tried_again(tmp_path, kafka, monkeypatch):
    ports = iter([kafka.ports["controller"], kafka.port])
    free = process.free_port
    monkeypatch.setattr(process, "free_port", lambda: next(ports, None) or free())
    with KafkaServer(tmp_path / "second") as server:
        assert server.port != kafka.port
