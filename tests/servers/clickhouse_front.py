"""ClickHouse's engine (the chdb-core library), our HTTP layer. This is not clickhouse-server.

Parsing, types, MergeTree on disk, deduplication, settings and error texts are the engine's, of the version that
`SELECT version()` tells. HTTP, users, sessions, request compression and the choice of the HTTP status are written here
after clickhouse-server's documented behaviour; the genuine (old) server beside it in these tests checks the wire.
Not there: the native port, access control by GRANT (a user is full or read-only), system.query_log, `compress=1`,
and checksums of `decompress=1` blocks are not verified.

Side doors for tests, on the same port and open to anybody on loopback:
  POST /_fault     {"do": "fail|drop|hang|delay|truncate", "when": "before|after", "count": n, "skip": n,
                    "match": regex, "code": ClickHouse's error code, "ms": n} or {"clear": true}
  GET  /_fault     how many of each are left and how many requests wait in a hang
  GET  /_requests  what was asked so far (the last 10000): query, settings, user, bytes, status, fault …

Run: python clickhouse_front.py DATA_FOLDER PORT [--users JSON] [--tls-cert FILE --tls-key FILE]
"""

import argparse
import base64
import collections
import contextlib
import gzip
import hmac
import http.server
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
import uuid
import zlib

import lz4.block
import lz4.frame
from backports import zstd
from chdb import _chdb as engine

# Query parameters that are not settings.
_HTTP_PARAMETERS = {
    "query", "database", "user", "password", "default_format", "session_id", "session_timeout", "session_check",
    "close_session", "quota_key", "compress", "decompress", "query_id", "role", "stacktrace", "buffer_size",
    "wait_end_of_query", "client_protocol_version", "http_write_exception_in_output_format",
}
_STATUS = {
    194: 401, 159: 408, 411: 411, 48: 501, 381: 411,
    **dict.fromkeys((192, 193, 516, 512, 497), 403),
    **dict.fromkeys((36, 427, 6, 25, 26, 38, 41, 72, 441, 675, 676, 27, 376, 15, 44, 222, 223, 8, 167, 168, 235, 62,
                     117, 53, 321), 400),
    **dict.fromkeys((60, 46, 47, 50, 56, 81, 115, 116, 63, 73, 336, 78, 511), 404),
    **dict.fromkeys((209, 76, 439), 503),
}
_FAULT_WORDS = {
    241: "(total) memory limit exceeded: would use 7.20 GiB, maximum: 7.00 GiB. (MEMORY_LIMIT_EXCEEDED)",
    252: "Too many parts (3000 with average size of 1.00 KiB) in table. Merges are processing significantly slower "
         "than inserts. (TOO_MANY_PARTS)",
    164: "default: Cannot execute query in readonly mode. (READONLY)",
    242: "Table is in readonly mode. (TABLE_IS_READ_ONLY)",
    159: "Timeout exceeded: elapsed 60 seconds, maximum: 60. (TIMEOUT_EXCEEDED)",
    202: "Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES)",
    243: "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
}
_TOKEN = re.compile(
    rb"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|\w+|\s+|.", re.DOTALL)
_OUTPUT_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\s.*)?;?\s*$", re.IGNORECASE | re.DOTALL)
_KEEPS_STATE = re.compile(r"\s*(SET|USE|CREATE\s+(OR\s+REPLACE\s+)?TEMPORARY)\b", re.IGNORECASE)
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8", "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8", "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
}
_MAX_CONNECTIONS = 32
_MAX_SESSIONS = 64


