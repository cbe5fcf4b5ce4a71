-- A DECIMAL cannot have more digits after the point than it has digits.
CREATE TABLE events (
  v DECIMAL(5, 6)
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
