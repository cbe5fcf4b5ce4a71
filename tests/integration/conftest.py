import os
import subprocess
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


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB. Tests run as root in CI; elsewhere sudo is needed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size=3m,uid={os.geteuid()}"
    done = subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", options, "weir-test", str(folder)],
                          capture_output=True, text=True)
    assert done.returncode == 0, f"cannot mount a small disk (root is needed): {done.stderr}"

    def remount(options):
        subprocess.run([*sudo, "mount", "-o", f"remount,{options}", str(folder)], check=True)
    yield folder, remount
    subprocess.run([*sudo, "umount", "-l", str(folder)], check=True)
