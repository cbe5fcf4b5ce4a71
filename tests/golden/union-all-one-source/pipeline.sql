-- UNION ALL over one source: each branch sees every event, and equal rows stay.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, 'all' AS tag FROM events
UNION ALL
SELECT id, 'big' AS tag FROM events WHERE qty > 5
UNION ALL
SELECT id, 'all' AS tag FROM events WHERE id = 1;
