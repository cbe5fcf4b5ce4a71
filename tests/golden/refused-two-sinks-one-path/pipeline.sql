-- Two tables at one place would trim each other's rows: declared once, written by several INSERTs.
CREATE TABLE events (
  id INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE low WITH ('connector' = 'delta', 'path' = './lake/all/');
CREATE TABLE high WITH ('connector' = 'delta', 'path' = 'lake/../lake/all');

INSERT INTO low SELECT id FROM events WHERE id < 10;
INSERT INTO high SELECT id FROM events WHERE id >= 10;
