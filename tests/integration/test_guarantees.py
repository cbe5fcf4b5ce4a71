"""What docs/guarantees.md promises for each source and sink, after a kill -9 at the worst moment of that sink."""

import json

import pytest
from case import COLUMNS, column, event, publish, stored
from edge import Edge

COUNT = 60
# Rows are in the target, and the positions or the source's acknowledgement are not yet on their way.
WORST = {"delta": "delta.after_authority_commit:1", "clickhouse": "clickhouse.after_insert:1",
         "kafka": "runtime.after_sink:1", "nats": "runtime.after_sink:1", "print": "runtime.after_sink:1",
         "blackhole": "runtime.after_sink:1"}
EXACTLY_ONCE = ("delta", "clickhouse")


def source(kind, request, case, topic):
    """The source's WITH (…), filled; every event is good."""
    messages = [event(number) for number in range(1, COUNT + 1)]
    if kind == "nats":
        url = request.getfixturevalue("shared_nats").url
        publish(url, case.stream, messages)
        return f"'connector'='nats', 'url'='{url}', 'stream'='{case.stream}', 'format'='json'"
    if kind == "kafka":
        kafka = request.getfixturevalue("kafka")
        kafka.create_topic(f"{topic}-in", partitions=2)
        kafka.produce(f"{topic}-in", messages)
        return (f"'connector'='kafka', 'properties.bootstrap.servers'='{kafka.bootstrap}', 'topic'='{topic}-in', "
                "'format'='json'")
    if kind == "http":
        with Edge(case.weir, case.folder / "edge") as edge:
            status, answer = edge.post("orders", b"\n".join(messages), "application/x-ndjson")
            assert (status, answer["events"]) == (200, COUNT)
            edge.stop()
        return f"'connector'='http', 'path'='{case.folder}/edge/data/log', 'stream'='orders', 'format'='json'"
    if kind == "file":
        (case.folder / "in.ndjson").write_bytes(b"\n".join(messages) + b"\n")
        return f"'connector'='file', 'path'='{case.folder}/in.ndjson', 'format'='json'"
    return f"'connector'='generator', 'rows'='{COUNT}', 'fields.id.kind'='sequence', 'fields.id.min'='1'"


class Target:
    """The sink's WITH (…), and the ids that are there afterwards."""

    def __init__(self, kind, request, case, topic, database):
        self.kind, self.request, self.case, self.topic, self.database = kind, request, case, topic, database
        self.printed = ""

    def options(self):
        if self.kind == "delta":
            return f"'connector'='delta', 'path'='{self.case.lake}'"
        if self.kind == "clickhouse":
            url = self.request.getfixturevalue("clickhouse").url
            return f"'connector'='clickhouse', 'url'='{url}', 'database'='{self.database}', 'table'='target'"
        if self.kind == "kafka":
            kafka = self.request.getfixturevalue("kafka")
            kafka.create_topic(f"{self.topic}-out", partitions=2)
            return (f"'connector'='kafka', 'properties.bootstrap.servers'='{kafka.bootstrap}', "
                    f"'topic'='{self.topic}-out', 'key.fields'='id'")
        if self.kind == "nats":
            url = self.request.getfixturevalue("shared_nats").url
            publish(url, f"{self.case.stream}-out", [])
            # What the stream's duplicate window makes of repeats: test_nats_sink.py
            return (f"'connector'='nats', 'url'='{url}', 'stream'='{self.case.stream}-out', "
                    f"'subject'='{self.case.stream}-out.x', 'deduplicate'='false'")
        return f"'connector'='{self.kind}'"

    def ids(self):
        if self.kind == "delta":
            return sorted(column(self.case.lake, "id"))
        if self.kind == "clickhouse":
            rows = self.request.getfixturevalue("clickhouse").rows(f"SELECT id FROM {self.database}.target ORDER BY id")
            return [row[0] for row in rows]
        if self.kind == "kafka":
            values = self.request.getfixturevalue("kafka").values(f"{self.topic}-out")
            return sorted(json.loads(value)["id"] for value in values)
        if self.kind == "nats":
            found = stored(self.request.getfixturevalue("shared_nats").url, f"{self.case.stream}-out")
            return sorted(json.loads(payload)["id"] for _, payload, _ in found)
        return sorted(json.loads(line)["id"] for line in self.printed.splitlines() if line.startswith("{"))


@pytest.mark.parametrize("to", WORST)
@pytest.mark.parametrize("origin", ["nats", "kafka", "http", "file", "generator"])
def test_after_a_kill(origin, to, request, case, topic, database):
    target = Target(to, request, case, topic, database)
    case.write("p.sql", case.settings("p") + (
        f"CREATE TABLE events ({COLUMNS}) WITH ({source(origin, request, case, topic)});\n"
        f"CREATE TABLE target WITH ({target.options()});\n"
        "INSERT INTO target SELECT id FROM events;\n"))
    promised = case.weir.run(["check", "p.sql"], cwd=case.folder).stdout
    assert ("at least once" in promised) == (to not in EXACTLY_ONCE), promised

    killed = case.once("p.sql", expect=-9, env={"WEIR_CRASH_POINT": WORST[to]})
    again = case.once("p.sql")
    after = case.once("p.sql")
    target.printed = killed.stdout + again.stdout + after.stdout
    if to == "blackhole":  # keeps nothing; what it was given is what was counted
        assert f"rows={COUNT} " in again.stderr + again.stdout
        return
    ids = target.ids()
    if to in EXACTLY_ONCE:
        assert ids == list(range(1, COUNT + 1))
    else:  # none is lost; what came before the kill came twice, as the page says
        assert sorted(set(ids)) == list(range(1, COUNT + 1)) and len(ids) > COUNT
