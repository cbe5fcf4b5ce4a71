-- A STRING does not become a number by itself.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  n INT
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT name FROM events;
