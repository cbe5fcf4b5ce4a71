-- An event that fails leaves nothing in the rest column of its neighbours.
CREATE TABLE events (
  id INT,
  rest STRING
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.unknown-fields' = 'keep', 'json.rest-column' = 'rest'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
