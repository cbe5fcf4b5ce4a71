-- Types nest freely.
CREATE TABLE events (
  id INT,
  items ARRAY<ROW<sku STRING, attrs MAP<STRING, ARRAY<INT>>>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
