-- IN (SELECT …) is a join.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE other (
  id BIGINT
) WITH ('connector' = 'file', 'path' = 'other.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id FROM events WHERE id IN (SELECT id FROM other);
