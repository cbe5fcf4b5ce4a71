-- An event that breaks deep inside its arrays takes all its half-written values back;
-- its neighbours keep theirs.
CREATE TABLE events (
  id INT,
  name STRING,
  items ARRAY<ROW<sku STRING, qty INT, tags ARRAY<STRING>>>,
  m MAP<STRING, INT>,
  last INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
