-- A join of two streams.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING,
  qty INT,
  ts TIMESTAMP(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE other (
  id BIGINT,
  v INT
) WITH ('connector' = 'file', 'path' = 'other.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT e.id, o.v FROM events AS e JOIN other AS o ON e.id = o.id;
