-- Maps hold any type: here rows.
CREATE TABLE events (
  id INT,
  prices MAP<STRING, ROW<amount DECIMAL(8, 2), currency STRING>>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
