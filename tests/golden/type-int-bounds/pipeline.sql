-- INT holds -2147483648 to 2147483647; one more is out_of_range.
CREATE TABLE events (
  v INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
