-- An unknown connector, with the near one suggested.
CREATE TABLE events (id INT) WITH ('connector' = 'natz', 'stream' = 'ORDERS');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
