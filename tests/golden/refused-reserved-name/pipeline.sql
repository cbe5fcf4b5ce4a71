-- Names that begin with _weir_ belong to Weir.
CREATE TABLE events (
  id INT,
  _weir_x INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