class ClickHouseError(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.status = code, _STATUS.get(code, 500)

    @classmethod
    def of(cls, error):
        """From what the engine raised; it says some codes twice, and names the file that stands for the body."""
        text = re.sub(r"^(Code: \d+\. DB::Exception: )(?:Code: \d+\. DB::Exception: )+", r"\1", str(error))
        text = re.sub(r": \(in file/uri /proc/self/fd/\d+\)", "", text)
        found = re.match(r"Code: (\d+)", text)
        return cls(int(found[1]) if found else 1002, text if found else f"Code: 1002. DB::Exception: {text}")


def refuse(code, words):
    raise ClickHouseError(code, f"Code: {code}. DB::Exception: {words}")


class Insert:
    """An INSERT with data: what stands before SETTINGS, these, the format, and where in the text the data starts."""

    def __init__(self, head, settings, format_, data_at):
        self.head, self.settings, self.format, self.data_at = head, settings, format_, data_at


def is_insert(text):
    for token in _TOKEN.finditer(text):
        word = token.group()
        if not word.isspace() and not word.startswith((b"--", b"/*")):
            return word.upper() == b"INSERT"
    return False


def split_insert(text):
    """None when the statement brings its data by itself (SELECT, VALUES, INFILE) or says no format."""
    depth, settings_at, tokens = 0, None, _TOKEN.finditer(text)
    for token in tokens:
        word = token.group().upper()
        if word in (b"(", b")"):
            depth += 1 if word == b"(" else -1
        elif depth == 0 and word in (b"SELECT", b"WITH", b"VALUES", b"INFILE"):
            return None
        elif depth == 0 and word == b"SETTINGS":
            settings_at = token.start()
        elif depth == 0 and word == b"FORMAT":
            for name in tokens:
                if not name.group().isspace():
                    gap = re.compile(rb"[ \t\r;]*\n?").match(text, name.end())
                    head_end = token.start() if settings_at is None else settings_at
                    return Insert(text[:head_end].decode(), text[head_end:token.start()].decode(),
                                  name.group().decode(), gap.end())
    return None


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Connection:
    """One of the engine's connections: a current database, settings, temporary tables."""

    def __init__(self, path, read_only):
        self.raw = engine.connect(path)
        self.database = "default"
        self.run("SET implicit_select = 0")
        if read_only:
            self.run(f"SET readonly = {read_only}")

    def run(self, text, format_="TabSeparated", parameters=None):
        try:
            return self.raw.query(text, format_, params=parameters or {})
        except Exception as error:
            raise ClickHouseError.of(error) from None

    def use(self, database):
        if database and database != self.database:
            self.run(f"USE `{database.replace('`', '``')}`")
            self.database = database

    def insert(self, insert, data, parameters):
        """From a file in memory. The library's streaming insert would be a third faster, but it says nothing of what
        fails behind the parser: too many parts, a violated constraint, a view's exception."""
        file = os.memfd_create("insert")
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left):]
            return self.run(f"{insert.head} FROM INFILE '/proc/self/fd/{file}' {insert.settings} "
                            f"FORMAT {insert.format}", parameters=parameters)
        finally:
            os.close(file)

    @contextlib.contextmanager
    def settings(self, values):
        if not values:
            yield
            return
        self.run("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in values.items()))
        try:
            yield
        finally:
            self.run("SET " + ", ".join(f"{name} = DEFAULT" for name in values))


class Engine:
    """Pooled connections by read-only level (0, 1, or 2 as clickhouse-server gives to GET), and named sessions."""

    def __init__(self, path):
        self._path = path
        self._keep = Connection(path, 0)
        self._idle = {0: [], 1: [], 2: []}
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._sessions = collections.OrderedDict()
        self.version = bytes(self._keep.run("SELECT version()").bytes()).decode().strip()
        self.timezone = bytes(self._keep.run("SELECT timezone()").bytes()).decode().strip()

    @contextlib.contextmanager
    def connection(self, read_only, session_id=None):
        """Not given back to the pool after an error, so that nothing half done is met again."""
        if session_id:
            with self._session(session_id, read_only) as connection:
                yield connection
            return
        with self._free:
            with self._lock:
                idle = self._idle[read_only]
                connection = idle.pop() if idle else None
            connection = connection or Connection(self._path, read_only)
            connection.disposable = False
            try:
                yield connection
            except BaseException:
                connection.raw.close()
                raise
            if connection.disposable:
                connection.raw.close()
                return
            with self._lock:
                idle.append(connection)

    @contextlib.contextmanager
    def _session(self, session_id, read_only):
        key = (session_id, read_only)
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = (Connection(self._path, read_only), threading.Lock())
                for old in list(self._sessions)[:-_MAX_SESSIONS]:
                    if not self._sessions[old][1].locked():
                        self._sessions.pop(old)[0].raw.close()
            self._sessions.move_to_end(key)
            connection, busy = self._sessions[key]
            if not busy.acquire(blocking=False):
                refuse(373, f"Session {session_id} is locked by a concurrent client. (SESSION_IS_LOCKED)")
        try:
            yield connection
        finally:
            busy.release()


class Faults:
    """Orders of tests, each for the next `count` requests whose query matches; deterministic."""

    def __init__(self):
        self._lock = threading.Lock()
        self._orders = []
        self._released = threading.Event()
        self.hanging = 0

    def order(self, wanted):
        if wanted.get("clear"):
            with self._lock:
                self._orders.clear()
                self._released.set()
                self._released = threading.Event()
            return
        order = {"do": "fail", "when": "before", "count": 1, "skip": 0, "match": r"(?i)^\s*INSERT\b", "code": 252,
                 "ms": 0} | wanted
        if order["do"] not in ("fail", "drop", "hang", "delay", "truncate") or order["when"] not in ("before", "after"):
            raise ValueError(f"unknown fault {wanted}")
        with self._lock:
            self._orders.append(order)

    def take(self, when, query):
        with self._lock:
            for order in self._orders:
                if order["count"] > 0 and order["when"] == when and re.search(order["match"], query):
                    if order["skip"] > 0:
                        order["skip"] -= 1
                        continue
                    order["count"] -= 1
                    return order
        return None

    def hang(self):
        """Until the orders are cleared."""
        with self._lock:
            released = self._released
            self.hanging += 1
        released.wait()
        with self._lock:
            self.hanging -= 1

    def state(self):
        with self._lock:
            return {"orders": [dict(order) for order in self._orders if order["count"] > 0], "hanging": self.hanging}


class Dropped(Exception):
    """The connection ends without (the whole of) an answer."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    wbufsize = 1 << 16
    timeout = 600
    query_id = None
    truncated = False  # the order of a fault: half of the answer's body, then a reset

    def log_message(self, *unused):
        pass

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def handle_expect_100(self):
        """At once, and not when the buffer is full: a client with a large body waits for it."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _serve(self):
        path, _, query_string = self.path.partition("?")
        try:
            # Read to its end before anything is answered, so that the connection stays usable.
            body = self._body()
            if path == "/":
                self._query(query_string, body)
            elif path in ("/ping", "/replicas_status"):
                self._answer(200, b"Ok.\n", "text/html; charset=UTF-8")
            elif path == "/_fault":
                self._fault_order(body)
            elif path == "/_requests":
                self._answer_json(list(self.server.requests))
            else:
                self._answer(404, f"There is no handle {path}\n\nUse / or /ping for health checks.\n".encode())
        except (Dropped, ConnectionError, TimeoutError):
            self._drop()

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while True:
                size = int(self.rfile.readline(256).split(b";")[0] or b"x", 16)
                part = self._exactly(size)
                self.rfile.readline(256)
                if size == 0:
                    return b"".join(parts)
                parts.append(part)
        return self._exactly(int(self.headers.get("Content-Length") or 0))

    def _exactly(self, size):
        data = self.rfile.read(size) if size else b""
        if len(data) != size:
            raise Dropped
        return data

    def _query(self, query_string, body):
        arguments = dict(urllib.parse.parse_qsl(query_string, keep_blank_values=True))
        self.query_id = arguments.get("query_id") or str(uuid.uuid4())
        settings = {name: value for name, value in arguments.items()
                    if name not in _HTTP_PARAMETERS and not name.startswith("param_")}
        encoding = self.headers.get("Content-Encoding", "")
        entry = {"method": self.command, "query": arguments.get("query", "")[:10000], "settings": settings,
                 "database": arguments.get("database", ""), "user": "", "body_bytes": len(body),
                 "encoding": encoding, "status": 0, "code": 0, "fault": None, "at": time.time()}
        self.server.requests.append(entry)
        try:
            user, read_only = self._user(arguments)
            entry["user"] = user
            text = arguments.get("query", "").encode()
            if not text and not body:
                self._answer(200, b"Ok.\n", "text/html; charset=UTF-8")
                return
            body = _decoded(body, encoding, arguments.get("decompress") == "1")
            entry["query"] = entry["query"] or body[:10000].decode(errors="replace")
            entry["plain_bytes"] = len(body)
            self._fault("before", entry)
            result = self._run(text, body, arguments, settings, read_only, entry)
            entry["status"] = 200
            self._fault("after", entry)
            self._answer_result(*result)
        except ClickHouseError as error:
            entry["status"], entry["code"] = error.status, error.code
            entry["error"] = str(error)[:2000]
            self._answer_error(error)

    def _user(self, arguments):
        headers = self.headers
        name, password = headers.get("X-ClickHouse-User"), headers.get("X-ClickHouse-Key", "")
        if name is None and headers.get("Authorization", "").startswith("Basic "):
            try:
                name, _, password = base64.b64decode(headers["Authorization"][6:]).decode().partition(":")
            except ValueError:
                refuse(516, "Invalid authentication: cannot decode the Basic header. (AUTHENTICATION_FAILED)")
        elif name is None:
            name, password = arguments.get("user", "default"), arguments.get("password", "")
        name = name or "default"
        known = self.server.users.get(name)
        if known is None or not hmac.compare_digest(known["password"].encode(), password.encode()):
            refuse(516, f"{name}: Authentication failed: password is incorrect, or there is no user with such name. "
                        "(AUTHENTICATION_FAILED)")
        return name, 1 if known.get("readonly") else 2 if self.command == "GET" else 0

    def _run(self, text, body, arguments, settings, read_only, entry):
        insert, data = None, body
        if arguments.get("compress") == "1":
            refuse(48, "This front answers in no blocks of ClickHouse's own compression. (NOT_IMPLEMENTED)")
        if is_insert(text or body[:65536]):
            insert = split_insert(text)
            if insert:
                # As the genuine server: a line feed stands between the two.
                data = text[insert.data_at:] + b"\n" + body if insert.data_at < len(text) else body
            else:
                text = text + b"\n" + body if text else body
                insert = split_insert(text)
                data = text[insert.data_at:] if insert else b""
        elif body:
            text = text + b"\n" + body if text else body
        parameters = {name[6:]: value for name, value in arguments.items() if name.startswith("param_")}
        started = time.perf_counter_ns()
        with self.server.engine.connection(read_only, arguments.get("session_id")) as connection:
            connection.use(arguments.get("database"))
            if insert:
                with connection.settings(settings):
                    result = connection.insert(insert, data, parameters)
                shown, content = "", b""
            else:
                statement = self._statement(text)
                if connection.raw.classify_query(statement).get("statement_count", 1) > 1:
                    refuse(62, "Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
                shown = self._format(statement, arguments)
                with connection.settings(settings):
                    result = connection.run(statement, shown, parameters)
                content = bytes(result.bytes())
                if _KEEPS_STATE.match(statement):
                    connection.disposable = True
                    connection.database = None
        taken = time.perf_counter_ns() - started
        written = result.rows_written() if insert else 0
        entry["written_rows"], entry["elapsed_ns"] = written, taken
        summary = {"read_rows": written or result.rows_read(), "read_bytes": len(data) or result.bytes_read(),
                   "written_rows": written, "written_bytes": result.bytes_written() if insert else 0,
                   "total_rows_to_read": 0, "result_rows": written, "result_bytes": len(content),
                   "elapsed_ns": taken}
        return shown, content, summary

    def _statement(self, text):
        try:
            return text.decode()
        except UnicodeDecodeError:
            refuse(62, "Syntax error: the query is not UTF-8. (SYNTAX_ERROR)")

    def _format(self, statement, arguments):
        found = _OUTPUT_FORMAT.search(statement)
        return (found[1] if found else None) or arguments.get("default_format") or \
            self.headers.get("X-ClickHouse-Format") or "TabSeparated"

    def _fault(self, when, entry):
        order = self.server.faults.take(when, entry["query"])
        if order is None:
            return
        entry["fault"] = f"{order['do']} {when}"
        if order["do"] == "fail":
            code = order["code"]
            refuse(code, order.get("words") or _FAULT_WORDS.get(code, "Ordered by a test. (TEST_FAULT)"))
        if order["do"] == "delay":
            time.sleep(order["ms"] / 1000)
        if order["do"] == "hang":
            self.server.faults.hang()
        if order["do"] in ("drop", "hang"):
            raise Dropped
        self.truncated = self.truncated or order["do"] == "truncate"

    def _fault_order(self, body):
        if self.command == "POST":
            try:
                self.server.faults.order(json.loads(body))
            except (ValueError, TypeError, AttributeError) as error:
                self._answer(400, f"{error}\n".encode())
                return
        self._answer_json(self.server.faults.state())

    def _answer_json(self, value):
        self._answer(200, json.dumps(value).encode(), "application/json")

    def _answer_result(self, format_, content, summary):
        headers = {"X-ClickHouse-Summary": json.dumps({k: str(v) for k, v in summary.items()}, separators=(",", ":"))}
        if format_:
            headers["X-ClickHouse-Format"] = format_
        arguments = self.path.partition("?")[2]
        if content and "enable_http_compression=1" in arguments:
            accepted = self.headers.get("Accept-Encoding", "")
            for name, compress in (("lz4", lz4.frame.compress), ("zstd", zstd.compress), ("gzip", gzip.compress)):
                if name in accepted:
                    content = compress(content)
                    headers["Content-Encoding"] = name
                    break
        self._answer(200, content, _CONTENT_TYPES.get(format_, "application/octet-stream"), headers)

    def _answer_error(self, error):
        text = str(error)
        if "(version " not in text:
            text += f" (version {self.server.engine.version} (official build))"
        headers = {"X-ClickHouse-Exception-Code": str(error.code)}
        self._answer(error.status, f"{text}\n".encode(), "text/plain; charset=UTF-8", headers)

    def _answer(self, status, content, type_="text/plain; charset=UTF-8", headers=None):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-ClickHouse-Server-Display-Name", "weir-test")
        if self.query_id:
            self.send_header("X-ClickHouse-Query-Id", self.query_id)
            self.send_header("X-ClickHouse-Timezone", self.server.engine.timezone)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Connection", "Keep-Alive")
        self.end_headers()
        self.wfile.write(content[:len(content) // 2] if self.truncated else content)
        self.wfile.flush()
        if self.truncated:
            raise Dropped

    def _drop(self):
        """Ends the connection with RST, as a died server does."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for end in (self.wfile, self.rfile, self.connection):  # the last one closes, and resets
                end.close()


def _decoded(body, encoding, own_blocks):
    try:
        if encoding == "lz4":
            body = _lz4_frames(body)
        elif encoding == "zstd":
            body = zstd.decompress(body)
        elif encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "deflate":
            body = zlib.decompress(body)
        elif encoding not in ("", "identity"):
            refuse(48, f"Unknown compression method: {encoding}. (NOT_IMPLEMENTED)")
        return _own_blocks(body) if own_blocks else body
    except ClickHouseError:
        raise
    except Exception as error:
        refuse(354, f"The body cannot be decompressed: {error}. (CANNOT_DECOMPRESS)")


def _lz4_frames(body):
    parts = []
    while body:
        decoder = lz4.frame.LZ4FrameDecompressor()
        parts.append(decoder.decompress(body))
        if not decoder.eof:
            refuse(354, "LZ4 frame ends early. (CANNOT_DECOMPRESS)")
        body = decoder.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _own_blocks(body):
    """ClickHouse's own compression: 16 bytes checksum, method, compressed size with this header of 9, plain size."""
    parts, at = [], 0
    while at < len(body):
        method, size, plain = struct.unpack_from("<BII", body, at + 16)
        packed = body[at + 25:at + 16 + size]
        if len(packed) != size - 9:
            refuse(354, "A compressed block ends early. (CANNOT_DECOMPRESS)")
        if method == 0x82:
            packed = lz4.block.decompress(packed, uncompressed_size=plain)
        elif method == 0x90:
            packed = zstd.decompress(packed)
        elif method != 0x02:
            refuse(89, f"Unknown compression method: {method}. (UNKNOWN_COMPRESSION_METHOD)")
        parts.append(packed)
        at += 16 + size
    return b"".join(parts)


class Front(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def __init__(self, port, path, users, tls):
        self.engine = Engine(path)
        self.faults = Faults()
        self.users = users
        self.requests = collections.deque(maxlen=10000)
        super().__init__(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, Dropped)):
            super().handle_error(request, client_address)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("data")
    options.add_argument("port", type=int)
    options.add_argument("--users", default='{"default": {"password": ""}}')
    options.add_argument("--tls-cert")
    options.add_argument("--tls-key")
    given = options.parse_args()
    engine.set_signal_handlers_enabled(0)
    tls = (given.tls_cert, given.tls_key) if given.tls_cert else None
    Front(given.port, given.data, json.loads(given.users), tls).serve_forever()


if __name__ == "__main__":
    main()
