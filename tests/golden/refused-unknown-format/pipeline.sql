-- An unknown format, with the near one suggested.
CREATE TABLE events (id INT)
WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'jsn');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
