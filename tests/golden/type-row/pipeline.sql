-- ROW is a nested object; its absent fields are null, a null row stays null.
CREATE TABLE events (
  id INT,
  customer ROW<name STRING, address ROW<city STRING, zip STRING>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
