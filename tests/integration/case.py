"""What the integration tests share: pipeline files, messages into JetStream, tables read back without Weir."""

import asyncio
import base64
import json
import subprocess
import tempfile
from pathlib import Path

import duckdb
import nats
import pyarrow
from deltalake import DeltaTable

COLUMNS = "id BIGINT NOT NULL, name STRING, amount DECIMAL(12,2)"


def event(number, **fields):
    return json.dumps({"id": number, "name": f"n{number}", "amount": number / 4} | fields).encode()


def events(first, last):
    return [event(number) for number in range(first, last + 1)]


class Case:
    """One test's folder with its pipeline files; `stream` is a name that no other test uses."""

    def __init__(self, weir, folder, stream="S"):
        self.weir, self.folder, self.stream = weir, Path(folder), stream
        self.folder.mkdir(exist_ok=True)

    def settings(self, name, **more):
        values = {"pipeline.name": name, "pipeline.commit-interval": "100 ms",
                  "state.path": str(self.folder / "state"), "error-lake.path": str(self.folder / "errors")}
        values |= {key.replace("__", ".").replace("_", "-"): value for key, value in more.items()}
        return "".join(f"SET '{key}' = '{value}';\n" for key, value in values.items())

    def write(self, file, text):
        path = self.folder / file
        path.write_text(text)
        return path

    def nats_pipeline(self, url, options="", **more):
        source = f"'connector'='nats', 'url'='{url}', 'stream'='{self.stream}', 'format'='json'{options}"
        return self.pipeline(source, **more)

    def file_pipeline(self, path, options="", **more):
        return self.pipeline(f"'connector'='file', 'path'='{path}', 'format'='json'{options}", **more)

    def pipeline(self, source, columns=COLUMNS, file="p.sql", sink="", select="*", settings=None, checks="", lake=None):
        """events (`source`) -> lake (Delta below this folder, unless `lake` names another place)."""
        return self.write(file, self.settings(Path(file).stem, **(settings or {})) + (
            f"CREATE TABLE events ({columns}{', ' + checks if checks else ''}) WITH ({source});\n"
            f"CREATE TABLE lake WITH ('connector'='delta', 'path'='{lake or self.lake}'{sink});\n"
            f"INSERT INTO lake SELECT {select} FROM events;\n"))

    @property
    def lake(self):
        return self.folder / "lake"

    def once(self, file, expect=0, env=None, timeout_s=60):
        return self.weir.run(["run", file, "--once", "--progress", "none"], cwd=self.folder, expect=expect, env=env,
                             timeout_s=timeout_s)

    def sql(self, file, query, env=None):
        done = self.weir.run(["sql", "-f", file, "--format", "json", query], cwd=self.folder, env=env)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def errors(self, file, *arguments, expect=0, env=None):
        return self.weir.run(["errors", *arguments[:1], file, *arguments[1:]], cwd=self.folder, expect=expect, env=env)

    def ids(self, lake=None, storage=None):
        """The ids in the lake, sorted, read with deltalake (Python)."""
        return sorted(column(lake or self.lake, "id", storage))

    def error_rows(self, name="p", source="events", storage=None):
        return rows(self.folder / "errors" / name / source, storage)


def column(table, name, storage=None):
    return DeltaTable(str(table), storage_options=storage).to_pyarrow_table(columns=[name]).column(name).to_pylist()


def rows(table, storage=None):
    return DeltaTable(str(table), storage_options=storage).to_pyarrow_table().to_pylist()


def duckdb_rows(table, query, storage=None):
    """`query` over the table `t`. DuckDB's Delta extension would be downloaded: deltalake opens it and hands it on."""
    connection = duckdb.connect()
    connection.register("t", DeltaTable(str(table), storage_options=storage).to_pyarrow_table())
    result = connection.execute(query)
    names = [entry[0] for entry in result.description]
    return [dict(zip(names, values)) for values in result.fetchall()]


def write_zstd(path, data):
    with pyarrow.CompressedOutputStream(str(path), "zstd") as out:
        out.write(data)


# ---- JetStream ---------------------------------------------------------------------------------------------------


def with_jetstream(url, action, **connect):
    """Runs `await action(jetstream)`."""
    async def run():
        client = await nats.connect(url, connect_timeout=5, allow_reconnect=False, **connect)
        try:
            return await action(client.jetstream())
        finally:
            await client.close()
    return asyncio.run(run())


def publish(url, stream, messages, subjects=None, config=None, **connect):
    """Makes the stream over `<stream>.>` when it is missing; `subjects` cycle (default `<stream>.a`)."""
    subjects = subjects or [f"{stream}.a"]

    async def run(js):
        await js.add_stream(name=stream, subjects=[f"{stream}.>"], **(config or {}))
        await asyncio.gather(*(js.publish(subjects[number % len(subjects)], message)
                               for number, message in enumerate(messages)))
    with_jetstream(url, run, **connect)


def stored(url, stream, **connect):
    """All messages of a stream, in order, as (subject, payload, headers)."""
    async def run(js):
        count = (await js.stream_info(stream)).state.messages
        subscription = await js.subscribe(">", stream=stream, ordered_consumer=True)
        found = [await subscription.next_msg(timeout=10) for _ in range(count)]
        return [(message.subject, message.data, dict(message.headers or {})) for message in found]
    return with_jetstream(url, run, **connect)


def login_by_creds(path):
    """nats-py's options for a creds file; nats-py itself would need the package nkeys for it."""
    blocks = Path(path).read_text().split("\n")
    token, seed = blocks[1], blocks[5]
    padded = seed + "=" * (-len(seed) % 8)
    private = base64.b32decode(padded)[2:34]
    der = bytes.fromhex("302e020100300506032b657004220420") + private

    def sign(nonce):
        with tempfile.TemporaryDirectory() as folder:
            key, message = Path(folder) / "key.der", Path(folder) / "message"
            key.write_bytes(der)
            message.write_bytes(nonce.encode())
            signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-keyform", "DER",
                                        "-in", str(message)], check=True, capture_output=True, timeout=60).stdout
        return base64.urlsafe_b64encode(signature).rstrip(b"=")
    return {"user_jwt_cb": lambda: token.encode(), "signature_cb": sign}
