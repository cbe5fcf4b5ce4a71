-- An error names the field and the byte at which the offending value begins.
CREATE TABLE events (
  id INT,
  r ROW<n INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
