-- PARTITIONED BY is the other way to write partition-by.
CREATE TABLE events (
  id INT,
  kind STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake (
  id INT,
  kind STRING
) PARTITIONED BY (kind) WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
