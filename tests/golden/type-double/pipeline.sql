-- DOUBLE takes any JSON number, integral ones too; one beyond its range is out_of_range.
CREATE TABLE events (
  id INT,
  v DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
