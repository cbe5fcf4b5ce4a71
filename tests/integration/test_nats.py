"""The NATS source against real servers: log-ins, what is missing, what is gone, own positions."""

import signal
import ssl
import time

from case import COLUMNS, Case, event, events, login_by_creds, publish, with_jetstream
from servers import KeyPair, NatsServer, Operator, free_port, make_certificates


def reads_all(case, file, count, env=None):
    """check --connect and a run agree that the server can be used."""
    case.weir.run(["check", "--connect", file], cwd=case.folder, env=env)
    case.once(file, env=env)
    assert case.ids() == list(range(1, count + 1))


def is_refused(case, file, env=None):
    """Exit 3, quickly, by both commands; returns what they said."""
    started = time.monotonic()
    check = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3, env=env, timeout_s=20)
    run = case.once(file, expect=3, env=env, timeout_s=20)
    assert time.monotonic() - started < 12
    return check.stdout + check.stderr + run.stdout + run.stderr


def test_user_and_password(case, tmp_path):
    with NatsServer(tmp_path / "nats", user="weir", password="p4ss-w0rd", sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 20), user="weir", password="p4ss-w0rd")
        reads_all(case, case.nats_pipeline(server.url, ", 'username'='weir', 'password'='${env:SECRET}'"), 20,
                  {"SECRET": "p4ss-w0rd"})
        wrong = case.nats_pipeline(server.url, ", 'username'='weir', 'password'='${env:SECRET}'", file="wrong.sql")
        said = is_refused(case, wrong, {"SECRET": "wr0ng-secret"})
        assert "wr0ng-secret" not in said
        in_url = case.nats_pipeline(f"nats://weir:wr0ng-secret@127.0.0.1:{server.port}", file="url.sql")
        assert "wr0ng-secret" not in is_refused(case, in_url)


def test_token(case, tmp_path):
    with NatsServer(tmp_path / "nats", token="t0ken", sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 20), token="t0ken")
        reads_all(case, case.nats_pipeline(server.url, ", 'token'='t0ken'"), 20)
        wrong = case.nats_pipeline(server.url, ", 'token'='wr0ng-t0ken'", file="wrong.sql")
        assert "wr0ng-t0ken" not in is_refused(case, wrong)


def test_nkey(case, tmp_path):
    user, stranger = KeyPair("user"), KeyPair("user")
    both = f"authorization {{ users: [ {{ nkey: {user.public} }}, {{ user: service, password: pw }} ] }}"
    with NatsServer(tmp_path / "nats", extra=both, sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 20), user="service", password="pw")
        reads_all(case, case.nats_pipeline(server.url, f", 'nkey'='{user.seed}'"), 20)
        seed = tmp_path / "user.nk"
        seed.write_text(user.seed + "\n")
        publish(server.url, case.stream, events(21, 30), user="service", password="pw")
        reads_all(case, case.nats_pipeline(server.url, f", 'nkey'='{seed}'"), 30)
        said = is_refused(case, case.nats_pipeline(server.url, f", 'nkey'='{stranger.seed}'", file="wrong.sql"))
        assert stranger.seed not in said


def test_credentials_file(case, tmp_path):
    operator = Operator()
    creds = operator.creds(tmp_path / "user.creds")
    with NatsServer(tmp_path / "nats", operator=operator, sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 20), **login_by_creds(creds))
        reads_all(case, case.nats_pipeline(server.url, f", 'creds'='{creds}'"), 20)
        stranger = Operator().creds(tmp_path / "stranger.creds")
        is_refused(case, case.nats_pipeline(server.url, f", 'creds'='{stranger}'", file="wrong.sql"))


