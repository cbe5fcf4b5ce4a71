-- MAP<STRING, …> is a JSON object with any keys.
CREATE TABLE events (
  id INT,
  m MAP<STRING, BIGINT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
