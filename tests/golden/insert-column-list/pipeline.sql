-- INSERT INTO t (columns): by position into the named columns, the others are NULL.
CREATE TABLE events (
  id INT,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  note STRING,
  who STRING,
  id BIGINT
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake (id, who) SELECT id, name FROM events;
