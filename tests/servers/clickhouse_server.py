"""Two ClickHouse servers with one interface: Debian's genuine old one, and the modern engine behind our HTTP front."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.sax.saxutils import escape

from .process import CACHE, Server, ServerError


class ClickHouseError(RuntimeError):
    """`code` is ClickHouse's own number, 0 when there was none."""

    def __init__(self, status, code, text):
        super().__init__(f"{status}: {text.strip()}")
        self.status, self.code = status, code


class _ClickHouse(Server):
    """users: {name: password}, or {name: {"password": …, "readonly": True}}. "default" has no password unless given."""

    def __init__(self, folder=None, users=None):
        super().__init__(folder)
        self.users = {"default": {"password": ""}}
        for name, user in (users or {}).items():
            self.users[name] = {"password": user} if isinstance(user, str) else dict(user)

    @property
    def port(self):
        return self.ports["http"]

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self):
        return self.http_url

    def health_url(self):
        return f"{self.http_url}/ping"

    def query(self, sql, body=None, user=None, timeout_s=60, **parameters):
        """The answer's bytes. body: what follows the statement (INSERT … FORMAT X); parameters: database, settings,
        param_x. As "default", or the first user that may write, unless `user` is given."""
        given = {key: str(value) for key, value in parameters.items()}
        name = user or "default"
        headers = {"X-ClickHouse-User": name, "X-ClickHouse-Key": self.users.get(name, {}).get("password", "")}
        if body is not None:
            given["query"] = sql
        call = urllib.request.Request(f"{self.http_url}/?{urllib.parse.urlencode(given)}", method="POST",
                                      data=sql.encode() if body is None else body, headers=headers)
        try:
            with urllib.request.urlopen(call, timeout=timeout_s, context=self._tls_context()) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            code = error.headers.get("X-ClickHouse-Exception-Code") or "".join(
                letter for letter in text[:14].removeprefix("Code: ") if letter.isdigit()) or 0
            raise ClickHouseError(error.code, int(code), text) from error

    def rows(self, sql, **parameters):
        """A list of tuples."""
        answer = self.query(f"{sql} FORMAT JSONCompact", output_format_json_quote_64bit_integers=0, **parameters)
        return [tuple(row) for row in json.loads(answer)["data"]]

    def value(self, sql, **parameters):
        """The first column of the first row."""
        return self.rows(sql, **parameters)[0][0]

    def _port_was_taken(self):
        return "Address already in use" in self.log.read_text(errors="replace")[-20000:]


class ClickHouseServer(_ClickHouse):
    """The genuine clickhouse-server of Debian, 18.16: the proof of HTTP and Native against ClickHouse's own code.

    It knows neither DateTime64, TTL, deduplication tokens nor RowBinaryWithNamesAndTypes. `native_port` speaks
    ClickHouse's own protocol. config: more XML for its configuration; profile: settings of all users.
    """

    NAME = "clickhouse-server"
    PORTS = ("http", "native")

    def __init__(self, folder=None, users=None, config="", profile=None):
        super().__init__(folder, users)
        self.config, self.profile = config, profile or {}

    @property
    def native_port(self):
        return self.ports["native"]

    def command(self):
        binary = CACHE / "clickhouse" / "usr" / "sbin" / "clickhouse-server"
        if not binary.exists():
            raise ServerError(f"{binary} is missing: run `make setup`")
        (self.folder / "config.xml").write_text(self._config())
        (self.folder / "users.xml").write_text(self._users())
        return [str(binary), f"--config-file={self.folder}/config.xml"]

    def _config(self):
        return f"""<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{self.port}</http_port>
  <tcp_port>{self.native_port}</tcp_port>
  <path>{self.folder}/data/</path>
  <tmp_path>{self.folder}/tmp/</tmp_path>
  <user_files_path>{self.folder}/files/</user_files_path>
  <users_config>{self.folder}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <mark_cache_size>5368709</mark_cache_size>
  <timezone>UTC</timezone>
  {self.config}
</yandex>
"""

    def _users(self):
        settings = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in self.profile.items())
        users = "".join(
            f"<{name}><password>{escape(user['password'])}</password><networks><ip>::/0</ip></networks>"
            f"<profile>{'readonly' if user.get('readonly') else 'default'}</profile><quota>default</quota></{name}>\n"
            for name, user in self.users.items())
        return f"""<yandex>
  <profiles><default>{settings}</default><readonly><readonly>1</readonly>{settings}</readonly></profiles>
  <quotas><default></default></quotas>
  <users>{users}</users>
</yandex>
"""


class ClickHouseFront(_ClickHouse):
    """ClickHouse's modern engine (chdb-core) behind our HTTP layer, a process of its own: see clickhouse_front.py.

    What was answered with 200 survives kill -9. tls=make_certificates(…) makes it https.
    """

    NAME = "clickhouse-front"
    PORTS = ("http",)
    START_TIMEOUT_S = 60

    def __init__(self, folder=None, users=None, tls=None):
        super().__init__(folder, users)
        self.tls = tls

    @property
    def http_url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def command(self):
        if not any(Path(place, "chdb").is_dir() for place in sys.path):
            raise ServerError("the Python package chdb-core is missing: run `make setup`")
        script = Path(__file__).with_name("clickhouse_front.py")
        tls = ["--tls-cert", self.tls["server_cert"], "--tls-key", self.tls["server_key"]] if self.tls else []
        return [sys.executable, "-P", str(script), str(self.folder / "data"), str(self.port),
                "--users", json.dumps(self.users), *tls]

    def environment(self):
        return dict(os.environ, PYTHONDONTWRITEBYTECODE="1")

    def fault(self, do, when="before", count=1, **more):
        """For the next `count` requests whose query matches (default: INSERTs):

        do="fail"      answers the error `code` (252 too many parts, 241 memory, 164 read-only, …; words= its text)
        do="drop"      resets the connection without an answer
        do="hang"      answers nothing until clear_faults(), then resets
        do="delay"     waits `ms` first
        do="truncate"  sends half of the answer's body, then resets (a SELECT's; an INSERT's body is empty)
        when="before"  the statement takes no effect (but for delay and truncate); when="after": it has taken effect
        skip=n lets n matching requests pass first; match= a regex on the query's text.
        """
        self._side("/_fault", {"do": do, "when": when, "count": count, **more})

    def clear_faults(self):
        self._side("/_fault", {"clear": True})

    def faults(self):
        """{"orders": those that are not used up, "hanging": requests that hang now}"""
        return self._side("/_fault")

    def requests(self, match=""):
        """What was asked since the start (the last 10000), whose query contains `match`: dicts with query, settings,
        database, user, method, encoding, body_bytes, plain_bytes, written_rows, status, code, error, fault, at."""
        return [entry for entry in self._side("/_requests") if match in entry["query"]]

    def wait_for_hang(self, count=1, timeout_s=30):
        """Until `count` requests hang."""
        deadline = time.monotonic() + timeout_s
        while self.faults()["hanging"] < count:
            if time.monotonic() > deadline:
                raise ServerError(f"no {count} requests hang after {timeout_s} s")
            time.sleep(0.01)

    def _side(self, path, order=None):
        data = None if order is None else json.dumps(order).encode()
        try:
            with urllib.request.urlopen(f"{self.http_url}{path}", data, 30, context=self._tls_context()) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ServerError(error.read().decode()) from error

    def _tls_context(self):
        return ssl.create_default_context(cafile=self.tls["ca"]) if self.tls else None
