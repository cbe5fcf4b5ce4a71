"""The demo, small: it must tell the truth, take an event of one's own, and leave no process behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "demo"))

from clickhouse_sql import rows as clickhouse_rows  # noqa: E402


def test_demo(weir):
    # A session of its own, so that whatever it leaves behind can be found.
    environment = dict(os.environ, WEIR_BINARY=str(weir.path), DEMO_ORDERS="10000")
    environment.pop("DEMO_SECONDS", None)
    demo = subprocess.Popen([str(ROOT / "tools" / "demo")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=environment, cwd=ROOT, start_new_session=True)
    try:
        text = ""
        for line in demo.stdout:
            text += line
            if line.startswith("DEMO "):
                break
        last = text.splitlines()[-1]
        assert last == ("DEMO OK input=10001 lake=9985 errors=24 replayed=8 lost=0 doubled=0 "
                        "clickhouse=9985"), text[-3000:]
        assert "It is not clickhouse-server" in text and text.count("clickhouse_sql.py http") >= 4
        assert "lost 0, doubled 0" in text and re.search(r"recovery time \d+ ms", text)
        for command in ("cat orders.sql", "kill -9", "errors list", "errors show", "errors replay", "diff -u",
                        "curl -s"):
            assert re.search(rf"^\$ .*{re.escape(command)}", text, re.M), command
        folder = re.search(r"lake: +(\S+)/lake/orders", text).group(1)
        event = ('{"order_id": 99000001, "customer": "you", "status": "new", "amount": 12.5, '
                 '"placed_at": "2026-11-21T12:00:00"}')
        send = subprocess.run([str(ROOT / "tools" / "demo"), "send", event], capture_output=True, text=True, timeout=30)
        assert "stored as number 10002" in send.stdout, send.stdout + send.stderr
        deadline = time.monotonic() + 15
        query = ["sql", "-f", "orders.sql", "--format", "json",
                 "SELECT order_id FROM lake_orders WHERE customer = 'you'"]
        while "99000001" not in weir.run(query, cwd=folder).stdout:
            assert time.monotonic() < deadline, "the event did not arrive"
            time.sleep(0.2)
        url = re.search(r"ClickHouse listens on (http://[\w.:]+\d)", text).group(1)
        assert clickhouse_rows(url, "SELECT order_id FROM orders WHERE customer = 'you'") == [{"order_id": 99000001}]
    finally:
        demo.send_signal(signal.SIGINT)
        try:
            code = demo.wait(60)
        finally:
            left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if session_of(pid) == demo.pid]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    assert code == 0
    assert not left, "the demo left processes behind"


def session_of(pid):
    try:
        return os.getsid(pid) if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" else -1
    except (OSError, ProcessLookupError):
        return -1
