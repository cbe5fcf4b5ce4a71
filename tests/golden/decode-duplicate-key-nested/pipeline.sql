-- A key given twice inside a ROW is an error too, with its pointer.
CREATE TABLE events (
  id INT,
  r ROW<a INT, b INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
