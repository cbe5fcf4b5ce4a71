-- A DECIMAL(5, 2) has three digits before the point; a fourth is out_of_range.
CREATE TABLE events (
  id INT,
  v DECIMAL(5, 2)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
