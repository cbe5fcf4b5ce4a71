"""`weir serve` as a child process, with requests into it and the log's events read back."""

import json
import signal
import urllib.error
import urllib.request


class Edge:
    """Listens on a free port, the same one after a restart; `kill()` is kill -9."""

    def __init__(self, weir, folder, config="", server="", errors=None):
        self.weir, self.folder = weir, folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config, self.server, self.port, self.process = config, server, 0, None
        self.file = folder / "weir.toml"
        self.errors_path = errors or folder / "errors"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def write(self):
        self.file.write_text(f'[server]\nlisten = "127.0.0.1:{self.port}"\ndata = "{self.folder / "data"}"\n'
                             f'error-lake.path = "{self.errors_path}"\n{self.server}\n{self.config}\n')

    def start(self):
        self.write()
        log = open(self.folder / "serve.log", "a")
        self.process = self.weir.start(["serve", "--config", self.file], cwd=self.folder, stderr=log)
        log.close()
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), (self.folder / "serve.log").read_text()
        self.port = int(line.strip().rsplit(":", 1)[1])
        self.write()  # with the port, for commands that look for the server
        return self

    def stop(self):
        """Ends it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        self.process.stdout.close()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process is not None:
            self.process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.kill()

    def post(self, stream, body, type_="application/json", **headers):
        """(status, answer as an object)."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/events/{stream}", body, {
            "Content-Type": type_, **{name.replace("_", "-"): value for name, value in headers.items()}})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def errors(self, action, *arguments, expect=0):
        return self.weir.run(["errors", action, self.file, *arguments], cwd=self.folder, expect=expect)
