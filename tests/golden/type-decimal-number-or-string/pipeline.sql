-- DECIMAL takes a number or a decimal string, exactly, and is printed with its full scale.
CREATE TABLE events (
  id INT,
  amount DECIMAL(12, 2)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
