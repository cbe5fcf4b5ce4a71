-- An integer division by zero is sql_eval; the rows beside it are kept.
CREATE TABLE events (
  id INT,
  a INT,
  b INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT id, a / b AS q FROM events;
