"""One seed: real servers, a publisher, a Weir that is killed again and again, and the verdict at the end."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import lake
from oracle import Found, judge
from publishers import FilePublisher, NatsPublisher
from servers import MinioServer, NatsServer, child_options


@dataclass
class Outcome:
    workload: str
    seed: int
    events: int = 0
    errors: int = 0
    kills: int = 0
    at_points: int = 0     # of the kills, those that struck at a named point
    restarts: int = 0      # of servers
    replays: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0
    problems: list = field(default_factory=list)
    folder: str = ""

    @property
    def ok(self):
        return not self.problems and not self.lost and not self.doubled


class Slot:
    """The servers of one worker; one seed at a time uses them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.servers = {}

    def server(self, name):
        if name not in self.servers:
            make = {"nats": NatsServer, "minio": MinioServer}[name]
            self.servers[name] = make(self.folder / name).start()
        return self.servers[name]

    def close(self):
        for server in self.servers.values():
            server.close()


class WeirFailure(Exception):
    """Weir ended in a way in which it must not end."""


class SeedRun:
    def __init__(self, weir, slot, workload, plan, folder):
        self.weir, self.slot, self.workload, self.plan = weir, slot, workload, plan
        self.folder = Path(folder)
        self.outcome = Outcome(workload.name, plan.seed, folder=str(folder))
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        self.storage = None
        self.position = (lambda _, offset: ("", offset)) if workload.source == "nats" else \
            (lambda partition, offset: (partition.rsplit("#", 1)[0], offset))
        self.logs = 0

    def run(self):
        started = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._run()
        except WeirFailure as failure:
            self.outcome.problems.append(str(failure))
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _run(self):
        self._prepare()
        if self.workload.replays:
            self._drive_replay()
        else:
            self._drive()
        self._judge()

    # ---- the stage -----------------------------------------------------------------------------------------------

    def _prepare(self):
        name = f"{self.workload.name}-{self.plan.seed}"
        self.places = {"name": name, "state": f"{self.folder}/state", "errors": f"{self.folder}/errors",
                       "lake": f"{self.folder}/lake", "input": f"{self.folder}/input", "stream": name,
                       "least_amount": 0, **self.plan.settings}
        if self.workload.lake == "s3":
            minio = self.slot.server("minio")
            bucket = f"crash-{self.plan.seed}-{os.getpid()}"
            minio.create_bucket(bucket)
            self.places |= {"lake": f"s3://{bucket}/lake", "errors": f"s3://{bucket}/errors", "s3_endpoint": minio.url}
            self.environment |= {"CRASH_S3_KEY": minio.access_key, "CRASH_S3_SECRET": minio.secret_key}
            self.storage = minio.storage_options()
        if self.workload.source == "nats":
            self.places["nats_url"] = self.slot.server("nats").url
        self.pipeline = self._write("pipeline.sql")

    def _write(self, file, **places):
        path = self.folder / file
        path.write_text(self.workload.pipeline.format(**{**self.places, **places}).lstrip())
        return path

    def _publisher(self, events):
        if self.workload.source == "nats":
            publisher = NatsPublisher(self.places["nats_url"], self.places["stream"], events, self.plan.publish_ms,
                                      self.plan.bursts)
            return publisher
        return FilePublisher(self.places["input"], events, self.plan.publish_ms, self.plan.bursts, self.plan.files,
                             self.plan.seed)

    # ---- Weir ----------------------------------------------------------------------------------------------------

    def _start(self, *arguments, point=""):
        self.logs += 1
        log = self.folder / f"weir-{self.logs:02d}.log"
        environment = dict(self.environment, **({"WEIR_CRASH_POINT": point} if point else {}))
        with open(log, "w") as out:
            out.write(f"$ {'WEIR_CRASH_POINT=' + point + ' ' if point else ''}weir {' '.join(map(str, arguments))}\n")
            out.flush()
            process = subprocess.Popen([str(self.weir), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, env=environment, cwd=self.folder, **child_options())
        process.log = log
        return process

    def _wait(self, process, expect, timeout_s=60):
        """`expect`: the exit codes that are right. Returns the output."""
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = f"no end after {timeout_s} s"
        text = process.log.read_text(errors="replace")
        if code not in expect:
            raise WeirFailure(f"exit {code}, not {' or '.join(map(str, expect))}: {text[-1500:]}")
        return text

    def _run_killed(self, kill, *arguments, may_end=False):
        """may_end: a command that ends by itself may be done before the kill."""
        process = self._start(*arguments, point=kill.point)
        try:
            code = process.wait(kill.after_ms / 1000)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.outcome.kills += 1
            return
        if code == -signal.SIGKILL:
            self.outcome.kills += 1
            self.outcome.at_points += 1
        elif not (may_end and code == 0):
            raise WeirFailure(f"exit {code} by itself: {process.log.read_text(errors='replace')[-1500:]}")

    def _run_kills(self):
        for number, kill in enumerate(self.plan.kills):
            self._run_killed(kill, "run", self.pipeline, "--progress", "none")
            if number == 0 and self.plan.lose_state:
                shutil.rmtree(self.places["state"], ignore_errors=True)

    def _drain(self, publisher, server_faults):
        """Runs until all is published, then ends by SIGTERM, which must drain."""
        process = self._start("run", self.pipeline, "--progress", "none")
        try:
            self._finish(publisher, server_faults)
        finally:
            time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
        self._wait(process, [0])

    def _finish(self, publisher, server_faults):
        for fault in server_faults:
            fault.join(60)
        publisher.finish()

    def _server_faults(self):
        def strike(after_ms, name, down_ms):
            server = self.slot.server(name)
            time.sleep(after_ms / 1000)
            server.kill9()
            time.sleep(down_ms / 1000)
            server.restart()
            self.outcome.restarts += 1
        faults = [threading.Thread(target=strike, args=restart, daemon=True) for restart in self.plan.restarts]
        for fault in faults:
            fault.start()
        return faults

    # ---- the play ------------------------------------------------------------------------------------------------

    def _drive(self):
        publisher = self._publisher(self.plan.events)
        if self.workload.source == "nats":
            publisher.create_stream()
        publisher.start()
        faults = self._server_faults()
        try:
            self._run_kills()
        except WeirFailure:
            self._finish(publisher, faults)
            raise
        if publisher.is_alive() or any(fault.is_alive() for fault in faults):
            self._drain(publisher, faults)
        self._finish(publisher, faults)
        self._wait(self._start("run", self.pipeline, "--once", "--progress", "none"), [0])
        self.sent = publisher.sent()
        if self.workload.source == "nats":
            publisher.delete_stream()

    def _drive_replay(self):
        half = len(self.plan.events) // 2
        first, second = self._publisher(self.plan.events[:half]), self._publisher(self.plan.events[half:])
        first.create_stream()
        first.start()
        self._run_kills()
        self._finish(first, [])
        self._wait(self._start("run", self.pipeline, "--once", "--progress", "none"), [0])

        self.pipeline = self._write("mended.sql", least_amount=-1_000_000)
        second.start()
        live = self._start("run", self.pipeline, "--progress", "none")
        replay = ("errors", "replay", self.pipeline)
        try:
            for kill in self.plan.replay_kills:
                self._run_killed(kill, *replay, may_end=True)
                self.outcome.replays += 1
            self._replay_twice_at_once(replay)
            self._finish(second, [])
        finally:
            live.send_signal(signal.SIGTERM)
        self._wait(live, [0])
        self._wait(self._start("run", self.pipeline, "--once", "--progress", "none"), [0])
        self._wait(self._start(*replay), [0])
        again = self._wait(self._start(*replay), [0])
        if not re.search(r"resolved=0\b", again):
            raise WeirFailure(f"a replay after the last one still resolved something: {again}")
        second.kind_of |= first.kind_of
        self.sent = second.sent()
        second.delete_stream()

    def _replay_twice_at_once(self, replay):
        """Both may work, or one may say that another one is at it; nobody may fail in another way."""
        both = [self._start(*replay), self._start(*replay)]
        self.outcome.replays += 2
        texts = [self._wait(process, [0, 1]) for process in both]
        refused = [text for process, text in zip(both, texts) if process.returncode != 0]
        if len(refused) == 2 or any("replay" not in text.split("\n", 1)[1] for text in refused):
            raise WeirFailure(f"of two replays at once: {refused}")

    # ---- the verdict ---------------------------------------------------------------------------------------------

    def found(self):
        errors, name = self.places["errors"], self.places["name"]
        return Found(
            tables={table.name: lake.read_table(f"{self.places['lake']}/{table.name}", self.storage, self.position)
                    for table in self.workload.tables},
            errors=lake.read_errors(f"{errors}/{name}/events", self.storage, self.position),
            resolved=lake.read_resolved(f"{errors}/{name}/_resolved", self.storage))

    def _judge(self):
        found = self.found()
        verdict = judge(self.workload.tables, self.sent, found, replayed=self.workload.replays)
        self.outcome.events, self.outcome.errors = len(self.sent), len(found.errors)
        self.outcome.lost, self.outcome.doubled = verdict.lost, verdict.doubled
        self.outcome.problems += verdict.problems
        self._compare_with_count(found)

    def _compare_with_count(self, found):
        """`weir errors count` must tell what the tables say."""
        text = self._wait(self._start("errors", "count", self.pipeline), [0])
        counts = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", text.split("\n", 1)[1])}
        resolved = len(set(found.resolved))
        expected = {"unresolved": len(found.errors) - resolved, "resolved": resolved, "total": len(found.errors)}
        if counts != expected:
            self.outcome.problems.append(f"weir errors count says {counts}, the tables say {expected}")
