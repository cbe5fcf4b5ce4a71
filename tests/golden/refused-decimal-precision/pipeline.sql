-- DECIMAL holds 1 to 38 digits.
CREATE TABLE events (
  v DECIMAL(50, 2)
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
