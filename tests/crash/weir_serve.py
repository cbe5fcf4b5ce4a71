"""`weir serve` on one address, killed and started again while services go on sending to it."""

import subprocess
import threading
import time

from servers import free_port, tied

_CONFIG = """[server]
listen = "127.0.0.1:{port}"
data = "{folder}/data"
error-lake.path = "{folder}/edge-errors"

[[stream]]
name = "{stream}"
partitions = {partitions}
content = "any"
segment = "{segment_bytes} b"
"""


class WeirServe:
    def __init__(self, weir, folder, stream, partitions, segment_bytes, environment):
        self.weir, self.folder, self.environment = weir, folder, environment
        self.port = free_port()
        self.config = folder / "weir.toml"
        self.config.write_text(_CONFIG.format(port=self.port, folder=folder, stream=stream, partitions=partitions,
                                              segment_bytes=segment_bytes))
        self.process = None
        self.starts = self.kills = self.at_points = 0
        self.failure = None

    @property
    def log_folder(self):
        return self.folder / "data" / "log"

    def start(self, point=""):
        """Whether it listens; False when it came to its point before."""
        self.starts += 1
        log = self.folder / f"serve-{self.starts:02d}.log"
        environment = dict(self.environment, **({"WEIR_CRASH_POINT": point} if point else {}))
        with open(log, "w") as out:
            self.process = subprocess.Popen(tied([self.weir, "serve", "--config", self.config]), cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            env=environment)
        deadline = time.monotonic() + 30
        while "listening on" not in (text := log.read_text()):
            code = self.process.poll()
            if code == -9 and point:
                return False
            if code is not None or time.monotonic() > deadline:
                raise AssertionError(f"weir serve does not start ({code}): {text[-1500:]}")
            time.sleep(0.005)
        return True

    def strike(self, kills):
        """A thread that plays these kills, one after the other; in the end the server runs."""
        thread = threading.Thread(target=self._strike, args=(kills,), daemon=True)
        thread.start()
        return thread

    def _strike(self, kills):
        try:
            for kill in kills:
                self.close()
                time.sleep(kill.down_ms / 1000)
                self.start(kill.point)
                try:
                    code = self.process.wait(kill.after_ms / 1000)
                    assert code == -9, f"weir serve ended by itself with {code}"
                    self.at_points += 1
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
                self.kills += 1
            if kills:
                self.start()
        except BaseException as error:  # noqa: BLE001 - reported by the thread that waits
            self.failure = error

    def end(self):
        """As Ctrl-C does; it must end well."""
        if self.failure:
            raise self.failure
        self.process.terminate()
        code = self.process.wait(20)
        assert code == 0, f"weir serve ended with {code}"

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
