-- TIMESTAMP_LTZ is an instant: read with any offset, printed in UTC with a Z.
CREATE TABLE events (
  id INT,
  at TIMESTAMP_LTZ(3)
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
