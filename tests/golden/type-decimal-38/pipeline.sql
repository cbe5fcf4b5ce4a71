-- A DECIMAL(38, 10) keeps every digit, where a double would not.
CREATE TABLE events (
  id INT,
  v DECIMAL(38, 10)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, v, CAST(v AS STRING) AS digits FROM events;
