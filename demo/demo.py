#!/usr/bin/env python3
"""The demo; see tools/demo. Every number in it is counted in the tables by readers that are not Weir."""

import difflib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

from clickhouse_sql import rows as clickhouse_rows  # noqa: E402
from count import Counted, count_places  # noqa: E402
from duckdb_sql import rows as duckdb_rows  # noqa: E402
from orders import BROKEN_EVERY, MENDABLE, WAYS, way_of  # noqa: E402
from servers import ClickHouseFront, NatsServer, tied  # noqa: E402

ORDERS = int(os.environ.get("DEMO_ORDERS") or 50_000)
FIRST_PART = ORDERS * 3 // 5
RATE = min(4_000, (ORDERS - FIRST_PART) // 4)  # the second part lasts some seconds, for the kill to come within
TOTALS = ("SELECT count(*) AS orders, count(DISTINCT order_id) AS different, CAST(sum(amount) AS DOUBLE) AS amount "
          "FROM lake_orders")
CLICKHOUSE_TOTALS = ("SELECT count() AS orders, uniqExact(order_id) AS different, toFloat64(sum(amount)) AS amount "
                     "FROM orders")
MENDED = "code IN ('check_failed', 'out_of_range')"


class Failure(Exception):
    pass


def require(condition, words):
    if not condition:
        raise Failure(words)


def quoted(argument):
    """For a shell; double quotes around SQL, which has single ones."""
    plain = not set(argument) & set('"$`\\!')
    return f'"{argument}"' if "'" in argument and plain else shlex.quote(argument)


class Screen:
    """Bold and colour only on a terminal."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.finished = False  # the verdict was the last line

    def title(self, number, words):
        text = f"({number}) {words}"
        print(f"\n\033[1;36m{text}\033[0m" if self.colours else f"\n{text}", flush=True)

    def command(self, text):
        print(f"\033[1m$ {text}\033[0m" if self.colours else f"$ {text}", flush=True)

    def say(self, words=""):
        print(words, flush=True)


def free_port(wanted):
    """`wanted`, or another one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise Failure("no port is free")


class Watched:
    """A running `weir run` or `weir serve` whose progress goes to our screen as it would to a terminal of its own."""

    LINE_EVERY_S = 0.5

    def __init__(self, screen, command, folder):
        self.screen = screen
        self.shows_progress = True
        self.started = time.monotonic()
        self.recovered_s = None
        ours, theirs = os.openpty()
        self.process = subprocess.Popen(tied(command), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                                        cwd=folder)
        os.close(theirs)
        self.reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self.reader.start()

    def _read(self, terminal):
        text, shown = "", 0.0
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # how Linux says that the last writer is gone
                break
            if not data:
                break
            text += data.decode(errors="replace")
            *whole, text = re.split(r"\r\n|\n|\r\x1b\[K|\r", text)
            for line in filter(None, (re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", part) for part in whole)):
                progress = "state=" in line
                if "recovered in" in line and self.recovered_s is None:
                    self.recovered_s = time.monotonic() - self.started
                if progress and (not self.shows_progress or time.monotonic() - shown < self.LINE_EVERY_S):
                    continue
                shown = time.monotonic() if progress else shown
                if not self.screen.finished:
                    self.screen.say(f"  {line}")
        os.close(terminal)

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def interrupt(self):
        """Ctrl-C; the pipeline drains."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise Failure("weir run did not drain within 20 s of Ctrl-C")
        self.reader.join(5)
        return code


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.screen = Screen()
        self.step = 0
        self.weir = Path(os.environ.get("WEIR_BINARY") or ROOT / "build" / "weir").resolve()
        self.weir_text = os.path.relpath(self.weir, folder)
        self.nats = None
        self.clickhouse = None
        self.pipeline = None
        self.publisher = None
        self.edge = None
        self.edge_url = ""
        self.by_curl = 0
        self.resolved = 0

    # ---- helpers -------------------------------------------------------------------------------------------------

    def title(self, number, words):
        self.step = number
        self.screen.title(number, words)

    def shell(self, text, show=True):
        """Prints a command, runs it in the demo's folder, prints and returns what it said."""
        self.screen.command(text)
        done = subprocess.run(tied(["bash", "-c", text]), cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90)
        if show or done.returncode:
            self.screen.say(done.stdout.rstrip("\n"))
        require(done.returncode == 0, f"exit {done.returncode} of: {text}")
        return done.stdout

    def weir_command(self, *arguments):
        return " ".join([self.weir_text, *map(quoted, arguments)])

    def start_pipeline(self):
        self.screen.command(self.weir_command("run", "orders.sql") + " &")
        self.pipeline = Watched(self.screen, [str(self.weir), "run", "orders.sql"], self.folder)

    def publish_command(self, first, last, rate=0):
        publish = [sys.executable, str(HERE / "publish.py"), self.nats.url, str(first), str(last)]
        text = f"{os.path.relpath(HERE / 'publish.py', self.folder)} {self.nats.url} {first} {last}"
        if rate:
            publish += ["--rate", str(rate)]
            text += f" --rate {rate} &"
        return publish, text

    def counted(self):
        return count_places(self.folder / "lake" / "orders", self.folder / "errors" / "orders")

    def wait_for(self, positions, timeout_s=40):
        """Until lake and error lake together hold this many events of the stream."""
        deadline = time.monotonic() + timeout_s
        while True:
            counted = self.counted()
            if counted.different >= positions:
                return counted
            require(self.pipeline.process.poll() is None, "weir run ended by itself")
            require(time.monotonic() < deadline,
                    f"only {counted.different:,} of {positions:,} events after {timeout_s} s")
            time.sleep(0.1)

    # ---- the steps -----------------------------------------------------------------------------------------------

    def run(self):
        self.screen.say(f"Weir's demo: a real nats-server, a Delta lake on disk, ClickHouse, {ORDERS:,} orders. Every "
                        "command is shown before it runs.")
        self.screen.command(f"cd {os.path.relpath(self.folder, os.getcwd())}")
        # Nobody pulls the plug of this machine, so the server need not wait for the disk at each message.
        self.nats = NatsServer(self.folder / "nats", sync_interval="2m").start()
        self.screen.say(f"(nats-server with JetStream listens on {self.nats.url})")
        self.clickhouse = ClickHouseFront(self.folder / "clickhouse").start()
        version = self.clickhouse.value("SELECT version()")
        self.screen.say(f"(ClickHouse listens on {self.clickhouse.url}. It is not clickhouse-server, but ClickHouse's "
                        f"engine {version} as a library, chdb-core, behind an HTTP front of ours: "
                        "tests/servers/clickhouse_front.py)")
        self.show_pipeline()
        self.publish_first_part()
        self.run_pipeline()
        self.compare_totals()
        self.kill_in_mid_stream()
        self.look_at_errors()
        self.mend_and_replay()
        self.send_by_curl()
        self.try_it()
        return self.verdict()

    def show_pipeline(self):
        self.title(1, "The pipeline: one SQL file")
        text = (HERE / "orders.sql").read_text().replace("nats://127.0.0.1:4222", self.nats.url) \
            .replace("http://127.0.0.1:8123", self.clickhouse.url)
        (self.folder / "orders.sql").write_text(text)
        self.shell("cat orders.sql")
        self.shell(self.weir_command("check", "orders.sql"))

    def publish_first_part(self):
        broken = ORDERS // BROKEN_EVERY
        self.title(2, f"Services send {ORDERS:,} orders, {broken} of them broken in {len(WAYS)} ways: "
                      f"{FIRST_PART:,} now, the others in step 5, while Weir is killed")
        for way in WAYS:
            self.screen.say(f"  broken: {way}")
        publish, text = self.publish_command(1, FIRST_PART)
        self.screen.command(text)
        said = subprocess.run(tied(publish), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=90)
        self.screen.say(said.stdout.rstrip("\n"))
        require(said.returncode == 0, "the publisher failed")

    def run_pipeline(self):
        self.title(3, "Weir reads the stream: rate, commits, errors as they happen")
        self.start_pipeline()
        self.wait_for(FIRST_PART)
        time.sleep(0.6)
        self.pipeline.shows_progress = False
        self.screen.say(f"  lake:       {self.folder / 'lake' / 'orders'}")
        self.screen.say(f"  error lake: {self.folder / 'errors' / 'orders' / 'orders'}")

    def compare_totals(self):
        self.title(4, "Totals: Weir's SQL, DuckDB over the same files (opened by deltalake, so that no extension is "
                      "downloaded), and ClickHouse")
        ours = json.loads(self.shell(self.weir_command("sql", "-f", "orders.sql", "--format", "json", TOTALS)))
        duckdb = os.path.relpath(HERE / "duckdb_sql.py", self.folder)
        self.screen.command(f"{duckdb} lake/orders {quoted(TOTALS)}")
        theirs = duckdb_rows(str(self.folder / "lake" / "orders"), TOTALS)[0]
        self.screen.say(json.dumps(theirs))
        require(ours["orders"] == theirs["orders"] == FIRST_PART - FIRST_PART // BROKEN_EVERY,
                "the counts differ from what was sent")
        require(ours["different"] == theirs["different"] == ours["orders"], "some order is there twice")
        require(abs(ours["amount"] - theirs["amount"]) < 0.005, "the amounts differ")
        self.compare_with_clickhouse()

    def compare_with_clickhouse(self):
        """ClickHouse's total, after what must be the lake's."""
        script = os.path.relpath(HERE / "clickhouse_sql.py", self.folder)
        self.screen.command(f"{script} {self.clickhouse.url} {quoted(CLICKHOUSE_TOTALS)}")
        fresh = clickhouse_rows(self.clickhouse.url, CLICKHOUSE_TOTALS)[0]
        self.screen.say(json.dumps(fresh))
        lake = duckdb_rows(str(self.folder / "lake" / "orders"), TOTALS)[0]
        require(fresh["orders"] == fresh["different"], "some order is in ClickHouse twice")
        require((fresh["orders"], fresh["different"]) == (lake["orders"], lake["different"]),
                f"ClickHouse has {fresh['orders']:,} orders, the lake has {lake['orders']:,}")
        require(abs(fresh["amount"] - lake["amount"]) < 0.005, "the amounts in ClickHouse and the lake differ")
        return fresh["orders"]

    def kill_in_mid_stream(self):
        self.title(5, "kill -9 in mid-stream, while the services go on sending")
        publish, text = self.publish_command(FIRST_PART + 1, ORDERS, RATE)
        self.screen.command(text)
        self.pipeline.shows_progress = True
        self.publisher = subprocess.Popen(tied(publish), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True)
        self.wait_for(FIRST_PART + (ORDERS - FIRST_PART) // 3)
        self.screen.command(f"kill -9 {self.pipeline.process.pid}")
        self.pipeline.kill9()
        at_kill = self.counted()
        self.screen.say(f"  killed: {at_kill.different:,} of {ORDERS:,} events were in the lake or the error lake")
        require(self.publisher.poll() is None and at_kill.different < ORDERS,
                "the kill came after the end of the stream")
        self.start_pipeline()
        said, _ = self.publisher.communicate(timeout=60)
        require(self.publisher.returncode == 0, f"the publisher failed: {said}")
        counted = self.wait_for(ORDERS)
        self.pipeline.shows_progress = False
        self.screen.say(f"  {said.strip().splitlines()[-1]}")
        require(self.pipeline.recovered_s is not None, "weir run did not say that it recovered")
        lost, doubled = self.judge(counted)
        self.screen.say(f"  recovery time {self.pipeline.recovered_s * 1000:.0f} ms (process start to reading on)")
        self.screen.say(f"  counted by stream sequence, with deltalake: {counted.lake:,} in the lake + "
                        f"{counted.errors} in the error lake, lost {lost}, doubled {doubled}")
        require(lost == 0 and doubled == 0, "events were lost or doubled")
        in_clickhouse = self.compare_with_clickhouse()
        self.screen.say(f"  ClickHouse holds the same {in_clickhouse:,} orders as the lake, and the same sum")

    def judge(self, counted: Counted):
        """(lost, doubled) against the numbers of the stream: 1…ORDERS and those by curl, each stored once by
        JetStream."""
        sent = ORDERS + self.by_curl
        return sent - counted.different_up_to(sent), counted.doubled

    def look_at_errors(self):
        self.title(6, "What was broken, and why")
        self.shell(self.weir_command("sql", "-f", "orders.sql", "SELECT code, field, count(*) AS events "
                                     "FROM errors.orders GROUP BY code, field ORDER BY code"))
        self.shell(self.weir_command("errors", "list", "orders.sql") + " | head -n 10")
        listed = self.shell(self.weir_command("errors", "list", "orders.sql", "--format", "json"), show=False)
        self.screen.say(f"({len(listed.splitlines())} lines of JSON)")
        errors = [json.loads(line) for line in listed.splitlines()]
        broken = sum(way_of(number) is not None for number in range(1, ORDERS + 1))
        require(len(errors) == broken, f"{len(errors)} errors are listed, {broken} broken orders were sent")
        by_code = {error["code"]: error["id"] for error in errors}
        require(len(by_code) == len(WAYS), f"six ways should have six codes, found {sorted(by_code)}")
        for code in ("wrong_type", "check_failed"):
            self.shell(self.weir_command("errors", "show", "orders.sql", "--id", by_code[code]))

    def mend_and_replay(self):
        self.title(7, "The services are right about two of the six: mend the schema, replay what was stored")
        path = self.folder / "orders.sql"
        old = path.read_text()
        new = old.replace("VARCHAR(8)", "VARCHAR(32)").replace("'shipped')", "'shipped', 'refunded')")
        self.screen.command("diff -u orders.sql orders-mended.sql")
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), "orders.sql", "orders-mended.sql", n=0,
                                         lineterm=""):
            self.screen.say(line)
        require(old != new, "there is nothing to mend")
        self.screen.command(f"kill -INT {self.pipeline.process.pid}; mv orders-mended.sql orders.sql")
        require(self.pipeline.interrupt() == 0, "weir run did not drain")
        path.write_text(new)
        self.start_pipeline()
        self.pipeline.shows_progress = False
        mendable = sum(way_of(number) in MENDABLE for number in range(1, ORDERS + 1))
        replay = self.weir_command("errors", "replay", "orders.sql", "--where", MENDED)
        first = self.shell(replay)
        require(f"replayed={mendable} resolved={mendable} failed=0" in first, f"expected {mendable} to be resolved")
        self.shell(self.weir_command("errors", "count", "orders.sql"))
        self.screen.say("And again: nothing is left to replay, nothing is doubled.")
        require("replayed=0 resolved=0 failed=0" in self.shell(replay), "a second replay found something")
        self.resolved = mendable
        self.screen.say("What came back is in both:")
        self.compare_with_clickhouse()

    def send_by_curl(self):
        self.title(8, "The edge: a service without a NATS client sends by HTTP, and is answered when JetStream has it")
        port = free_port(7080)
        text = (HERE / "weir.toml").read_text().replace("nats://127.0.0.1:4222", self.nats.url) \
            .replace("127.0.0.1:7080", f"127.0.0.1:{port}")
        (self.folder / "weir.toml").write_text(text)
        self.shell("cat weir.toml")
        self.screen.command(self.weir_command("serve", "--config", "weir.toml") + " &")
        self.edge = Watched(self.screen, [str(self.weir), "serve", "--config", "weir.toml"], self.folder)
        self.edge_url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while subprocess.call(["curl", "-sf", "-o", "/dev/null", f"{self.edge_url}/healthz"]):
            require(self.edge.process.poll() is None, "weir serve ended by itself")
            require(time.monotonic() < deadline, "weir serve does not answer")
            time.sleep(0.1)
        order = ('{"order_id": 98000001, "customer": "curl", "status": "new", "amount": 10.00, '
                 '"placed_at": "2026-11-21T12:00:00"}')
        send = (f"curl -s {self.edge_url}/v1/events/orders -H 'content-type: application/json' "
                f"-H 'idempotency-key: order-98000001' -d {shlex.quote(order)}")
        self.shell(send)
        self.screen.say("And again, as a client does whose answer was lost: the same position, nothing is doubled.")
        require('"repeated":true' in self.shell(send).replace(" ", ""), "the edge took a repeat for a new order")
        self.by_curl = 1
        self.wait_for(ORDERS + 1)
        self.shell(self.weir_command("sql", "-f", "orders.sql", "SELECT * FROM lake_orders WHERE customer = 'curl'"))
        self.compare_with_clickhouse()

    def try_it(self):
        self.title(9, "Try it: the pipeline runs on. In another terminal, from the checkout, send an event of yours:")
        self.screen.say("  tools/demo send '{\"order_id\": 99000001, \"customer\": \"you\", \"status\": \"new\", "
                        "\"amount\": 12.50, \"placed_at\": \"2026-11-21T12:00:00\"}'")
        self.screen.say("and look for it (or break it first, and find it with errors show):")
        self.screen.say(f"  cd {self.folder} && " + self.weir_command(
            "sql", "-f", "orders.sql", "SELECT * FROM lake_orders WHERE customer = 'you'"))
        self.screen.say(f"  {os.path.relpath(HERE / 'clickhouse_sql.py', ROOT)} {self.clickhouse.url} "
                        + quoted("SELECT * FROM orders WHERE customer = 'you'"))
        (self.folder / "nats-url").write_text(self.nats.url)

    def verdict(self):
        counted = self.counted()
        lost, doubled = self.judge(counted)
        require(lost == 0 and doubled == 0, f"lost={lost} doubled={doubled}")
        require(counted.resolved == self.resolved,
                f"{counted.resolved} errors are resolved, {self.resolved} were replayed")
        fresh = clickhouse_rows(self.clickhouse.url, CLICKHOUSE_TOTALS)[0]["orders"]
        require(fresh == counted.lake, f"ClickHouse has {fresh:,} orders, the lake has {counted.lake:,}")
        return (f"DEMO OK input={ORDERS + self.by_curl} lake={counted.lake} errors={counted.errors} "
                f"replayed={counted.resolved} lost={lost} doubled={doubled} clickhouse={fresh}")

    def stay(self):
        seconds = os.environ.get("DEMO_SECONDS")
        deadline = time.monotonic() + float(seconds) if seconds else None
        while deadline is None or time.monotonic() < deadline:
            if self.pipeline.process.poll() is not None:
                raise Failure("weir run ended by itself")
            time.sleep(0.1)

    def close(self):
        """Leaves no process behind."""
        for child in (self.publisher, self.edge and self.edge.process, self.pipeline and self.pipeline.process):
            if child is not None and child.poll() is None:
                child.terminate()
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        for server in (self.nats, self.clickhouse):
            if server:
                server.close()
        (self.folder / "nats-url").unlink(missing_ok=True)


def claim_folder():
    """build/demo, emptied; another one when a demo is up there. The lock is held until this process ends."""
    folder = ROOT / "build" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.parent / "demo.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return Path(tempfile.mkdtemp(prefix="weir-demo-"))
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def send(arguments):
    """tools/demo send '<json>': to the demo that is up in build/demo."""
    url = ROOT / "build" / "demo" / "nats-url"
    if len(arguments) != 1:
        sys.exit("usage: tools/demo send '{\"order_id\": …}'")
    if not url.exists():
        sys.exit("demo: no demo is up in build/demo; start one with make demo")
    return subprocess.call([sys.executable, str(HERE / "publish.py"), url.read_text(), "--event", arguments[0]])


def main():
    if sys.argv[1:2] == ["send"]:
        return send(sys.argv[2:])
    if sys.argv[1:]:
        sys.exit("usage: tools/demo [send '{\"order_id\": …}']")
    # Started in the background of a script, SIGINT would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    demo = Demo(claim_folder())
    try:
        if not demo.weir.exists():
            raise Failure(f"{demo.weir} is missing: run make build")
        line = demo.run()
        seconds = os.environ.get("DEMO_SECONDS")
        demo.screen.say(f"\n(up for {seconds} s more)" if seconds else "\n(Ctrl-C ends the demo)")
        demo.screen.finished = True
        demo.screen.say(line)
        demo.stay()
        return 0
    except KeyboardInterrupt:
        return 0 if demo.step == 9 else 130
    except Exception as error:
        demo.screen.say(f"\n{type(error).__name__}: {error}")
        demo.screen.finished = True
        demo.close()
        demo.screen.say(f"DEMO FAILED step {demo.step}")
        return 1
    finally:
        demo.close()


if __name__ == "__main__":
    sys.exit(main())
