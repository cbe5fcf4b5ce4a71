-- A query with more columns than the sink has.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id BIGINT,
  name STRING
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, name, qty FROM events;
