-- More digits after the point than the DECIMAL has are an error, never rounded away.
CREATE TABLE events (
  id INT,
  amount DECIMAL(12, 2)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
