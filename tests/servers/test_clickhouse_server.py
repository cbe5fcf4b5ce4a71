"""Both ClickHouse servers, by what they share, then the front's own: deduplication, faults, encodings, sessions."""

import base64
import datetime
import gzip
import http.client
import socket
import struct
import threading
import urllib.parse
import zlib

import clickhouse_connect
import lz4.block
import lz4.frame
import pyarrow
import pytest
from backports import zstd
from servers import ClickHouseError, ClickHouseFront, ClickHouseServer, ServerError, make_certificates, process

USERS = {"alice": "s3cret", "reader": {"password": "r", "readonly": True}}


@pytest.fixture(scope="module", params=[ClickHouseFront, ClickHouseServer], ids=["front", "genuine"])
def either(request, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp("either"), users=USERS) as server:
        yield server


@pytest.fixture
def table(clickhouse, database):
    """On the front, with deduplication."""
    clickhouse.query(f"CREATE DATABASE {database}")
    name = f"{database}.t"
    clickhouse.query(f"CREATE TABLE {name} (a UInt64, s String) ENGINE = MergeTree ORDER BY a "
                     "SETTINGS non_replicated_deduplication_window = 100")
    yield name
    clickhouse.clear_faults()


def insert(server, table, *numbers, **parameters):
    body = "".join(f'{{"a":{number}}}\n' for number in numbers).encode()
    server.query(f"INSERT INTO {table} (a) FORMAT JSONEachRow", body, **parameters)


def numbers(server, table):
    return [row[0] for row in server.rows(f"SELECT a FROM {table} ORDER BY a")]


def refused(server, sql, **options):
    with pytest.raises(ClickHouseError) as caught:
        server.query(sql, **options)
    return caught.value.status, caught.value.code


# Both servers.

def test_every_way_to_give_an_inserts_data(either, database):
    either.query(f"CREATE DATABASE {database}")
    either.query("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a", database=database)
    either.query("INSERT INTO t FORMAT JSONEachRow", b'{"a":1}\n{"a":2}', database=database)
    either.query("INSERT INTO t (a) FORMAT TabSeparated\n3\n4\n", database=database)
    either.query("INSERT INTO t FORMAT TabSeparated\n5", b"6\n", database=database)
    either.query("INSERT INTO t", b"FORMAT TabSeparated\n7\n", database=database)
    either.query("INSERT INTO t VALUES", b"(8), (9)", database=database)
    either.query(f"INSERT INTO {database}.t SELECT 10")
    either.query("/* INSERT's */ INSERT INTO `t` FORMAT RowBinary", struct.pack("<Q", 11), database=database)
    native = either.query("SELECT toUInt64(12) AS a FORMAT Native")
    either.query("INSERT INTO t FORMAT Native", native, database=database)
    assert numbers(either, f"{database}.t") == list(range(1, 13))


