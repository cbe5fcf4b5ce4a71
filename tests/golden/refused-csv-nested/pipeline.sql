CREATE TABLE events (id INT, tags ARRAY<STRING>) WITH ('connector' = 'file', 'path' = 'events.csv', 'format' = 'csv');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
