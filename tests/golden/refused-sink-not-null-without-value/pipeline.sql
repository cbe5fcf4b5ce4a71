-- A NOT NULL sink column that the INSERT gives nothing.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id BIGINT,
  name STRING NOT NULL
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake (id) SELECT id FROM events;
