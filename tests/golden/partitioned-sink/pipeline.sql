-- 'partition-by': the partition column is in the rows like any other; null and odd characters survive.
CREATE TABLE events (
  id INT,
  day DATE,
  region STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'day,region');

INSERT INTO lake SELECT * FROM events;
