"""LaminarDB's Kafka source -> filter, projection -> its Delta sink, until the table holds what it should.

laminardb_kafka.py SERVERS TOPIC COUNT TABLE ROWS
TABLE exists and is empty: the sink of 0.17 does not create one ("cannot create Delta Lake table without schema").
Ends when TABLE's log says ROWS rows. Prints one JSON line.
"""
import json
import os
import sys
import time
import uuid

import laminardb


def committed_rows(table, seen):
    """Rows of all commits; `seen` keeps the files that were counted."""
    log = os.path.join(table, "_delta_log")
    for name in os.listdir(log):
        if not name.endswith(".json") or name in seen:
            continue
        with open(os.path.join(log, name), encoding="utf-8") as commit:
            actions = [json.loads(line) for line in commit]
        seen[name] = sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)
    return sum(seen.values())


def main():
    servers, topic, count, table, rows = sys.argv[1:]
    count, rows = int(count), int(rows)
    started = time.monotonic()
    connection = laminardb.open(":memory:")
    connection.execute(f"""CREATE SOURCE orders (
      order_id BIGINT, customer VARCHAR, amount DOUBLE, quantity BIGINT, express BOOLEAN, weight DOUBLE,
      placed_at VARCHAR, sent_at VARCHAR, country VARCHAR, note VARCHAR
    ) FROM KAFKA ('bootstrap.servers'='{servers}', 'topic'='{topic}', 'group.id'='bench-{uuid.uuid4()}',
      'startup.mode'='earliest', 'auto.offset.reset'='earliest') FORMAT JSON""")
    # A TIMESTAMP column in the source ingests and emits nothing; a plain CAST gives nanoseconds, which the sink drops.
    connection.execute("""CREATE STREAM kept AS SELECT order_id, customer, amount, quantity, weight,
      arrow_cast(placed_at, 'Timestamp(Microsecond, None)') AS placed_at, country, note
      FROM orders WHERE quantity > 5""")
    connection.execute(f"""CREATE SINK lake FROM kept INTO "delta-lake" ('table.path'='{table}',
      'max.buffer.duration.ms'='1000')""")
    connection.start()
    seen, moved_at, found = {}, time.monotonic(), 0
    while found < rows:
        time.sleep(0.05)
        now = committed_rows(table, seen)
        if now != found:
            found, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > 40:
            break
    metrics = connection.metrics()
    connection.close()
    print(json.dumps({"messages": metrics.total_events_ingested, "expected": count, "rows": found,
                      "seconds": round(time.monotonic() - started, 3)}))
    return 0 if found == rows else 1


if __name__ == "__main__":
    sys.exit(main())
