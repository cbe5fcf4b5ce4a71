-- An absent field and an explicit null are the same: null. An empty object is an event.
CREATE TABLE events (
  id INT,
  name STRING,
  v DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
