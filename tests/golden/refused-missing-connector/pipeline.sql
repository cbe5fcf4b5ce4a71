-- A table without a connector.
CREATE TABLE events (id INT) WITH ('path' = 'events.ndjson');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
