-- A CHECK over a column that is not there.
CREATE TABLE events (
  id INT,
  CHECK (amuont > 0),
  amount INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
