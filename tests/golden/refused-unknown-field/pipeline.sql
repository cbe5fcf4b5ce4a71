-- A field that a ROW has not.
CREATE TABLE events (
  id INT,
  customer ROW<name STRING, city STRING>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, customer.nam AS n FROM events;
