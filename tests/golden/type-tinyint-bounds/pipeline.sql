-- TINYINT holds -128 to 127; one more is out_of_range.
CREATE TABLE events (
  v TINYINT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
