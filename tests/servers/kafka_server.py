"""Apache Kafka (KRaft, one node that is broker and controller) and what tests do with it as a client."""

import shutil
import subprocess
import time

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType,
                                   ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourcePatternType, ResourceType)

from .process import CACHE, Server, ServerError
from .proxy import Proxy

_CLUSTER_ID = "d2Vpci10ZXN0LWNsdXN0ZQ"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_TIMEOUT_S = 30


class KafkaServer(Server):
    """A broker whose acknowledged messages survive kill -9 (they are in the kernel's page cache by then).

    users={"alice": "secret"}: a further listener, `sasl_bootstrap`, with PLAIN, SCRAM-SHA-256 and -512, and
        OAUTHBEARER, which takes an unsecured JWT from anybody (librdkafka: enable.sasl.oauthbearer.unsecure.jwt).
    tls=make_certificates(…): a further listener, `ssl_bootstrap`; with users also `sasl_ssl_bootstrap`.
        client_auth=True demands a client certificate on `ssl_bootstrap`.
    authorize=True: the users may do only what allow() says; `bootstrap` stays open to all.
    proxied=True: a listener that is reached through `.proxy` only, `proxied_bootstrap` (see proxy.py).
    config: more broker properties.
    Topics must be created; nothing creates them by itself. `bootstrap` is always there, plain and open.
    """

    NAME = "kafka"
    # For create_topic(name, **COMPACTED): compacted about a second after the segment rolled, which the first record
    # does that comes 0.1 s or more after it was opened.
    COMPACTED = {"cleanup_policy": "compact", "segment_ms": 100, "min_cleanable_dirty_ratio": 0.01,
                 "delete_retention_ms": 0}
    START_TIMEOUT_S = 60

    def __init__(self, folder=None, users=None, tls=None, client_auth=False, authorize=False, proxied=False,
                 config=None):
        super().__init__(folder)
        self.users, self.tls, self.client_auth, self.config = users or {}, tls, client_auth, dict(config or {})
        if authorize:
            self.config |= {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                            "super.users": "User:ANONYMOUS"}
        self.protocols = {"plaintext": "PLAINTEXT"}
        if users:
            self.protocols["sasl"] = "SASL_PLAINTEXT"
        if tls:
            self.protocols["ssl"] = "SSL"
        if users and tls:
            self.protocols["sasl_ssl"] = "SASL_SSL"
        if proxied:
            self.protocols["proxied"] = "PLAINTEXT"
        self.PORTS = ("controller", *self.protocols)
        self.proxy = Proxy(0) if proxied else None
        self._admin = None
        self._started_at = 0

    @property
    def port(self):
        return self.ports["plaintext"]

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    url = bootstrap

    @property
    def sasl_bootstrap(self):
        return f"127.0.0.1:{self.ports['sasl']}"

    @property
    def ssl_bootstrap(self):
        return f"127.0.0.1:{self.ports['ssl']}"

    @property
    def sasl_ssl_bootstrap(self):
        return f"127.0.0.1:{self.ports['sasl_ssl']}"

    @property
    def proxied_bootstrap(self):
        return f"127.0.0.1:{self.proxy.port}"

    def command(self):
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties)
        self._started_at = self.log.stat().st_size
        return self._java("-Xmx512m", "kafka.Kafka", str(properties))

    def close(self):
        """By kill -9: an orderly stop takes seconds and keeps nothing more."""
        self._admin = None
        self.kill9()
        super().close()
        if self.proxy:
            self.proxy.close()

    def start(self):
        super().start()
        if self.proxy:
            self.proxy.set_target(self.ports["proxied"])
        return self

    # Topics.

    def create_topic(self, name, partitions=1, **configs):
        """configs: with _ for . (cleanup_policy="compact"). Returns when every partition has its leader."""
        configs = {key.replace("_", "."): str(value) for key, value in configs.items()}
        self._wait(self.admin().create_topics([NewTopic(name, partitions, 1, config=configs)]))
        self._wait_for_partitions(name, partitions)

    def delete_topic(self, name):
        self._wait(self.admin().delete_topics([name]))
        self._wait_for_partitions(name, 0)

    def add_partitions(self, name, total):
        """Grows the topic to `total` partitions."""
        self._wait(self.admin().create_partitions([NewPartitions(name, total)]))
        self._wait_for_partitions(name, total)

    def set_topic_config(self, name, **configs):
        entries = [ConfigEntry(key.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
                   for key, value in configs.items()]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self._wait(self.admin().incremental_alter_configs([resource]))

    def delete_records(self, topic, before, partition=0):
        """Records below offset `before` are gone: reading there is out of range."""
        self._wait(self.admin().delete_records([TopicPartition(topic, partition, before)]))

    def allow(self, user, topic=None, group=None, operation="all"):
        """With authorize=True: the user may do `operation` (read, write, describe …, all) on the topic or group."""
        binding = AclBinding(ResourceType.TOPIC if topic else ResourceType.GROUP, topic or group,
                             ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation[operation.upper()],
                             AclPermissionType.ALLOW)
        self._wait(self.admin().create_acls([binding]))

    def partitions(self, topic):
        """Their number; 0 when there is no such topic."""
        found = self.admin().list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        return 0 if found.error else len(found.partitions)

    def ends(self, topic, isolation="read_uncommitted"):
        """{partition: offset of the next record}; read_committed: of the last stable offset."""
        level = IsolationLevel.READ_COMMITTED if isolation == "read_committed" else IsolationLevel.READ_UNCOMMITTED
        asked = {TopicPartition(topic, n): OffsetSpec.latest() for n in range(self.partitions(topic))}
        answers = self.admin().list_offsets(asked, isolation_level=level, request_timeout=_TIMEOUT_S)
        return {place.partition: future.result().offset for place, future in answers.items()}

    # Records.

    def produce(self, topic, records, **config):
        """Returns when all are acknowledged. A record: the value (bytes, str or None), or a dict with any of
        key, value, headers, partition, timestamp (ms). config: librdkafka's, with _ for ."""
        producer = Producer({**self._client(), "linger.ms": 5, **_dotted(config)})
        return _send(producer, topic, records)

    def transaction(self, topic, records, end="commit", transactional_id="weir-test"):
        """Writes records in one transaction and ends it: "commit" or "abort"; "open" returns the producer, whose
        commit_transaction() or abort_transaction() is then the caller's."""
        producer = Producer({**self._client(), "transactional.id": transactional_id, "linger.ms": 5})
        producer.init_transactions(_TIMEOUT_S)
        producer.begin_transaction()
        _send(producer, topic, records)
        if end == "open":
            return producer
        (producer.commit_transaction if end == "commit" else producer.abort_transaction)(_TIMEOUT_S)
        return None

    def read(self, topic, isolation="read_committed", start=0, **config):
        """All records from `start` to the present end, by partition and offset: confluent_kafka Messages
        (.key() .value() .headers() .partition() .offset() .timestamp())."""
        consumer = Consumer({**self._client(), "group.id": "weir-read", "enable.auto.commit": False,
                             "isolation.level": isolation, "enable.partition.eof": True,
                             "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, **_dotted(config)})
        found, left = [], set(range(self.partitions(topic)))
        try:
            consumer.assign([TopicPartition(topic, number, start) for number in left])
            while left:
                message = consumer.poll(_TIMEOUT_S)
                if message is None:
                    raise ServerError(f"no record of {topic} within {_TIMEOUT_S} s, partitions {left} are left")
                if message.error() is None:
                    found.append(message)
                elif message.error().name() == "_PARTITION_EOF":
                    left.discard(message.partition())
                else:
                    raise KafkaException(message.error())
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message.partition(), message.offset()))

    def values(self, topic, **options):
        """The values of read()."""
        return [message.value() for message in self.read(topic, **options)]

    def committed(self, group, topic):
        """{partition: offset that the group committed, or None}."""
        consumer = Consumer({**self._client(), "group.id": group})
        try:
            places = [TopicPartition(topic, number) for number in range(self.partitions(topic))]
            answer = consumer.committed(places, timeout=_TIMEOUT_S)
            return {place.partition: place.offset if place.offset >= 0 else None for place in answer}
        finally:
            consumer.close()

    def members(self, group):
        """The number of members that the group has now, and its state in lower case ("stable", "empty" …)."""
        described = self.admin().describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group].result()
        return len(described.members), described.state.name.lower()

    def admin(self):
        """A confluent_kafka AdminClient on the plain listener."""
        if self._admin is None:
            self._admin = AdminClient(self._client())
        return self._admin

    def _client(self):
        return {"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 500, "log_level": 2}

    def _healthy(self):
        with open(self.log, "rb") as log:
            log.seek(self._started_at)
            return b"Kafka Server started" in log.read()

    def _properties(self):
        advertised = {name: self.ports[name] for name in self.protocols}
        if self.proxy:
            advertised["proxied"] = self.proxy.port
        listeners = [f"{name.upper()}://127.0.0.1:{self.ports[name]}" for name in self.protocols]
        return {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.ports['controller']}",
            "controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
            "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{self.ports['controller']}"]),
            "advertised.listeners": ",".join(f"{n.upper()}://127.0.0.1:{p}" for n, p in advertised.items()),
            "listener.security.protocol.map":
                ",".join(["CONTROLLER:PLAINTEXT", *(f"{n.upper()}:{p}" for n, p in self.protocols.items())]),
            "log.dirs": self.folder / "data", "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4, "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # A test does not wait for what a cluster is patient about.
            # At restart, a killed broker is waited out.
            "broker.session.timeout.ms": 2000, "broker.heartbeat.interval.ms": 200,
            "group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 500,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
            "log.cleaner.backoff.ms": 200, "log.initial.task.delay.ms": 500, "log.retention.check.interval.ms": 500,
            "log.segment.delete.delay.ms": 0, "log.cleaner.dedupe.buffer.size": 4 << 20,
            "num.network.threads": 2, "num.io.threads": 2,
            **self._security(), **self.config,
        }

    def _security(self):
        properties = {}
        modules = "org.apache.kafka.common.security"
        for name in ("sasl", "sasl_ssl"):
            if name not in self.protocols:
                continue
            listener = f"listener.name.{name}"
            properties[f"{listener}.sasl.enabled.mechanisms"] = ",".join(_MECHANISMS)
            known = " ".join(f'user_{user}="{password}"' for user, password in self.users.items())
            properties[f"{listener}.plain.sasl.jaas.config"] = f"{modules}.plain.PlainLoginModule required {known};"
            for scram in ("scram-sha-256", "scram-sha-512"):
                properties[f"{listener}.{scram}.sasl.jaas.config"] = f"{modules}.scram.ScramLoginModule required;"
            properties[f"{listener}.oauthbearer.sasl.jaas.config"] = (
                f'{modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";')
        if self.tls:
            chain = self.folder / "keystore.pem"
            with open(self.tls["server_key"]) as key, open(self.tls["server_cert"]) as certificate:
                chain.write_text(key.read() + certificate.read())
            properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": chain, "ssl.truststore.type": "PEM",
                           "ssl.truststore.location": self.tls["ca"],
                           "listener.name.ssl.ssl.client.auth": "required" if self.client_auth else "none"}
        return properties

    def _format(self, properties):
        """Writes the cluster's id and the SCRAM users; once per data folder."""
        users = []
        for user, password in self.users.items():
            for scram in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                users += ["--add-scram", f"{scram}=[name={user},password={password}]"]
        done = subprocess.run(
            self._java("-Xmx128m", "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties),
                       *users), capture_output=True, text=True, timeout=60, cwd=self.folder)
        if done.returncode:
            raise ServerError(f"Kafka's storage could not be formatted:\n{done.stderr[-2000:]}")

    def _java(self, heap, *arguments):
        jars = CACHE / "kafka"
        java = shutil.which("java")
        if java is None or not (jars / "pin").exists():
            raise ServerError(f"{'java' if java is None else jars} is missing: run `make setup`")
        log = "-Dorg.slf4j.simpleLogger"
        return [java, heap, "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", f"{log}.defaultLogLevel=warn",
                f"{log}.log.kafka.server.KafkaRaftServer=info", f"-Djava.io.tmpdir={self.folder}",
                "-cp", f"{jars}/*", *arguments]

    def _port_was_taken(self):
        return "Address already in use" in self.log.read_text(errors="replace")[-20000:]

    def _wait(self, futures):
        for future in futures.values():
            future.result(_TIMEOUT_S)

    def _wait_for_partitions(self, topic, count):
        for _ in range(600):
            known = self.admin().list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
            if len(known.partitions) == count and all(p.leader >= 0 for p in known.partitions.values()):
                return
            time.sleep(0.02)
        raise ServerError(f"topic {topic} did not come to have {count} partitions with a leader")


def _dotted(config):
    return {key.replace("_", "."): value for key, value in config.items()}


def _send(producer, topic, records):
    failed, count = [], 0

    def delivered(error, _):
        if error is not None:
            failed.append(error)

    for record in records:
        fields = dict(record) if isinstance(record, dict) else {"value": record}
        if fields.get("timestamp") is None:
            fields.pop("timestamp", None)
        while True:
            try:
                producer.produce(topic, on_delivery=delivered, **fields)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    left = producer.flush(_TIMEOUT_S)
    if failed or left:
        raise ServerError(f"{len(failed)} of {count} records were refused ({failed[:1]}), {left} got no answer")
    return count
