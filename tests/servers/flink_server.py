"""Apache Flink: a cluster of one process with its SQL gateway, and what tests do through the gateway."""

import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from .process import CACHE, Server, ServerError

_TIMEOUT_S = 60


class FlinkServer(Server):
    """JobManager, TaskManager and SQL gateway in one JVM (FlinkServer.java), started from the component jars of Maven.

    `gateway` and `jobmanager` are their REST addresses. State lives on the heap, checkpoints below the folder.
    config: more of Flink's settings. close() kills it: an orderly stop keeps nothing more.
    """

    NAME = "flink"
    PORTS = ("jobmanager", "gateway")
    START_TIMEOUT_S = 90

    def __init__(self, folder=None, slots=32, config=None):
        super().__init__(folder)
        self.slots, self.config = slots, dict(config or {})
        self._sessions = {}

    @property
    def gateway(self):
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def jobmanager(self):
        return f"http://127.0.0.1:{self.ports['jobmanager']}"

    url = gateway

    @property
    def checkpoints(self):
        return self.folder / "checkpoints"

    def command(self):
        jars, java = CACHE / "flink", shutil.which("java")
        if java is None or not (jars / "pin").exists():
            raise ServerError(f"{'java' if java is None else jars} is missing: run `make setup`")
        for name in ("checkpoints", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        settings = {
            "rest.port": self.ports["jobmanager"], "rest.bind-port": self.ports["jobmanager"],
            "rest.bind-address": "127.0.0.1", "rest.address": "127.0.0.1",
            "sql-gateway.endpoint.rest.address": "127.0.0.1", "sql-gateway.endpoint.rest.bind-address": "127.0.0.1",
            "sql-gateway.endpoint.rest.port": self.ports["gateway"],
            "sql-gateway.endpoint.rest.bind-port": self.ports["gateway"],
            "taskmanager.numberOfTaskSlots": self.slots, "parallelism.default": 1,
            # A window needs some managed memory of its slot; what is not used is never taken.
            "taskmanager.memory.network.min": "64mb", "taskmanager.memory.network.max": "64mb",
            "taskmanager.memory.managed.size": "1gb",
            "state.backend.type": "hashmap", "execution.checkpointing.dir": self.checkpoints.as_uri(),
            "io.tmp.dirs": self.folder / "tmp", "table.local-time-zone": "UTC",
            # What a cluster spares its machine, a test would wait for.
            "heartbeat.interval": "1 s", "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 3, "restart-strategy.fixed-delay.delay": "200 ms",
            **self.config,
        }
        log = "-Dorg.slf4j.simpleLogger"
        return [java, "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", f"{log}.defaultLogLevel=warn",
                f"-Djava.io.tmpdir={self.folder / 'tmp'}", "-cp", f"{jars}/*",
                Path(__file__).with_name("FlinkServer.java"), *(f"{key}={value}" for key, value in settings.items())]

    def health_url(self):
        return f"{self.gateway}/v1/info"

    def close(self):
        self._sessions.clear()
        self.kill9()
        super().close()

    # SQL through the gateway.

    def open_session(self, **settings):
        """A new session's handle; settings with _ for . and __ for -."""
        properties = {key.replace("__", "-").replace("_", "."): str(value) for key, value in settings.items()}
        return self._request("POST", "/v1/sessions", {"properties": properties})["sessionHandle"]

    def execute(self, session, statement):
        """Runs one statement and waits until it is done: a query's or statement's rows, as lists. An INSERT is done
        when its job is submitted; its only row is the job's id."""
        path = f"/v1/sessions/{session}"
        operation = self._request("POST", f"{path}/statements", {"statement": statement})["operationHandle"]
        rows, page = [], f"{path}/operations/{operation}/result/0?rowFormat=JSON"
        deadline = time.monotonic() + _TIMEOUT_S
        while page:
            answer = self._request("GET", page)
            found = [row["fields"] for row in answer.get("results", {}).get("data", [])]
            rows += found
            page = None if answer["resultType"] == "EOS" else answer.get("nextResultUri")
            if page and not found:
                if time.monotonic() > deadline:
                    raise ServerError(f"Flink did not finish within {_TIMEOUT_S} s: {statement[:200]}")
                time.sleep(0.05)
        return rows

    # Jobs.

    def jobs(self):
        """Of each job: jid, name, state …, the newest first."""
        return sorted(self.job_manager("/jobs/overview")["jobs"], key=lambda job: -job["start-time"])

    def wait_for_job(self, job, state="FINISHED", timeout_s=_TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while True:
            now = self.job_manager(f"/jobs/{job}")["state"]
            if now == state:
                return
            if now in ("FAILED", "CANCELED", "FINISHED") or time.monotonic() > deadline:
                causes = self.job_manager(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
                raise ServerError(f"Flink job {job} is {now}, expected {state}:\n"
                                  + "\n".join(_causes(entry["stacktrace"]) for entry in causes[:2]))
            time.sleep(0.05)

    def job_manager(self, path, method="GET", body=None):
        """The JSON answer of the JobManager's REST API."""
        return self._request(method, path, body, self.jobmanager)

    def _request(self, method, path, body=None, server=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request((server or self.gateway) + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            words = "\n".join(json.loads(error.read()).get("errors", []))
            raise ServerError(f"Flink answered {error.code} to {method} {path}: {_causes(words)}") from None


def _causes(trace):
    """Of a Java stack trace, what each cause says."""
    lines = [line for line in trace.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "... "))]
    return "\n".join(lines)[-4000:]
