-- An event nested deeper than json.max-depth is too_deep, also in fields nobody reads.
CREATE TABLE events (
  id INT
) WITH (
  'connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json',
  'json.max-depth' = '4'
);

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
