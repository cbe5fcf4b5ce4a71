-- Delta has no empty string as a partition value: what comes back is null, as its protocol says.
CREATE TABLE events (
  id INT,
  p STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake', 'partition-by' = 'p');

INSERT INTO lake SELECT * FROM events;
