"""One seed: real servers, a publisher, a Weir that is killed again and again, and the verdict at the end."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import clickhouse
import lake
from oracle import Found, judge
from publishers import FilePublisher, HttpPublisher, KafkaPublisher, NatsPublisher
from servers import ClickHouseFront, KafkaServer, MinioServer, NatsServer, tied
from stateful_oracle import FoundResults, judge_results
from weir_serve import WeirServe


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


# How the oracle names a place of a source, by `_weir_partition` and `_weir_offset`.
_POSITIONS = {"nats": lambda _, offset: ("", offset),
              "kafka": lambda partition, offset: (partition.rsplit("/", 1)[1], offset),
              "http": lambda partition, offset: (partition.rsplit("/", 1)[1], offset),
              "file": lambda partition, offset: (partition.rsplit("#", 1)[0], offset)}


class Slot:
    """The servers of one worker, started when the first seed needs them; one seed at a time uses them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)  # of an earlier run in a folder that was kept
        self.servers = {}

    def server(self, name):
        if name not in self.servers:
            make = {"nats": NatsServer, "minio": MinioServer, "kafka": KafkaServer, "clickhouse": ClickHouseFront}[name]
            self.servers[name] = make(self.folder / name).start()
        return self.servers[name]

    def close(self):
        for server in self.servers.values():
            server.close()


class WeirFailure(Exception):
    """Weir ended in a way in which it must not end."""


