"""Fixtures of every test below tests/: real servers and the real binary. What is missing fails, it is never skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers import (ClickHouseFront, ClickHouseServer, FlinkServer, KafkaServer, MinioServer,  # noqa: E402
                     NatsServer, tied)


class Weir:
    """The binary under test. WEIR_BINARY names another one than build/weir."""

    def __init__(self):
        self.path = Path(os.environ.get("WEIR_BINARY") or ROOT / "build" / "weir").resolve()
        if not self.path.exists():
            pytest.fail(f"{self.path} is missing: run `make build`")

    def start(self, args, env=None, cwd=None, **popen):
        """A running process with text pipes; the caller waits for it or kills it."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(tied([self.path, *args]), env={**os.environ, **(env or {})}, cwd=cwd,
                                **{**options, **popen})

    def run(self, args, env=None, cwd=None, timeout_s=60, expect=0):
        """Runs to the end: an object with returncode, stdout, stderr. expect: the exit code, or None for any."""
        process = self.start(args, env, cwd)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"weir {' '.join(map(str, args))} still ran after {timeout_s} s\n{out}\n{err}")
        if expect is not None and process.returncode != expect:
            pytest.fail(f"weir {' '.join(map(str, args))}: exit {process.returncode}, not {expect}\n{out}\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def weir():
    return Weir()


@pytest.fixture
def nats(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture(scope="session")
def minio(tmp_path_factory):
    """One MinIO for all tests; use the `bucket` fixture for a place of your own."""
    with MinioServer(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture
def bucket(minio, request):
    """A new empty bucket's name."""
    bucket.count = getattr(bucket, "count", 0) + 1
    name = f"test-{os.getpid()}-{bucket.count}"
    minio.create_bucket(name)
    return name


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """One Kafka for all tests that leave it alone; use the `topic` fixture for a name of your own."""
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def flink(tmp_path_factory):
    """One Flink for all tests that leave it alone."""
    with FlinkServer(tmp_path_factory.mktemp("flink")) as server:
        yield server


@pytest.fixture
def topic():
    """A topic's name that no other test has; the test creates it, with the partitions it wants."""
    return _own_name("topic")


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory):
    """One modern engine for all tests that leave it alone; use the `database` fixture."""
    with ClickHouseFront(tmp_path_factory.mktemp("chdb")) as server:
        yield server


@pytest.fixture(scope="session")
def old_clickhouse(tmp_path_factory):
    """The genuine server."""
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def database():
    """A database's name that no other test has; the test creates it, on the server it uses."""
    return _own_name("db")


def _own_name(kind):
    _own_name.count = getattr(_own_name, "count", 0) + 1
    return f"{kind}_{os.getpid()}_{_own_name.count}"
