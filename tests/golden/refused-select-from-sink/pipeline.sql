-- A query over a sink.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id BIGINT
) WITH ('connector' = 'delta', 'path' = 'lake');

CREATE TABLE copy WITH ('connector' = 'delta', 'path' = 'copy');

INSERT INTO lake SELECT id FROM events;
INSERT INTO copy SELECT id FROM lake;
