"""Core NATS as a source: at most once, and it says so."""

import asyncio
import signal

import nats
from case import COLUMNS, event
from servers import NatsServer


def send(url, subject, messages, **request):
    async def run():
        client = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
        try:
            for message in messages:
                await client.publish(subject, message, **request)
            await client.flush()
        finally:
            await client.close()
    asyncio.run(run())


def core(case, url, options=""):
    source = f"'connector'='nats', 'url'='{url}', 'delivery'='core', 'subject'='{case.stream}.>'{options}"
    return case.pipeline(source, columns=COLUMNS + ", subject STRING METADATA")


def taken(case, url, process, eventually, number):
    """Sends events of one id until one is in the lake: the subscription is there from then on."""
    def seen():
        assert process.poll() is None, process.said()
        send(url, f"{case.stream}.a", [event(number)])
        return number in case.ids()
    eventually(seen, what=f"an event {number} in the lake")


def test_takes_what_is_sent_while_it_runs_and_says_that_it_is_at_most_once(case, shared_nats, running, eventually):
    file = core(case, shared_nats.url)
    done = case.weir.run(["check", "--connect", file], cwd=case.folder)
    assert "'events' (nats) is at most once" in done.stdout
    assert "at most once" in case.weir.run(["explain", file], cwd=case.folder).stdout

    first = running(str(file), "--progress", "none")
    taken(case, shared_nats.url, first, eventually, 1)
    assert "'events' (nats) is at most once" in first.said()
    send(shared_nats.url, f"{case.stream}.b", [event(2), b"{", event(3)], reply="answer.me")
    eventually(lambda: {2, 3} <= set(case.ids()), what="both rows")
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=20) == 0, first.said()

    send(shared_nats.url, f"{case.stream}.a", [event(99)])  # nobody listens
    second = running(str(file), "--progress", "none")
    taken(case, shared_nats.url, second, eventually, 4)
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=20) == 0, second.said()
    assert set(case.ids()) == {1, 2, 3, 4}, "nothing of before comes again, and 99 is gone"
    assert [error["code"] for error in case.error_rows()] == ["malformed"]


def test_a_kill_loses_at_most_what_was_not_committed_and_doubles_nothing(case, shared_nats, running, eventually):
    file = core(case, shared_nats.url)
    first = running(str(file), "--progress", "none")
    taken(case, shared_nats.url, first, eventually, 1)
    send(shared_nats.url, f"{case.stream}.a", [event(number) for number in range(100, 400)])
    first.kill()
    first.wait()
    second = running(str(file), "--progress", "none")
    taken(case, shared_nats.url, second, eventually, 2)
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=20) == 0, second.said()
    found = [number for number in case.ids() if number >= 100]
    assert len(found) == len(set(found)) and set(found) <= set(range(100, 400))


def test_once_and_options_of_streams_are_refused(case, shared_nats):
    file = core(case, shared_nats.url)
    assert "--once" in case.once(file, expect=1).stderr
    file = core(case, shared_nats.url, options=", 'stream'='S'")
    assert "'stream' belongs to JetStream" in case.weir.run(["check", file], cwd=case.folder, expect=2).stderr


def test_a_subject_that_is_not_permitted_is_denied(case, tmp_path):
    extra = ('authorization { users: [ { user: "u", password: "p", permissions: { subscribe: ["allowed.>", '
             '"_INBOX.>"] } } ] }')
    with NatsServer(tmp_path / "nats", extra=extra) as server:
        file = core(case, server.url, options=", 'username'='u', 'password'='p'")
        done = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3)
        assert "does not permit" in done.stderr


def test_metrics_count_what_is_dropped(case, shared_nats, running, eventually):
    file = core(case, shared_nats.url, options=", 'pending.messages'='5'")
    metrics = case.folder / "weir.prom"
    process = running(str(file), "--progress", "none", "--metrics", str(metrics))

    def dropped():
        assert process.poll() is None, process.said()
        send(shared_nats.url, f"{case.stream}.a", [event(number) for number in range(3000)])
        return "were dropped so far" in process.said()
    eventually(dropped, what="a line about drops")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0, process.said()
    [line] = [line for line in metrics.read_text().splitlines() if line.startswith("weir_dropped_total{")]
    assert int(line.split()[-1]) > 0
