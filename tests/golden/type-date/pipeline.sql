-- DATE takes YYYY-MM-DD; a day that does not exist is bad_timestamp.
CREATE TABLE events (
  id INT,
  d DATE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
