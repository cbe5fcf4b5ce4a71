-- A narrower sink column needs a CAST, and the message writes it.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id INT
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id FROM events;
