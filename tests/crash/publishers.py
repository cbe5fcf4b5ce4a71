"""Services that go on sending while everything else is being killed. `sent()` is what the source holds afterwards."""

import asyncio
import gzip
import http.client
import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nats
from confluent_kafka import Producer
from nats.errors import Error as NatsError

from events import ref_of
from log_segments import read_stream
from oracle import Sent


class Publisher(threading.Thread):
    """Runs until every event is acknowledged (or on disk); raise_failure() tells when it could not."""

    def __init__(self, events, duration_ms, bursts):
        super().__init__(daemon=True)
        self.events, self.duration_ms = events, duration_ms
        size = max(1, -(-len(events) // bursts))
        self.bursts = [events[at:at + size] for at in range(0, len(events), size)]
        self.kind_of = {event.ref: event.kind for event in events}
        self.failure = None

    def run(self):
        try:
            self.publish()
        except BaseException as error:  # noqa: BLE001 - reported by the thread that waits
            self.failure = error

    def create(self):
        """The place that is published to."""

    def delete(self):
        """After the verdict's sent()."""

    def finish(self, timeout_s=60):
        self.join(timeout_s)
        if self.is_alive():
            raise TimeoutError(f"the publisher was not done after {timeout_s} s")
        if self.failure:
            raise self.failure

    def _pauses(self):
        """Yields each burst when it is due."""
        start = time.monotonic()
        for number, burst in enumerate(self.bursts):
            yield start + number * self.duration_ms / 1000 / len(self.bursts), burst


class NatsPublisher(Publisher):
    """Publishes to JetStream until each event has its PubAck; a repeated one carries the same Nats-Msg-Id.

    retention "workqueue": the stream forgets what Weir acknowledges, so sent() is what the PubAcks told, and demands
    that nothing is left.
    """

    def __init__(self, url, stream, events, duration_ms, bursts, retention="limits"):
        super().__init__(events, duration_ms, bursts)
        self.url, self.stream, self.retention = url, stream, retention
        self.stored = {}  # ref -> sequence, by the PubAcks

    def publish(self):
        asyncio.run(self._publish())

    async def _publish(self):
        async with _Connection(self.url) as js:
            for due, burst in self._pauses():
                await asyncio.sleep(max(0, due - time.monotonic()))
                await asyncio.gather(*(self._until_acknowledged(js, event) for event in burst))

    async def _until_acknowledged(self, js, event):
        deadline = time.monotonic() + 40
        while True:
            try:
                answer = await js.publish(f"{self.stream}.{event.ref % 4}", event.payload, timeout=1,
                                          headers={"Nats-Msg-Id": str(event.ref)})
                self.stored[event.ref] = answer.seq
                return
            except (NatsError, OSError, asyncio.TimeoutError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def create(self):
        async def create():
            async with _Connection(self.url) as js:
                await js.add_stream(name=self.stream, subjects=[f"{self.stream}.*"], retention=self.retention)
        asyncio.run(create())

    def sent(self):
        """Every message that the stream holds, and a failure when an acknowledged one is not there."""
        if self.retention == "workqueue":
            self._wait_until_empty()
            return [Sent(("", sequence), ref, self.kind_of[ref]) for ref, sequence in self.stored.items()]
        held = asyncio.run(self._read_stream())
        missing = set(self.kind_of) - {event.ref for event in held}
        if missing:
            raise AssertionError(f"the NATS server lost acknowledged events, for instance {sorted(missing)[:5]}")
        return held

    def _wait_until_empty(self, timeout_s=10):
        """The server removes what was acknowledged in its own time."""
        deadline = time.monotonic() + timeout_s
        while left := asyncio.run(self._count()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{left} events were never acknowledged to the work queue")
            time.sleep(0.1)

    async def _count(self):
        async with _Connection(self.url) as js:
            return (await js.stream_info(self.stream)).state.messages

    async def _read_stream(self):
        held = []
        async with _Connection(self.url) as js:
            count = (await js.stream_info(self.stream)).state.messages
            reader = await js.subscribe(f"{self.stream}.*", ordered_consumer=True)
            while len(held) < count:
                message = await reader.next_msg(timeout=10)
                ref = ref_of(message.data)
                held.append(Sent(("", message.metadata.sequence.stream), ref, self.kind_of[ref]))
            await reader.unsubscribe()
        return held

    def delete(self):
        async def delete():
            async with _Connection(self.url) as js:
                await js.delete_stream(self.stream)
        asyncio.run(delete())


class _Connection:
    """`async with` gives a JetStream context that reconnects for as long as it takes."""

    def __init__(self, url):
        self.url = url

    async def __aenter__(self):
        async def quiet(_):
            pass
        self.client = await nats.connect(self.url, allow_reconnect=True, max_reconnect_attempts=-1,
                                         reconnect_time_wait=0.05, connect_timeout=2, error_cb=quiet)
        return self.client.jetstream(timeout=5)

    async def __aexit__(self, *unused):
        await self.client.close()


class KafkaPublisher(Publisher):
    """Produces idempotently until each event is acknowledged; what the topic holds twice all the same is two events."""

    def __init__(self, server, topic, events, duration_ms, bursts, partitions):
        super().__init__(events, duration_ms, bursts)
        self.server, self.topic, self.partitions = server, topic, partitions

    def publish(self):
        failed = []
        producer = Producer({"bootstrap.servers": self.server.bootstrap, "enable.idempotence": True, "linger.ms": 5,
                             "message.timeout.ms": 50_000, "reconnect.backoff.max.ms": 500, "log_level": 2})
        for due, burst in self._pauses():
            while (left := due - time.monotonic()) > 0:
                producer.poll(min(left, 0.1))
            for event in burst:
                producer.produce(self.topic, event.payload, partition=event.ref % self.partitions,
                                 on_delivery=lambda error, _: failed.append(error) if error else None)
        if producer.flush(55) or failed:
            raise TimeoutError(f"Kafka did not acknowledge every event: {failed[:1]}")

    def create(self):
        self.server.create_topic(self.topic, self.partitions)

    def sent(self):
        held = [(message.partition(), message.offset(), ref_of(message.value()))
                for message in self.server.read(self.topic)]
        missing = set(self.kind_of) - {ref for _, _, ref in held}
        if missing:
            raise AssertionError(f"the Kafka broker lost acknowledged events, for instance {sorted(missing)[:5]}")
        return [Sent((str(partition), offset), ref, self.kind_of[ref]) for partition, offset, ref in held]

    def delete(self):
        self.server.delete_topic(self.topic)


class HttpPublisher(Publisher):
    """Posts to `weir serve` from several threads until each request is answered with its positions; a repeated one
    carries the same Idempotency-Key. Now and then one that was answered is sent again, as a proxy may do."""

    THREADS = 4

    def __init__(self, serve, stream, events, duration_ms, bursts, seed):
        super().__init__(events, duration_ms, bursts)
        self.serve, self.stream, self.seed = serve, stream, seed
        self.dice = random.Random(seed)
        self.requests = 0
        self.stored = {}  # ref -> (partition, offset), by the answers

    def create(self):
        self.serve.start()

    def publish(self):
        with ThreadPoolExecutor(self.THREADS) as pool:
            for due, burst in self._pauses():
                time.sleep(max(0, due - time.monotonic()))
                for _ in pool.map(self._until_stored, self._split(burst)):
                    pass

    def _split(self, burst):
        """[(key, events, again)]: one that is no JSON goes alone, as bytes of another kind."""
        requests, events = [], []
        for event in burst:
            if event.kind == "cut":
                requests.append([event])
                continue
            events.append(event)
            if len(events) >= self.dice.randint(1, 12):
                requests.append(events)
                events = []
        if events:
            requests.append(events)
        for events in requests:
            self.requests += 1
            yield f"{self.seed}-{self.requests}", events, self.dice.random() < 0.1

    def _until_stored(self, request):
        key, events, again = request
        first = self._post(key, events)
        (place,) = first["positions"]
        assert place["last"] - place["first"] + 1 == len(events), first
        for number, event in enumerate(events):
            self.stored[event.ref] = (place["partition"], place["first"] + number)
        if again:
            second = self._post(key, events)
            assert second["positions"] == first["positions"], f"repeated: {first}, then {second}"

    def _post(self, key, events):
        type_ = "application/octet-stream" if events[0].kind == "cut" else "application/x-ndjson"
        body = b"\n".join(event.payload for event in events)
        deadline = time.monotonic() + 40
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.serve.port, timeout=5)
                try:
                    connection.request("POST", f"/v1/events/{self.stream}", body,
                                       {"Content-Type": type_, "Idempotency-Key": key})
                    answer = connection.getresponse()
                    text = answer.read()
                finally:
                    connection.close()
                if answer.status == 200:
                    return json.loads(text)
                if answer.status < 500:
                    raise AssertionError(f"{answer.status}: {text[:300]}")
                words = f"{answer.status}: {text[:300]}"
            except (OSError, http.client.HTTPException) as error:
                words = str(error)
            if time.monotonic() > deadline:
                raise TimeoutError(f"request {key} was not taken: {words}")
            time.sleep(0.02)

    def sent(self):
        """What the answers told; the log must hold each event there and nothing else."""
        held = {position: ref_of(payload)
                for position, payload in read_stream(self.serve.log_folder, self.stream).items()}
        told = {position: ref for ref, position in self.stored.items()}
        missing = set(self.kind_of) - set(self.stored)
        wrong = sorted(set(held.items()) ^ set(told.items()))
        if missing or wrong:
            raise AssertionError(f"the log and the answers differ: {wrong[:5]}, not answered: {sorted(missing)[:5]}")
        return [Sent((str(partition), offset), ref, self.kind_of[ref]) for (partition, offset), ref in told.items()]


class FilePublisher(Publisher):
    """Appends lines to growing files, often half a line at a time. Of several files the first is compressed."""

    def __init__(self, folder, events, duration_ms, bursts, files, seed):
        super().__init__(events, duration_ms, bursts)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.dice = random.Random(seed)
        self.held = []
        self.offsets = {}
        self.paths = [self.folder / f"part-{number}.ndjson" for number in range(files)]
        if files > 1:
            packed = self.paths[0] = self.folder / "part-0.ndjson.gz"
            lines = b"".join(self._line(packed, event) for event in self.bursts.pop(0))
            packed.write_bytes(gzip.compress(lines))
        for path in self.paths[1 if files > 1 else 0:]:
            path.touch()

    def publish(self):
        growing = [path for path in self.paths if path.suffix != ".gz"]
        handles = {path: os.open(path, os.O_WRONLY | os.O_APPEND) for path in growing}
        for due, burst in self._pauses():
            time.sleep(max(0, due - time.monotonic()))
            path = self.dice.choice(growing)
            data = b"".join(self._line(path, event) for event in burst)
            torn = self.dice.randint(0, len(data))
            os.write(handles[path], data[:torn])
            time.sleep(0.01)
            os.write(handles[path], data[torn:])
        for handle in handles.values():
            os.close(handle)

    def _line(self, path, event):
        offset = self.offsets.get(path, 0)
        self.held.append(Sent((str(path.resolve()), offset), event.ref, event.kind))
        self.offsets[path] = offset + len(event.payload) + 1
        return event.payload + b"\n"

    def sent(self):
        return self.held
