"""A query of Nexmark in LaminarDB over flat bids in a Kafka topic (nexmark_produce --flat 1), its rows taken by a
subscription in this process.

laminardb_nexmark.py SERVERS TOPIC COUNT QUERY [--rows]
Ends when COUNT events were taken in and no row has come for a while. Prints one JSON line: rows, and seconds until the
last of them; with --rows first the rows, a JSON line each.
"""
import decimal
import json
import sys
import time
import uuid

import laminardb

# What 0.17 plans. DECIMAL times BIGINT as examples/nexmark has it; a source's TIMESTAMP gives no rows, so time is text.
QUERIES = {
    "q0": 'SELECT auction, bidder, price, "dateTime", extra FROM nexmark WHERE event_type = 2',
    "q1": 'SELECT auction, bidder, CAST(0.908 * price AS DECIMAL(23, 3)) AS price, "dateTime", extra FROM nexmark '
          "WHERE event_type = 2",
    "q2": "SELECT auction, price FROM nexmark WHERE event_type = 2 AND auction % 123 = 0",
    "q14": """SELECT auction, bidder, CAST(0.908 * price AS DECIMAL(23, 3)) AS price,
      CASE WHEN hour >= 8 AND hour <= 18 THEN 'dayTime' WHEN hour <= 6 OR hour >= 20 THEN 'nightTime'
           ELSE 'otherTime' END AS "bidTimeType",
      "dateTime", extra, character_length(extra) - character_length(replace(extra, 'c', '')) AS c_counts
      FROM (SELECT *, CAST(substr("dateTime", 12, 2) AS INT) AS hour FROM nexmark WHERE event_type = 2)
      WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
    "q21": """SELECT auction, bidder, price, channel,
      CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
           WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
           ELSE regexp_match(url, '(&|^)channel_id=([^&]*)')[2] END AS channel_id
      FROM nexmark WHERE event_type = 2 AND (regexp_match(url, '(&|^)channel_id=([^&]*)')[2] IS NOT NULL
        OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu'))""",
    "q22": """SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2,
      split_part(url, '/', 6) AS dir3 FROM nexmark WHERE event_type = 2""",
}
_QUIET_S = 0.5


def spelling(value):
    return str(value.normalize() if isinstance(value, decimal.Decimal) else value)


def main():
    servers, topic, count, query = sys.argv[1:5]
    if query not in QUERIES:
        print(f"{query} is not among those that it plans", file=sys.stderr)
        return 1
    started = time.monotonic()
    connection = laminardb.open(":memory:")
    connection.execute(f"""CREATE SOURCE nexmark (event_type BIGINT, auction BIGINT, bidder BIGINT, price BIGINT,
      channel VARCHAR, url VARCHAR, "dateTime" VARCHAR, extra VARCHAR)
      FROM KAFKA ('bootstrap.servers'='{servers}', 'topic'='{topic}', 'group.id'='bench-{uuid.uuid4()}',
        'startup.mode'='earliest', 'auto.offset.reset'='earliest') FORMAT JSON""")
    connection.execute(f"CREATE STREAM result AS {QUERIES[query]}")
    subscription = connection.subscribe_stream("result")
    connection.start()
    batches, rows, moved = [], 0, time.monotonic()
    while True:
        batch = subscription.try_next()
        if batch is not None:
            rows, moved = rows + batch.num_rows, time.monotonic()
            if "--rows" in sys.argv:
                batches.append(batch)
            continue
        quiet = time.monotonic() - moved
        if quiet > _QUIET_S and connection.metrics().total_events_ingested >= int(count) or quiet > 30:
            break
        time.sleep(0.005)
    ingested = connection.metrics().total_events_ingested
    for batch in batches:
        for row in batch.to_arrow().to_pylist():
            print(json.dumps(row, default=spelling))
    connection.close()
    print(json.dumps({"events": ingested, "rows": rows, "seconds": round(moved - started, 3)}))
    return 0 if ingested >= int(count) else 1


if __name__ == "__main__":
    sys.exit(main())