def test_tls(case, tmp_path):
    certificates = make_certificates(tmp_path / "certs")
    authority = certificates["ca"]
    tls = {"cert": certificates["server_cert"], "key": certificates["server_key"], "ca": authority, "verify": True}
    trusting = ssl.create_default_context(cafile=authority)
    trusting.load_cert_chain(certificates["client_cert"], certificates["client_key"])
    with NatsServer(tmp_path / "nats", tls=tls, sync_interval="2m") as server:
        publish(server.url, case.stream, events(1, 20), tls=trusting)
        client = f", 'tls.cert'='{certificates['client_cert']}', 'tls.key'='{certificates['client_key']}'"
        reads_all(case, case.nats_pipeline(server.url, f", 'tls.ca'='{authority}'{client}"), 20)
        is_refused(case, case.nats_pipeline(server.url, client, file="unknown-authority.sql"))
        # TLS 1.3 refuses a client without a certificate only after the handshake: to the client, a lost connection.
        nameless = case.nats_pipeline(server.url, f", 'tls.ca'='{authority}'", file="no-client-cert.sql")
        case.weir.run(["check", "--connect", nameless], cwd=case.folder, expect=3, timeout_s=15)


def test_unreachable_server_is_retried_visibly_and_check_fails_fast(case, tmp_path, running, eventually, monkeypatch):
    port = free_port()
    file = case.nats_pipeline(f"nats://127.0.0.1:{port}")
    started = time.monotonic()
    said = case.weir.run(["check", "--connect", file], cwd=case.folder, expect=3, timeout_s=20).stderr
    assert time.monotonic() - started < 7
    assert str(port) in said and "p.sql:" in said
    process = running(file, "--progress", "lines")
    eventually(lambda: "retrying" in process.said(), what="a visible state")
    server = NatsServer(tmp_path / "nats", sync_interval="2m")
    server.ports = {"client": port, "http": free_port()}
    server.restart()
    try:
        publish(server.url, case.stream, events(1, 10))
        eventually(lambda: case.ids() == list(range(1, 11)), what="the pipeline after the server came up", timeout_s=25)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        server.close()


def test_a_server_that_restarts_under_the_pipeline(case, nats, running, eventually):
    publish(nats.url, case.stream, events(1, 50))
    process = running(case.nats_pipeline(nats.url), "--progress", "lines")
    eventually(lambda: len(case.ids()) == 50)
    nats.kill9()
    time.sleep(0.5)
    nats.restart()
    publish(nats.url, case.stream, events(51, 80))
    eventually(lambda: case.ids() == list(range(1, 81)), timeout_s=25)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0


def test_stream_that_does_not_exist(case, shared_nats):
    publish(shared_nats.url, "PAYMENTS", events(1, 1))
    case.stream = "PAYMENT"
    file = case.nats_pipeline(shared_nats.url)
    said = is_refused(case, file)
    assert "PAYMENT" in said and "PAYMENTS" in said, said


def test_position_that_is_gone_stops_with_words(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, events(1, 20))
    file = case.nats_pipeline(url)
    case.once(file)
    publish(url, case.stream, events(21, 40))
    with_jetstream(url, lambda js: js.purge_stream(case.stream, keep=5))
    run = case.once(file, expect=None)
    assert run.returncode in (1, 3)
    assert "36" in run.stderr and "21" in run.stderr and "gone" in run.stderr, run.stderr
    assert case.ids() == list(range(1, 21))
    case.once(case.nats_pipeline(url, ", 'scan.on-gap'='continue'"))
    assert case.ids() == [*range(1, 21), *range(36, 41)]


def test_start_position_that_is_gone(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, events(1, 20))
    with_jetstream(url, lambda js: js.purge_stream(case.stream, keep=5))
    start = ", 'scan.startup.mode'='specific-offset', 'scan.startup.specific-offset'='3'"
    run = case.once(case.nats_pipeline(url, start), expect=None)
    assert run.returncode in (1, 3) and "3" in run.stderr and "16" in run.stderr, run.stderr


def test_start_positions(case, shared_nats, running, eventually):
    url = shared_nats.url
    publish(url, case.stream, events(1, 20))
    start = ", 'scan.startup.mode'='specific-offset', 'scan.startup.specific-offset'='11'"
    case.once(case.nats_pipeline(url, start))
    assert case.ids() == list(range(11, 21))
    late = Case(case.weir, case.folder / "latest", case.stream)
    process = running(late.nats_pipeline(url, ", 'scan.startup.mode'='latest-offset'"), "--progress", "lines")
    eventually(lambda: "state=running" in process.said())
    publish(url, case.stream, events(21, 25))
    eventually(lambda: late.ids() == list(range(21, 26)))


