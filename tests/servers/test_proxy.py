"""The TCP proxy on an echo server."""

import contextlib
import socket
import threading

import pytest
from servers import Proxy


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def echoed(connection, data):
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        part = connection.recv(65536)
        assert part, "the connection ended"
        answer += part
    return answer


def test_bytes_go_both_ways(echo):
    data = bytes(range(256)) * 4000
    with Proxy(echo) as proxy, connect(proxy) as one, connect(proxy) as two:
        assert echoed(one, data[:50000]) == data[:50000]
        assert echoed(two, b"two") == b"two"
        assert proxy.connections() == 2


def test_a_stall_holds_back_and_forward_delivers(echo):
    with Proxy(echo) as proxy, connect(proxy) as one:
        assert echoed(one, b"a") == b"a"
        proxy.stall()
        one.sendall(b"held")
        with connect(proxy) as late:
            late.sendall(b"too")
            one.settimeout(0.2)
            with pytest.raises(TimeoutError):
                one.recv(1)
            proxy.forward()
            late.settimeout(10)
            one.settimeout(10)
            assert one.recv(10) == b"held"
            assert late.recv(10) == b"too"


def test_a_drop_resets_what_is_open_and_new_ones_work(echo):
    with Proxy(echo) as proxy, connect(proxy) as one:
        assert echoed(one, b"a") == b"a"
        proxy.drop()
        with pytest.raises(ConnectionError):
            one.recv(1)
        with connect(proxy) as two:
            assert echoed(two, b"b") == b"b"


def test_refused_until_forward(echo):
    with Proxy(echo) as proxy:
        proxy.refuse()
        with pytest.raises((ConnectionError, AssertionError)), connect(proxy) as one:
            echoed(one, b"a")
        proxy.forward()
        with connect(proxy) as two:
            assert echoed(two, b"b") == b"b"


@pytest.mark.parametrize("upstream", [False, True])
def test_cut_after_some_bytes(echo, upstream):
    with Proxy(echo) as proxy, connect(proxy) as one:
        assert echoed(one, b"first") == b"first"
        proxy.drop_after(3, upstream=upstream)
        one.sendall(b"second")
        got = b""
        with pytest.raises(ConnectionError):
            while True:
                part = one.recv(10)
                assert part, "closed, not reset"
                got += part
        assert got in (b"", b"s", b"se", b"sec")
        with connect(proxy) as two:
            assert echoed(two, b"whole again") == b"whole again"


def test_another_target(echo):
    with Proxy(1) as proxy:
        with pytest.raises((ConnectionError, AssertionError)), connect(proxy) as one:
            echoed(one, b"a")
        proxy.set_target(echo)
        with connect(proxy) as two:
            assert echoed(two, b"b") == b"b"
