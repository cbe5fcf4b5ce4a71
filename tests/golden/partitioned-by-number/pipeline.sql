-- Partition columns of numeric types keep their type.
CREATE TABLE events (
  id INT,
  shard BIGINT,
  ok BOOLEAN
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'shard,ok');

INSERT INTO lake SELECT * FROM events;