def test_stream_that_was_made_anew(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, events(1, 20))
    file = case.nats_pipeline(url)
    case.once(file)
    with_jetstream(url, lambda js: js.delete_stream(case.stream))
    publish(url, case.stream, events(1, 30))
    run = case.once(file, expect=None)
    assert run.returncode in (1, 3) and "anew" in run.stderr, run.stderr
    assert case.ids() == list(range(1, 21))


def test_a_work_queue_needs_acknowledgements(case, shared_nats):
    publish(shared_nats.url, case.stream, events(1, 5), config={"retention": "workqueue"})
    run = case.once(case.nats_pipeline(shared_nats.url, ", 'ack'='none'"), expect=None)
    assert run.returncode in (1, 3) and "workqueue" in run.stderr and "'ack'" in run.stderr


def test_subject_filter(case, shared_nats):
    subjects = [f"{case.stream}.eu", f"{case.stream}.us"]
    publish(shared_nats.url, case.stream, events(1, 40), subjects)
    columns = COLUMNS + ", subject STRING METADATA, seq BIGINT METADATA FROM 'offset'"
    file = case.nats_pipeline(shared_nats.url, f", 'subject'='{case.stream}.eu'", columns=columns)
    case.once(file)
    assert case.ids() == list(range(1, 41, 2))
    found = case.sql(file, "SELECT DISTINCT subject FROM lake")
    assert found == [{"subject": f"{case.stream}.eu"}]
    assert case.sql(file, "SELECT count(*) AS n FROM lake WHERE seq = id") == [{"n": 20}]


def test_partitions(case, shared_nats):
    subjects = [f"{case.stream}.{part}" for part in ("a", "b", "c")]
    publish(shared_nats.url, case.stream, events(1, 300), subjects)
    filters = ", ".join(subjects)
    file = case.nats_pipeline(shared_nats.url, f", 'scan.partitions'='{filters}'")
    case.once(file)
    publish(shared_nats.url, case.stream, events(301, 330), subjects)
    case.once(file)
    assert case.ids() == list(range(1, 331))
    assert case.sql(file, "SELECT count(DISTINCT _weir_partition) AS n FROM lake") == [{"n": 3}]
    both = f", 'scan.partitions'='{case.stream}.*, {case.stream}.a'"
    overlapping = case.nats_pipeline(shared_nats.url, both, file="overlapping.sql")
    said = case.weir.run(["check", "--connect", overlapping], cwd=case.folder, expect=2).stderr
    assert "overlap" in said or "twice" in said, said


def test_own_positions_when_the_consumer_is_gone(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, events(1, 30))
    file = case.nats_pipeline(url, ", 'durable'='mine'")
    case.once(file)
    with_jetstream(url, lambda js: js.delete_consumer(case.stream, "mine"))
    publish(url, case.stream, events(31, 60))
    case.once(file)
    assert case.ids() == list(range(1, 61))


def test_positions_come_from_the_lake_not_from_acknowledgements(case, shared_nats):
    """A consumer that stands elsewhere, behind or ahead, changes nothing."""
    url = shared_nats.url
    publish(url, case.stream, events(1, 30))
    file = case.nats_pipeline(url, ", 'durable'='moved'")
    case.once(file)

    async def ahead(js):
        await js.publish(f"{case.stream}.a", event(31))
        await js.publish(f"{case.stream}.a", event(32))
        await js.delete_consumer(case.stream, "moved")
        reader = await js.pull_subscribe(f"{case.stream}.>", durable="moved")
        for message in await reader.fetch(32, timeout=5):
            await message.ack_sync()
    with_jetstream(url, ahead)
    case.once(file)
    assert case.ids() == list(range(1, 33))


def test_without_acknowledgements(case, shared_nats):
    url = shared_nats.url
    publish(url, case.stream, events(1, 30))
    file = case.nats_pipeline(url, ", 'ack'='none'")
    case.once(file)
    publish(url, case.stream, events(31, 40))
    case.once(file)
    case.once(file)
    assert case.ids() == list(range(1, 41))
