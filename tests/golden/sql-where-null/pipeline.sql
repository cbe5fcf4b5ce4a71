-- A condition on NULL is unknown: neither it nor its negation keeps the row.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE big WITH ('connector' = 'delta', 'path' = 'big');

CREATE TABLE small WITH ('connector' = 'delta', 'path' = 'small');

CREATE TABLE unknown WITH ('connector' = 'delta', 'path' = 'unknown');

INSERT INTO big SELECT id FROM events WHERE qty > 5;
INSERT INTO small SELECT id FROM events WHERE NOT (qty > 5);
INSERT INTO unknown SELECT id FROM events WHERE qty IS NULL OR qty IN (1, NULL);
