-- An unknown option of the format.
CREATE TABLE events (id INT) WITH (
  'connector' = 'file', 'path' = 'events.ndjson',
  'json.unknown-feilds' = 'reject'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
