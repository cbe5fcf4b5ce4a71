"""One real server as a child process: start on a free port, wait until healthy, stop, kill, restart in place."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

CACHE = Path(os.environ.get("WEIR_CACHE") or Path.home() / ".cache" / "weir")
_SETPRIV = shutil.which("setpriv") or "/usr/bin/setpriv"  # of util-linux, which Debian always has
_LIVE = set()


class ServerError(RuntimeError):
    """A server is missing or does not run. Tests fail with it; they are never skipped."""


def binary(name):
    path = CACHE / "bin" / name
    if not path.exists():
        raise ServerError(f"{path} is missing: run `make setup`")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(pid, port):
    """Whether this very process listens on the loopback port (by the socket's inode in /proc)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    try:
        return any(os.readlink(entry.path) in inodes for entry in os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def tied(command):
    """The command as a child that the kernel kills when this process dies; it keeps its pid. The tie is to the thread
    that starts it, so from another thread than the main one only atexit ends it. Not by preexec_fn: a fork beside
    threads of libraries can stand still for ever in CPython."""
    command = [str(part) for part in command]
    if threading.current_thread() is threading.main_thread():
        return [_SETPRIV, "--pdeathsig", "KILL", "--", *command]
    return command


@atexit.register
def _kill_all():
    for server in list(_LIVE):
        server.kill9()


class Server:
    """Base of the servers. Subclasses give ports(), command(), health_url() and environment()."""

    NAME = "server"
    START_TIMEOUT_S = 30
    ATTEMPTS = 5

    def __init__(self, folder=None):
        self._own_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix=f"weir-{self.NAME}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{self.NAME}.log"
        self.process = None
        self.ports = {}

    # To be given by subclasses.
    PORTS = ()

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def health_url(self):
        raise NotImplementedError

    def start(self):
        """Starts on free ports and returns when healthy; another try on other ports when one was taken."""
        for attempt in range(self.ATTEMPTS):
            self.ports = {name: free_port() for name in self.PORTS}
            try:
                self._launch()
                return self
            except ServerError:
                if attempt + 1 == self.ATTEMPTS or not self._port_was_taken():
                    raise
        return self

    def restart(self):
        """Stops it when it runs, then starts it on the same ports and data."""
        self.stop()
        self._launch()
        return self

    def stop(self, timeout_s=10):
        """SIGTERM, then SIGKILL after timeout_s."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._forget()

    def kill9(self):
        """As a crash of the machine's process: nothing is flushed by the server itself."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._forget()

    def pause(self):
        """The server stays connected and answers nothing (SIGSTOP) until resume()."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *unused):
        self.close()

    def _forget(self):
        self.process = None
        _LIVE.discard(self)

    def _launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                tied(self.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(), cwd=self.folder)
        _LIVE.add(self)
        deadline = time.monotonic() + self.START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                self._forget()
                raise ServerError(f"{self.NAME} ended with {code} at start:\n{self._log_tail()}")
            if self._healthy():
                return
            time.sleep(0.02)
        self.kill9()
        raise ServerError(f"{self.NAME} was not healthy within {self.START_TIMEOUT_S} s:\n{self._log_tail()}")

    def _healthy(self):
        # The port may be another process's, whose health says nothing about ours.
        if not all(listens(self.process.pid, port) for port in self.ports.values()):
            return False
        try:
            with urllib.request.urlopen(self.health_url(), timeout=2, context=self._tls_context()) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _tls_context(self):
        return None

    def _log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def _port_was_taken(self):
        text = self._log_tail().lower()
        return "address already in use" in text or "already in use" in text