def test_errors_have_status_and_code(either, database):
    either.query(f"CREATE DATABASE {database}")
    either.query(f"CREATE TABLE {database}.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    assert refused(either, "SELECT * FROM nowhere") == (404, 60)
    assert refused(either, "SELEC") == (400, 62)
    assert refused(either, "SELECT 1; SELECT 2") == (400, 62)
    assert refused(either, "SELECT 1", database="nowhere") == (404, 81)
    assert refused(either, "SELECT 1", no_such_setting=1) == (404, 115)
    assert refused(either, f"INSERT INTO {database}.t FORMAT JSONEachRow", body=b'{"a":"x"}')[1] == 27
    assert refused(either, f"INSERT INTO {database}.t (b) FORMAT JSONEachRow", body=b"{}")[1] == 16
    assert refused(either, f"INSERT INTO {database}.t FORMAT Native", body=b"\x01\x01\x01x")[0] >= 400
    assert refused(either, f"CREATE TABLE {database}.t (a UInt64) ENGINE = Memory") == (500, 57)
    assert either.value(f"SELECT count() FROM {database}.t") == 0


def test_users_and_read_only(either):
    assert either.query("SELECT 1", user="alice") == b"1\n"
    assert either.query("SELECT 1", user="reader") == b"1\n"
    assert refused(either, "CREATE DATABASE d", user="reader") == (500, 164)
    assert refused(either, "SELECT 1", user="nobody") in ((403, 516), (401, 192))
    for headers, query, status in [
            ({"Authorization": "Basic " + base64.b64encode(b"alice:s3cret").decode()}, "", 200),
            ({"X-ClickHouse-User": "alice", "X-ClickHouse-Key": "s3cret"}, "", 200),
            ({}, "&user=alice&password=s3cret", 200), ({}, "", 200)]:
        assert call(either, "POST", "/?query=SELECT+1" + query, headers=headers)[0] == status
    for headers, query in [
            ({"Authorization": "Basic " + base64.b64encode(b"alice:wrong").decode()}, ""),
            ({"X-ClickHouse-User": "alice", "X-ClickHouse-Key": "wrong"}, ""), ({}, "&user=alice&password=")]:
        assert call(either, "POST", "/?query=SELECT+1" + query, headers=headers)[0] in (401, 403)


def call(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_get_only_reads(either):
    assert call(either, "GET", "/ping")[:2] == (200, b"Ok.\n")
    assert call(either, "GET", "/?query=SELECT+2")[:2] == (200, b"2\n")
    status, text, _ = call(either, "GET", "/?query=CREATE+DATABASE+by_get")
    assert status == 500 and b"164" in text


def test_a_connection_serves_many_requests_also_after_errors(either):
    connection = http.client.HTTPConnection("127.0.0.1", either.port, timeout=30)
    for number in range(20):
        connection.request("POST", "/", b"SELECT nothing" if number % 3 == 2 else b"SELECT 1")
        answer = connection.getresponse()
        assert answer.status == (404 if number % 3 == 2 else 200)
        answer.read()
        if number == 0:
            first = connection.sock
        assert connection.sock is first
    connection.close()


def test_a_large_body_is_asked_for(either, database):
    either.query(f"CREATE DATABASE {database}")
    either.query(f"CREATE TABLE {database}.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    connection = socket.create_connection(("127.0.0.1", either.port), timeout=30)
    path = "/?query=" + urllib.parse.quote(f"INSERT INTO {database}.t FORMAT TabSeparated")
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                       "Expect: 100-continue\r\n\r\n".encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
    connection.sendall(b"1\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    connection.close()
    assert numbers(either, f"{database}.t") == [1]


def test_chunked_bodies_and_gzip(either, database):
    either.query(f"CREATE DATABASE {database}")
    either.query(f"CREATE TABLE {database}.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    path = "/?query=" + urllib.parse.quote(f"INSERT INTO {database}.t FORMAT TabSeparated")
    chunks = (part for part in [b"1\n", b"2", b"\n", b"3\n" * 50000])
    assert call(either, "POST", path, chunks)[0] == 200  # http.client sends a generator in chunks
    assert call(either, "POST", path, gzip.compress(b"9\n"), {"Content-Encoding": "gzip"})[0] == 200
    assert either.rows(f"SELECT count(), sum(a) FROM {database}.t") == [(50003, 3 + 150000 + 9)]


def test_answered_inserts_survive_kill9(either, database):
    either.query(f"CREATE DATABASE {database}")
    either.query(f"CREATE TABLE {database}.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    insert(either, f"{database}.t", 1, 2, 3)
    port, process_id = either.port, either.process.pid
    either.kill9()
    assert not either.running()
    either.restart()
    assert either.port == port and either.process.pid != process_id
    assert numbers(either, f"{database}.t") == [1, 2, 3]


# The front alone.

def test_a_deduplication_token_works_across_kill9(tmp_path):
    with ClickHouseFront(tmp_path) as server:
        server.query("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a "
                     "SETTINGS non_replicated_deduplication_window = 100")
        token = {"insert_deduplication_token": "one", "async_insert": 0}
        insert(server, "t", 1, **token)
        insert(server, "t", 1, **token)
        server.kill9()
        server.restart()
        insert(server, "t", 1, **token)
        assert numbers(server, "t") == [1]
        insert(server, "t", 1, insert_deduplication_token="two")
        insert(server, "t", 1, insert_deduplication_token="three", insert_deduplicate=0)
        assert numbers(server, "t") == [1, 1, 1]


def test_what_fails_behind_the_parser_is_an_error(clickhouse, database):
    clickhouse.query(f"CREATE DATABASE {database}")
    clickhouse.query("CREATE TABLE t (a UInt64, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a "
                     "SETTINGS parts_to_delay_insert = 1, parts_to_throw_insert = 2", database=database)
    clickhouse.query("SYSTEM STOP MERGES t", database=database)
    statement = "INSERT INTO t (a) SETTINGS max_threads = 1 FORMAT TabSeparated"
    assert refused(clickhouse, statement, body=b"11\n", database=database)[1] == 469
    clickhouse.query(statement, b"1\n", database=database)
    clickhouse.query(statement, b"2\n", database=database)
    assert refused(clickhouse, statement, body=b"3\n", database=database) == (500, 252)
    assert numbers(clickhouse, f"{database}.t") == [1, 2]
    clickhouse.query("CREATE TABLE v (a UInt64) ENGINE = MergeTree ORDER BY a", database=database)
    clickhouse.query("CREATE MATERIALIZED VIEW w ENGINE = Memory AS SELECT throwIf(a = 3) FROM v", database=database)
    assert refused(clickhouse, "INSERT INTO v FORMAT TabSeparated", body=b"3\n", database=database)[1] == 395


def test_settings_of_one_request_are_not_the_next_ones(clickhouse):
    threads = "SELECT toString(getSetting('max_threads'))"
    usual = clickhouse.query(threads)
    assert clickhouse.query(threads, max_threads=7) == b"7\n"
    assert clickhouse.query(threads) == usual
    clickhouse.query("SET max_threads = 9")
    assert clickhouse.query(threads) == usual
    clickhouse.query("SET max_threads = 9", session_id="mine")
    assert clickhouse.query(threads, session_id="mine") == b"9\n"
    assert clickhouse.query(threads) == usual


def test_parameters(clickhouse, table):
    assert clickhouse.rows("SELECT {a:Array(String)}, {b:String}, {c:UInt8}", param_a="['x','y']", param_b="q\\n'",
                           param_c=3) == [(["x", "y"], "q\n'", 3)]
    clickhouse.query("INSERT INTO {table:Identifier}.t (a) FORMAT TabSeparated", b"1\n",
                     param_table=table.split(".")[0])
    assert numbers(clickhouse, table) == [1]


def own_blocks(plain):
    """ClickHouse's compressed blocks, without a true checksum."""
    blocks = b""
    for part, method, packed in [(plain[:3], 0x82, lz4.block.compress(plain[:3], store_size=False)),
                                 (plain[3:5], 0x90, zstd.compress(plain[3:5])), (plain[5:], 0x02, plain[5:])]:
        blocks += bytes(16) + struct.pack("<BII", method, len(packed) + 9, len(part)) + packed
    return blocks


@pytest.mark.parametrize("encoding, pack", [
    ("lz4", lz4.frame.compress), ("zstd", zstd.compress), ("gzip", gzip.compress), ("deflate", zlib.compress),
    ("lz4", lambda data: lz4.frame.compress(data[:2]) + lz4.frame.compress(data[2:])), ("own", own_blocks)])
def test_request_encodings(clickhouse, table, encoding, pack):
    path = "/?query=" + urllib.parse.quote(f"INSERT INTO {table} (a) FORMAT TabSeparated")
    body, headers = pack(b"1\n2\n3\n"), {"Content-Encoding": encoding}
    if encoding == "own":
        path, headers = path + "&decompress=1", {}
    status, _, answered = call(clickhouse, "POST", path, body, headers)
    assert status == 200 and '"written_rows":"3"' in answered["X-ClickHouse-Summary"]
    assert numbers(clickhouse, table) == [1, 2, 3]
    status, _, answered = call(clickhouse, "POST", path, body[:-3] if encoding != "own" else body[:-1], headers)
    assert status == 500 and answered["X-ClickHouse-Exception-Code"] == "354"
    assert numbers(clickhouse, table) == [1, 2, 3]


@pytest.mark.parametrize("encoding, unpack", [("lz4", lz4.frame.decompress), ("zstd", zstd.decompress),
                                              ("gzip", gzip.decompress)])
def test_answer_encodings(clickhouse, encoding, unpack):
    status, body, headers = call(clickhouse, "POST", "/?enable_http_compression=1&query=SELECT+1+FORMAT+JSONEachRow",
                                 headers={"Accept-Encoding": encoding})
    assert status == 200 and headers["Content-Encoding"] == encoding and unpack(body) == b'{"1":1}\n'
    assert headers["X-ClickHouse-Format"] == "JSONEachRow"


def test_a_body_cut_short_inserts_nothing(clickhouse, table):
    connection = http.client.HTTPConnection("127.0.0.1", clickhouse.port, timeout=30)
    connection.putrequest("POST", "/?query=" + urllib.parse.quote(f"INSERT INTO {table} (a) FORMAT TabSeparated"))
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"1\n2\n")
    connection.close()
    assert numbers(clickhouse, table) == []


def test_faults_before_the_insert(clickhouse, table):
    for code, status in [(252, 500), (241, 500), (164, 500), (159, 408)]:
        clickhouse.fault("fail", count=2, code=code, match=table)
        for _ in range(2):
            assert refused(clickhouse, f"INSERT INTO {table} (a) FORMAT TSV", body=b"1\n") == (status, code)
    clickhouse.fault("drop", skip=1)
    insert(clickhouse, table, 1)
    with pytest.raises(ConnectionError):
        insert(clickhouse, table, 2)
    assert numbers(clickhouse, table) == [1]
    assert clickhouse.faults() == {"orders": [], "hanging": 0}
    with pytest.raises(ServerError, match="unknown fault"):
        clickhouse.fault("nonsense")


def test_an_answer_lost_after_the_insert_took_effect(clickhouse, table):
    clickhouse.fault("drop", when="after")
    with pytest.raises(ConnectionError):
        insert(clickhouse, table, 1, insert_deduplication_token="t")
    assert numbers(clickhouse, table) == [1]
    insert(clickhouse, table, 1, insert_deduplication_token="t")
    assert numbers(clickhouse, table) == [1]
    clickhouse.fault("fail", when="after", code=209)
    assert refused(clickhouse, f"INSERT INTO {table} (a) FORMAT TSV", body=b"2\n") == (503, 209)
    assert numbers(clickhouse, table) == [1, 2]
    assert [entry["fault"] for entry in clickhouse.requests(table)
            if entry["query"].startswith("INSERT")] == ["drop after", None, "fail after"]


def test_a_request_that_hangs(clickhouse, table):
    clickhouse.fault("hang", when="after")
    ended = []

    def run():
        try:
            insert(clickhouse, table, 1)
        except ConnectionError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    clickhouse.wait_for_hang()
    assert numbers(clickhouse, table) == [1] and not ended
    clickhouse.clear_faults()
    thread.join(30)
    assert len(ended) == 1


def test_what_the_front_cannot_do_is_refused(clickhouse):
    assert refused(clickhouse, "SELECT 1", compress=1) == (501, 48)
    assert call(clickhouse, "POST", "/", b"SELECT 1", {"Content-Encoding": "br"})[0] == 501
    assert call(clickhouse, "GET", "/nowhere")[0] == 404


def test_half_an_answer(clickhouse):
    clickhouse.fault("truncate", match="half an answer")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        clickhouse.query("SELECT * FROM numbers(1000) /* half an answer */")


def test_concurrent_inserts_are_all_there(clickhouse, table):
    def run(first):
        for number in range(first, 80, 8):
            insert(clickhouse, table, number)

    threads = [threading.Thread(target=run, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(clickhouse, table) == list(range(80))


def test_clickhouse_connect(clickhouse, database):
    client = clickhouse_connect.get_client(host="127.0.0.1", port=clickhouse.port)
    client.command(f"CREATE DATABASE {database}")
    client.command(f"CREATE TABLE {database}.c (a UInt64, s Nullable(String), t DateTime64(3)) "
                   "ENGINE = MergeTree ORDER BY a")
    rows = [[number, None if number % 2 else str(number), datetime.datetime(2026, 1, 2)] for number in range(1000)]
    assert client.insert(f"{database}.c", rows, column_names=["a", "s", "t"]).written_rows == 1000
    times = pyarrow.array([0, 1], pyarrow.timestamp("ms"))
    client.insert_arrow(f"{database}.c", pyarrow.table({"a": pyarrow.array([1000, 1001], pyarrow.uint64()),
                                                        "s": ["x", None], "t": times}))
    answer = client.query(f"SELECT count(), sum(a), countIf(s IS NULL), max(t) FROM {database}.c "
                          "WHERE a < {n:UInt64}", parameters={"n": 5000})
    assert answer.result_rows == [(1002, 501501, 501, datetime.datetime(2026, 1, 2))]
    client.close()


def test_tls(tmp_path):
    certificates = make_certificates(tmp_path / "certs")
    with ClickHouseFront(tmp_path / "front", tls=certificates) as server:
        assert server.http_url.startswith("https://")
        assert server.value("SELECT 1") == 1
        server.fault("fail", match="SELECT", code=241)
        assert refused(server, "SELECT 1") == (500, 241)


def test_a_missing_server_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("servers.clickhouse_server.CACHE", tmp_path)
    with pytest.raises(ServerError, match="make setup"):
        ClickHouseServer(tmp_path / "genuine").start()
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(ServerError, match="make setup"):
        ClickHouseFront(tmp_path / "front").start()


@pytest.mark.parametrize("kind", [ClickHouseFront, ClickHouseServer])
def test_a_taken_port_is_tried_again(tmp_path, clickhouse, kind, monkeypatch):
    ports = iter([clickhouse.port])
    free = process.free_port
    monkeypatch.setattr(process, "free_port", lambda: next(ports, None) or free())
    with kind(tmp_path) as server:
        assert server.port != clickhouse.port and server.value("SELECT 1") == 1
