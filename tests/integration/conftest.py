import time

import pytest
from case import Case
from servers import NatsServer


@pytest.fixture(scope="session")
def shared_nats(tmp_path_factory):
    """One server for the tests that do not disturb it; each uses a stream of its own."""
    with NatsServer(tmp_path_factory.mktemp("nats"), sync_interval="2m") as server:
        yield server


@pytest.fixture
def case(weir, tmp_path):
    case.count = getattr(case, "count", 0) + 1
    return Case(weir, tmp_path / "case", f"T{case.count}")


@pytest.fixture
def running(case):
    """running(file, …) starts `weir run` and ends it after the test, whatever happens."""
    processes = []

    def start(*arguments, env=None):
        log = open(case.folder / f"run-{len(processes)}.log", "w+")
        process = case.weir.start(["run", *arguments], cwd=case.folder, env=env, stdout=log, stderr=log)
        process.said = lambda: (case.folder / log.name).read_text(errors="replace")
        processes.append((process, log))
        return process
    yield start
    for process, log in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture
def eventually():
    """eventually(condition): waits until it holds; the last value is returned."""
    def wait(condition, timeout_s=15, what="the condition"):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                value = condition()
            except Exception as error:  # a table that is not there yet
                value, reason = None, error
            else:
                reason = value
            if value:
                return value
            assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s: {reason}"
            time.sleep(0.05)
    return wait
