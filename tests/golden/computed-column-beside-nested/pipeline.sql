-- Fields of a ROW, elements of arrays and values of maps are read from a table that also has a computed column.
CREATE TABLE events (
  id INT,
  customer ROW<name STRING, country STRING>,
  tags ARRAY<STRING>,
  sizes MAP<STRING, INT>,
  twice AS id * 2
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake
SELECT id, e.customer.name AS customer, upper(customer.country) AS country, tags[1] AS tag, sizes['a'] AS size, twice
FROM events AS e WHERE customer.country <> 'xx';
