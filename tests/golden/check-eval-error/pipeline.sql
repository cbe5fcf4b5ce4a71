-- A CHECK whose expression fails on a row refuses that event.
CREATE TABLE events (
  id INT,
  s STRING,
  CHECK (CAST(s AS INT) > 0)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
