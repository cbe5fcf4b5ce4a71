"""Several workers (processes) on one JetStream stream: shared by leases, nothing lost, nothing doubled."""

import random
import signal
import threading
import time

import pytest
from case import event, publish, with_jetstream
from nats.js.errors import NoKeysError

PARTITIONS = 6
LEASE_S = 2


class Group:
    """Workers of one pipeline, and somebody who publishes while they come and go."""

    def __init__(self, case, running, eventually, url, retention):
        self.case, self.running, self.eventually = case, running, eventually
        self.url, self.retention = url, retention
        self.published = 0
        self.workers = []
        self.file = case.nats_pipeline(
            url, f", 'scan.partitions'='{case.stream}.{{0..{PARTITIONS - 1}}}.>', 'lease.ttl'='{LEASE_S} s'",
            settings={"pipeline.workers": "several"})
        publish(url, case.stream, [], config={"retention": retention})

    def start(self):
        self.workers.append(self.running(self.file, "--progress", "lines"))
        return self.workers[-1]

    def publish(self, count):
        first = self.published
        subjects = [f"{self.case.stream}.{(first + i) % PARTITIONS}.x" for i in range(PARTITIONS)]
        publish(self.url, self.case.stream, [event(first + i + 1) for i in range(count)], subjects,
                {"retention": self.retention})
        self.published += count

    def publish_during(self, action, every_s=0.2, count=200):
        """Publishes beside `action`, which runs in this thread."""
        ended = threading.Event()
        failed = []

        def go():
            try:
                while not ended.is_set():
                    self.publish(count)
                    ended.wait(every_s)
            except Exception as error:
                failed.append(error)
        thread = threading.Thread(target=go)
        thread.start()
        try:
            action()
        finally:
            ended.set()
            thread.join()
        assert not failed, failed

    def shares(self):
        """Which partitions there are leases for, and by whom."""
        async def read(js):
            bucket = await js.key_value("weir-p-events")
            try:
                keys = [key for key in await bucket.keys() if key.startswith("p.")]
            except NoKeysError:
                return []
            return [(await bucket.get(key)).value for key in keys]
        return with_jetstream(self.url, read)

    def is_shared_by(self, count):
        """Every partition has its lease, and `count` workers hold them in equal parts."""
        owners = self.shares()
        parts = [owners.count(owner) for owner in set(owners)]
        return len(owners) == PARTITIONS and len(parts) == count and max(parts) - min(parts) <= 1

    def waits_until_shared_by(self, count):
        try:
            self.eventually(lambda: self.is_shared_by(count), 40, f"{count} workers with equal shares")
        except AssertionError as error:
            pytest.fail(f"{error}: {self.shares()}\n{self.said()}")
        if self.retention == "interest":  # what comes before the first consumers is not kept
            self.eventually(lambda: len(with_jetstream(self.url, self.consumers)) >= PARTITIONS)

    async def consumers(self, js):
        return await js.consumers_info(self.case.stream)

    def committed(self):
        return len(self.case.ids())

    def messages(self):
        async def count(js):
            return (await js.stream_info(self.case.stream)).state.messages
        return with_jetstream(self.url, count)

    def said(self):
        return "\n\n".join(worker.said()[-2000:] for worker in self.workers)

    def is_exact(self):
        try:
            self.eventually(lambda: self.committed() >= self.published, 60, "every event in the lake")
        except AssertionError:
            missing = sorted(set(range(1, self.published + 1)) - set(self.case.ids()))
            pytest.fail(f"{len(missing)} missing: {missing[:20]}\n{self.said()}")
        ids = self.case.ids()
        doubled = len(ids) - len(set(ids))
        assert ids == list(range(1, self.published + 1)), f"{doubled} doubled\n{self.said()}"
        if self.retention != "limits":
            self.eventually(lambda: self.messages() == 0, 20, "an empty stream")
        time.sleep(0.5)  # nothing comes behind
        assert self.case.ids() == ids

    def end(self, *but):
        """The workers that still run end well."""
        alive = [worker for worker in self.workers if worker.poll() is None and worker not in but]
        for worker in alive:
            worker.send_signal(signal.SIGTERM)
        for worker in alive:
            assert worker.wait(20) == 0, worker.said()[-3000:]


