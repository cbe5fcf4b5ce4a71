-- Partition values that Delta or Hive would take for null, or for part of a path.
CREATE TABLE events (
  id INT,
  p STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'p');

INSERT INTO lake SELECT * FROM events;