def terminate(process, timeout_s=10):
    """SIGTERM, but not while the process is still being loaded and knows no signals."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text(), re.M)
            if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
                break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)


class SeedRun:
    def __init__(self, weir, slot, workload, plan, folder):
        self.weir, self.slot, self.workload, self.plan = weir, slot, workload, plan
        self.folder = Path(folder)
        self.outcome = Outcome(workload.name, plan.seed, folder=str(folder))
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        self.storage = None
        self.position = _POSITIONS[workload.source]
        self.clickhouse = None
        self.serve = None
        self.logs = 0

    def run(self):
        started = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._run()
        except WeirFailure as failure:
            self.outcome.problems.append(str(failure))
        finally:
            if self.serve:
                self.serve.close()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _run(self):
        self._prepare()
        if self.workload.replays:
            self._drive_replay()
        else:
            self._drive(self._run_crew if self.workload.workers > 1 else self._run_alone)
        self._judge()
        if self.clickhouse:
            self.clickhouse.query(f"DROP DATABASE {self.places['database']}")

    # ---- the stage -----------------------------------------------------------------------------------------------

    def _prepare(self):
        name = f"{self.workload.name}-{self.plan.seed}"
        self.places = {"name": name, "state": f"{self.folder}/state", "errors": f"{self.folder}/errors",
                       "lake": f"{self.folder}/lake", "input": f"{self.folder}/input", "stream": name,
                       "least_amount": 0, "bounded": "", **self.plan.settings}
        if self.workload.lake == "s3":
            minio = self.slot.server("minio")
            bucket = f"crash-{self.plan.seed}-{os.getpid()}"
            minio.create_bucket(bucket)
            self.places |= {"lake": f"s3://{bucket}/lake", "errors": f"s3://{bucket}/errors", "s3_endpoint": minio.url}
            self.environment |= {"CRASH_S3_KEY": minio.access_key, "CRASH_S3_SECRET": minio.secret_key}
            self.storage = minio.storage_options()
        if self.workload.source == "nats":
            self.places["nats_url"] = self.slot.server("nats").url
        if self.workload.source == "http":
            self.serve = WeirServe(self.weir, self.folder, name, self.plan.partitions,
                                   self.plan.settings["segment_bytes"], self.environment)
            self.places["log"] = self.serve.log_folder
        if self.workload.kafka:
            self.places["kafka_bootstrap"] = self.slot.server("kafka").bootstrap
        if self.workload.clickhouse:
            self._prepare_clickhouse()
        self.pipeline = self._write("pipeline.sql")

    def _prepare_clickhouse(self):
        self.clickhouse = self.slot.server("clickhouse")
        database = f"{self.workload.name}_{self.plan.seed}".replace("-", "_")
        self.places |= {"clickhouse_url": self.clickhouse.url, "database": database}
        self.clickhouse.clear_faults()
        self.clickhouse.query(f"DROP DATABASE IF EXISTS {database}")
        if self.workload.clickhouse_setup:
            self.clickhouse.query(f"CREATE DATABASE {database}")
            self.clickhouse.query(self.workload.clickhouse_setup.format(**self.places))
        for order in self.plan.answers:
            self.clickhouse.fault(**order)

    def _write(self, file, **places):
        path = self.folder / file
        path.write_text(self.workload.pipeline.format(**{**self.places, **places}).lstrip())
        return path

    def _publisher(self, events):
        if self.workload.source == "nats":
            return NatsPublisher(self.places["nats_url"], self.places["stream"], events, self.plan.publish_ms,
                                 self.plan.bursts, self.plan.retention)
        if self.workload.kafka:
            return KafkaPublisher(self.slot.server("kafka"), self.places["stream"], events, self.plan.publish_ms,
                                  self.plan.bursts, self.plan.partitions)
        if self.serve:
            return HttpPublisher(self.serve, self.places["stream"], events, self.plan.publish_ms, self.plan.bursts,
                                 self.plan.seed)
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
            process = subprocess.Popen(tied([self.weir, *arguments]), stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, env=environment, cwd=self.folder)
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
            terminate(process)
        self._wait(process, self._ends_well())

    def _ends_well(self):
        """3: told to stop while it waited for a server that had been away."""
        return [0, 3] if self.plan.restarts or self.plan.answers else [0]

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
        return faults + ([self.serve.strike(self.plan.serve_kills)] if self.serve else [])

    # ---- the play ------------------------------------------------------------------------------------------------

    def _drive(self, play):
        """play(publisher, faults): runs and kills Weir while both go on."""
        publisher = self._publisher(self.plan.events)
        publisher.create()
        publisher.start()
        faults = self._server_faults()
        try:
            play(publisher, faults)
        finally:
            self._finish(publisher, faults)
        if self.serve:
            self.serve.end()
            self.outcome.kills += self.serve.kills
            self.outcome.at_points += self.serve.at_points
        if self.workload.bounded:
            self.pipeline = self._write("bounded.sql", bounded=self.workload.bounded)
        self._wait(self._start("run", self.pipeline, "--once", "--progress", "none"), [0])
        self.sent = publisher.sent()
        publisher.delete()

    def _run_alone(self, publisher, faults):
        self._run_kills()
        if publisher.is_alive() or any(fault.is_alive() for fault in faults):
            self._drain(publisher, faults)

    def _run_crew(self, publisher, faults):
        """Several workers share the source; each kill strikes one, which starts again while the others go on."""
        kills = {number: [kill for kill in self.plan.kills if kill.worker == number]
                 for number in range(self.workload.workers)}
        crew = {number: self._start_member(kills[number]) for number in kills}
        try:
            for kill in self.plan.kills:
                self._kill_member(crew[kill.worker], kill)
                time.sleep(kill.down_ms / 1000)
                kills[kill.worker].pop(0)
                crew[kill.worker] = self._start_member(kills[kill.worker])
            self._finish(publisher, faults)
            time.sleep(0.05)
        finally:
            for member in crew.values():
                terminate(member)
        for member in crew.values():
            self._wait(member, self._ends_well())

    def _start_member(self, kills):
        """It dies at the point of its next kill, when that has one."""
        return self._start("run", self.pipeline, "--progress", "none", point=kills[0].point if kills else "")

    def _kill_member(self, member, kill):
        try:
            code = member.wait(kill.after_ms / 1000)
        except subprocess.TimeoutExpired:
            member.kill()
            member.wait()
            self.outcome.kills += 1
            return
        if code != -signal.SIGKILL:
            raise WeirFailure(f"exit {code} by itself: {member.log.read_text(errors='replace')[-1500:]}")
        self.outcome.kills += 1
        self.outcome.at_points += 1

    def _drive_replay(self):
        half = len(self.plan.events) // 2
        first, second = self._publisher(self.plan.events[:half]), self._publisher(self.plan.events[half:])
        first.create()
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
            terminate(live)
        self._wait(live, [0])
        self._wait(self._start("run", self.pipeline, "--once", "--progress", "none"), [0])
        self._wait(self._start(*replay), [0])
        again = self._wait(self._start(*replay), [0])
        if not re.search(r"resolved=0\b", again):
            raise WeirFailure(f"a replay after the last one still resolved something: {again}")
        second.kind_of |= first.kind_of
        self.sent = second.sent()
        second.delete()

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
            tables={table.name: self._read(table) for table in self.workload.tables},
            errors=lake.read_errors(f"{errors}/{name}/events", self.storage, self.position),
            resolved=lake.read_resolved(f"{errors}/{name}/_resolved", self.storage))

    def _read(self, table):
        if table.store == "clickhouse":
            return clickhouse.read_table(self.clickhouse, self.places["database"], table.name, self.position)
        return lake.read_table(f"{self.places['lake']}/{table.name}", self.storage, self.position)

    def _judge(self):
        if self.workload.results:
            found = self._found_results()
            verdict = judge_results(self.workload, self.plan.events, self.sent, found)
            self._look_at_checkpoints()
        else:
            found = self.found()
            verdict = judge(self.workload.tables, self.sent, found, replayed=self.workload.replays)
        self.outcome.events, self.outcome.errors = len(self.sent), len(found.errors)
        self.outcome.lost, self.outcome.doubled = verdict.lost, verdict.doubled
        self.outcome.problems += verdict.problems
        self._compare_with_count(found)

    def _found_results(self):
        results = {}
        for result in self.workload.results:
            if result.store == "clickhouse":
                results[result.name] = clickhouse.read_result(self.clickhouse, self.places["database"], result)
            else:
                results[result.name] = lake.read_result(f"{self.places['lake']}/{result.name}", self.storage, result)
        # Rows that pass through an epoch are numbered by their INSERT, not by their place in the source.
        tables = {table.name: lake.read_table(f"{self.places['lake']}/{table.name}", self.storage,
                                              lambda partition, offset: (partition, offset)).rows
                  for table in self.workload.tables}
        errors = lake.read_errors(f"{self.places['errors']}/{self.places['name']}/events", self.storage, self.position)
        return FoundResults(tables, results, errors)

    def _look_at_checkpoints(self):
        """What is kept in the end is whole, to its last byte."""
        text = self._wait(self._start("checkpoints", "list", self.pipeline, "--verify", "--format", "json"), [0])
        kept = [json.loads(line) for line in text.splitlines()[1:]]
        if not kept:
            self.outcome.problems.append("there are no checkpoints")
        self.outcome.problems += [f"checkpoint {epoch['epoch']} is damaged: {epoch['problem']}" for epoch in kept
                                  if epoch["state"] != "whole"]

    def _compare_with_count(self, found):
        """`weir errors count` must tell what the tables say."""
        text = self._wait(self._start("errors", "count", self.pipeline), [0])
        counts = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", text.split("\n", 1)[1])}
        resolved = len(set(getattr(found, "resolved", [])))
        expected = {"unresolved": len(found.errors) - resolved, "resolved": resolved, "total": len(found.errors)}
        if counts != expected:
            self.outcome.problems.append(f"weir errors count says {counts}, the tables say {expected}")
