-- Lines may end in CR LF; the CR is no part of the event.
CREATE TABLE events (
  id INT,
  s STRING
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
