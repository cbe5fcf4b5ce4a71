#!/usr/bin/env python3
"""Sends orders to JetStream and waits for the server's acknowledgement of each.

    publish.py URL FIRST LAST [--rate N]     the demo's orders FIRST…LAST
    publish.py URL --event '{"order_id": …}' an event of your own
"""

import argparse
import asyncio
import json
import sys
import time

import nats

from orders import payload, way_of

STREAM, SUBJECT = "ORDERS", "orders.placed"
IN_FLIGHT = 2000


async def connect(url):
    client = await nats.connect(url, connect_timeout=5, max_reconnect_attempts=3)
    stream = client.jetstream()
    await stream.add_stream(name=STREAM, subjects=["orders.>"])
    return client, stream


class Sender:
    """Publishes without waiting for each answer, and counts the answers: only what the stream stored counts as sent."""

    def __init__(self, client):
        self.client, self.inbox = client, client.new_inbox()
        self.acknowledged, self.sent = 0, 0
        self.refused = None
        self.moved = asyncio.Event()

    async def start(self):
        async def on_answer(message):
            answer = json.loads(message.data)
            if "error" in answer:
                self.refused = answer["error"].get("description", "refused")
            self.acknowledged += 1
            self.moved.set()
        await self.client.subscribe(f"{self.inbox}.*", cb=on_answer)

    async def send(self, number):
        await self._until(lambda: self.sent - self.acknowledged < IN_FLIGHT)
        self.sent += 1
        await self.client.publish(SUBJECT, payload(number), reply=f"{self.inbox}.{number}")

    async def finish(self):
        await self.client.flush(timeout=20)
        await self._until(lambda: self.acknowledged == self.sent)

    async def _until(self, condition):
        while not condition():
            self.moved.clear()
            await asyncio.wait_for(self.moved.wait(), timeout=20)
            if self.refused:
                raise RuntimeError(f"the stream refused an event: {self.refused}")


async def publish_orders(url, first, last, rate):
    client, stream = await connect(url)
    sender = Sender(client)
    await sender.start()
    started = said = time.monotonic()
    for number in range(first, last + 1):
        await sender.send(number)
        if rate and sender.sent % 50 == 0:
            await asyncio.sleep(max(0, started + sender.sent / rate - time.monotonic()))
        if time.monotonic() - said > 1:
            said = time.monotonic()
            print(f"published {sender.acknowledged:,} of {last - first + 1:,}", flush=True)
    await sender.finish()
    broken = sum(way_of(number) is not None for number in range(first, last + 1))
    held = (await stream.stream_info(STREAM)).state.messages
    print(f"published {sender.acknowledged:,} orders, {broken} of them broken, in {time.monotonic() - started:.1f} s; "
          f"the stream holds {held:,}", flush=True)
    await client.close()


async def publish_event(url, event):
    client, stream = await connect(url)
    answer = await stream.publish(SUBJECT, event.encode())
    print(f"stored as number {answer.seq} of stream {answer.stream}")
    await client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("first", type=int, nargs="?")
    parser.add_argument("last", type=int, nargs="?")
    parser.add_argument("--rate", type=int, default=0, help="orders a second (default: as fast as it goes)")
    parser.add_argument("--event")
    arguments = parser.parse_args()
    if arguments.event is not None:
        asyncio.run(publish_event(arguments.url, arguments.event))
    elif arguments.first is None or arguments.last is None:
        parser.error("name FIRST and LAST, or --event")
    else:
        asyncio.run(publish_orders(arguments.url, arguments.first, arguments.last, arguments.rate))


if __name__ == "__main__":
    sys.exit(main())
