-- A DOUBLE that is not a number is printed as "NaN".
CREATE TABLE events (
  id INT,
  d DOUBLE
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, SQRT(d) AS root FROM events;
