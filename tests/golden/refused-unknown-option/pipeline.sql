-- An unknown option of a source, with the near one suggested.
CREATE TABLE events (id INT) WITH (
  'connector' = 'file',
  'paht' = 'events.ndjson'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