@pytest.fixture(params=["limits", "workqueue", "interest"])
def group(request, case, shared_nats, running, eventually):
    return Group(case, running, eventually, shared_nats.url, request.param)


def test_three_workers_one_killed(group):
    victim, *_ = [group.start() for _ in range(3)]
    group.waits_until_shared_by(3)

    def kill_in_the_middle():
        group.eventually(lambda: group.committed() > 500, 30, "progress")
        victim.kill()
        victim.wait()
        group.waits_until_shared_by(2)
    group.publish_during(kill_in_the_middle)
    group.is_exact()
    group.end()
    assert group.shares() == [], "a worker that ends hands its leases back"


def test_a_worker_stopped_beyond_its_lease_goes_on(group):
    stopped, _ = group.start(), group.start()
    group.waits_until_shared_by(2)

    def stop_and_continue():
        group.eventually(lambda: group.committed() > 300, 30, "progress")
        stopped.send_signal(signal.SIGSTOP)
        group.waits_until_shared_by(1)
        before = group.committed()
        group.eventually(lambda: group.committed() > before + 600, 30, "the other's progress")
        stopped.send_signal(signal.SIGCONT)
        group.waits_until_shared_by(2)
    group.publish_during(stop_and_continue)
    group.is_exact()
    assert stopped.poll() is None, stopped.said()
    group.end()


def test_workers_come_and_go(group):
    """Seeded, so that a failure can be had again: start, end and kill, in any order, under load."""
    dice = random.Random(group.retention)
    group.start()
    group.waits_until_shared_by(1)

    def come_and_go():
        for _ in range(8):
            alive = [worker for worker in group.workers if worker.poll() is None]
            act = dice.choice(["start", "start", "end", "kill", "stop"])
            if act == "start" and len(alive) < 3 or len(alive) < 2:
                group.start()
            elif act == "end":
                dice.choice(alive).send_signal(signal.SIGTERM)
            elif act == "kill":
                dice.choice(alive).kill()
            else:
                worker = dice.choice(alive)
                worker.send_signal(signal.SIGSTOP)
                time.sleep(dice.uniform(0, 2 * LEASE_S))
                worker.send_signal(signal.SIGCONT)
            time.sleep(dice.uniform(0.2, 1.5))
        group.start()
    group.publish_during(come_and_go)
    group.is_exact()
    for worker in group.workers:
        assert worker.poll() in (None, 0, -signal.SIGKILL), worker.said()[-3000:]
    group.end()


def test_once_after_a_crash_drains_a_work_queue(case, shared_nats):
    """The crash comes between the authority's commit and its acknowledgements: they are made up for, no row twice."""
    publish(shared_nats.url, case.stream, [event(i) for i in range(1, 301)], config={"retention": "workqueue"})
    file = case.nats_pipeline(shared_nats.url)
    case.once(file, expect=-9, env={"WEIR_CRASH_POINT": "runtime.after_authority:1"})
    assert case.ids() == list(range(1, 301))

    async def messages(js):
        return (await js.stream_info(case.stream)).state.messages
    assert with_jetstream(shared_nats.url, messages) == 300
    case.once(file)
    assert case.ids() == list(range(1, 301))
    assert with_jetstream(shared_nats.url, messages) == 0


def test_interest_is_held_while_nobody_runs(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, [], config={"retention": "interest"})
    file = case.nats_pipeline(url)
    case.once(file)  # the first run makes the consumer
    for first in (1, 101, 201):
        publish(url, case.stream, [event(i) for i in range(first, first + 100)], config={"retention": "interest"})
        case.once(file)
        assert case.ids() == list(range(1, first + 100))


def test_shares_come_to_rest(case, running, eventually, shared_nats):
    """While workers neither come nor go, no lease moves and no worker starts anew, under load."""
    group = Group(case, running, eventually, shared_nats.url, "limits")
    for _ in range(3):
        group.start()
    group.waits_until_shared_by(3)
    group.publish(100)
    group.is_exact()
    owners = sorted(group.shares())
    starts = [worker.said().count("recovered in") for worker in group.workers]
    group.publish_during(lambda: time.sleep(3 * LEASE_S))
    group.is_exact()
    assert sorted(group.shares()) == owners
    assert [worker.said().count("recovered in") for worker in group.workers] == starts
    group.end()
