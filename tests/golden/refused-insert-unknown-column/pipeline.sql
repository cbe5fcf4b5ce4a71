-- INSERT INTO t (columns) with a column the sink has not.
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

INSERT INTO lake (id, nmae) SELECT id, name FROM events;
