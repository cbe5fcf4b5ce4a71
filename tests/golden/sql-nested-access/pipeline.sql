-- Fields of rows by dots, elements of arrays by number from 1, values of maps by key.
CREATE TABLE events (
  id INT,
  customer ROW<name STRING, address ROW<city STRING>>,
  tags ARRAY<STRING>,
  attrs MAP<STRING, INT>
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, customer.name AS name, customer.address.city AS city, tags[1] AS first_tag, tags[3] AS third_tag, attrs['k'] AS k
FROM events;
