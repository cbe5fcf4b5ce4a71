-- A NOT NULL sink column fed by a NOT NULL source column.
CREATE TABLE events (
  id BIGINT NOT NULL,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id BIGINT NOT NULL,
  name STRING
) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
