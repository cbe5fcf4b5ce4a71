-- SMALLINT holds -32768 to 32767; one more is out_of_range.
CREATE TABLE events (
  v SMALLINT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
