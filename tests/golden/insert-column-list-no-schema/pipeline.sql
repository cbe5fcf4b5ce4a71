-- A column list also names the columns of a sink without declared ones.
CREATE TABLE events (
  id INT,
  name STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake (a, b) SELECT id + 1, name FROM events;
