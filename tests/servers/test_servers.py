"""The servers themselves: they start, keep what they acknowledged through kill -9, and check log-ins."""

import asyncio
import base64
import json
import os
import socket
import ssl

import nats as nats_client
import pytest
from servers import (ClickHouseFront, ClickHouseServer, KafkaServer, KeyPair, MinioServer, NatsServer, Operator,
                     S3Error, Server, ServerError, make_certificates)


async def _publish(count, **connect):
    client = await nats_client.connect(allow_reconnect=False, max_reconnect_attempts=0, connect_timeout=5, **connect)
    try:
        stream = client.jetstream()
        await stream.add_stream(name="EVENTS", subjects=["events.>"])
        for number in range(count):
            await stream.publish("events.a", str(number).encode())
        return (await stream.stream_info("EVENTS")).state.messages
    finally:
        await client.close()


def publish(count, **connect):
    return asyncio.run(_publish(count, **connect))


def refused(**connect):
    async def quietly():
        async def ignore(_):
            pass
        await _publish(0, error_cb=ignore, **connect)
    with pytest.raises(Exception) as caught:
        asyncio.run(quietly())
    return str(caught.value)


def test_acknowledged_messages_survive_kill9(nats):
    assert publish(20, servers=nats.url) == 20
    nats.kill9()
    assert not nats.running()
    port = nats.port
    nats.restart()
    assert nats.port == port
    assert publish(1, servers=nats.url) == 21


def test_user_and_password(tmp_path):
    with NatsServer(tmp_path, user="weir", password="p4ss") as server:
        assert publish(1, servers=server.url, user="weir", password="p4ss") == 1
        assert "authorization" in refused(servers=server.url, user="weir", password="wrong").lower()


def test_token(tmp_path):
    with NatsServer(tmp_path, token="s3cret") as server:
        assert publish(1, servers=server.url, token="s3cret") == 1
        assert "authorization" in refused(servers=server.url).lower()


def test_nkey_format():
    user = KeyPair("user")
    assert user.public[0] == "U" and len(user.public) == 56
    assert user.seed[:2] == "SU" and len(user.seed) == 58


def sign_in(port, pair, **connect):
    """The server's answer to CONNECT and PING: nats-py signs only with a package of its own, so by hand."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, connection.makefile("rb") as lines:
        nonce = json.loads(lines.readline().removeprefix(b"INFO "))["nonce"]
        connect["sig"] = base64.urlsafe_b64encode(pair.sign(nonce.encode())).decode().rstrip("=")
        connection.sendall(f"CONNECT {json.dumps(connect | {'verbose': False})}\r\nPING\r\n".encode())
        return lines.readline().decode().strip()


def test_nkey(tmp_path):
    user = KeyPair("user")
    with NatsServer(tmp_path, nkey=user.public) as server:
        assert "authorization" in refused(servers=server.url).lower()
        assert sign_in(server.port, user, nkey=user.public) == "PONG"
        assert "Authorization Violation" in sign_in(server.port, KeyPair("user"), nkey=user.public)


def test_creds(tmp_path):
    operator = Operator()
    with NatsServer(tmp_path, operator=operator) as server:
        assert "authorization" in refused(servers=server.url).lower()
        token, user = operator.user()
        assert sign_in(server.port, user, jwt=token) == "PONG"
        assert "Authorization Violation" in sign_in(server.port, KeyPair("user"), jwt=token)
        text = open(operator.creds(tmp_path / "user.creds")).read()
        assert "BEGIN NATS USER JWT" in text and "\nSUA" in text


def test_tls(tmp_path):
    certificates = make_certificates(tmp_path / "certs")
    tls = {"cert": certificates["server_cert"], "key": certificates["server_key"]}
    with NatsServer(tmp_path / "nats", tls=tls) as server:
        trusting = ssl.create_default_context(cafile=certificates["ca"])
        assert publish(1, servers=server.url, tls=trusting) == 1
        refused(servers=server.url, tls=ssl.create_default_context())


def test_minio_keeps_objects_and_takes_conditional_put(minio, bucket):
    minio.put(bucket, "a/one", b"1", {"If-None-Match": "*"})
    with pytest.raises(S3Error) as caught:
        minio.put(bucket, "a/one", b"2", {"If-None-Match": "*"})
    assert caught.value.status == 412
    assert minio.get(bucket, "a/one") == b"1"
    assert minio.list(bucket) == ["a/one"]
    minio.delete(bucket, "a/one")
    assert minio.list(bucket, "a/") == []


def test_minio_survives_kill9_and_refuses_a_wrong_key(tmp_path):
    with MinioServer(tmp_path) as server:
        server.put("lake", "x", b"kept")
        server.kill9()
        server.restart()
        assert server.get("lake", "x") == b"kept"
        server.secret_key = "another-secret"
        with pytest.raises(S3Error) as caught:
            server.get("lake", "x")
        assert caught.value.status == 403


def test_a_server_that_ends_at_start_fails_with_its_words(tmp_path):
    with pytest.raises(ServerError, match="unknown field"):
        NatsServer(tmp_path, extra="no_such_option: 1").start()


def test_a_taken_port_is_tried_again(tmp_path, nats, monkeypatch):
    from servers import process
    ports = iter([nats.port, nats.ports["http"]])
    free = process.free_port
    monkeypatch.setattr(process, "free_port", lambda: next(ports, None) or free())
    with NatsServer(tmp_path / "second") as server:
        assert server.port != nats.port


def test_a_missing_binary_fails(tmp_path, monkeypatch):
    from servers import process
    monkeypatch.setattr(process, "CACHE", tmp_path)
    with pytest.raises(ServerError, match="make setup"):
        NatsServer(tmp_path / "nats").start()


def test_the_base_class_demands_its_parts(tmp_path):
    with pytest.raises(NotImplementedError):
        Server(tmp_path).start()


@pytest.mark.parametrize("kind", [NatsServer, MinioServer, KafkaServer, ClickHouseServer, ClickHouseFront])
def test_nothing_is_left_behind(kind):
    with kind() as server:
        process_id, port, folder = server.process.pid, server.port, server.folder
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert not folder.exists()
