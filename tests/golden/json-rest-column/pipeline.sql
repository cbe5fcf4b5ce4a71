-- 'json.unknown-fields' = 'keep': what no column takes goes into the rest column as JSON.
CREATE TABLE events (
  id INT,
  rest STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.unknown-fields' = 'keep', 'json.rest-column' = 'rest'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
