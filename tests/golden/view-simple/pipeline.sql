-- CREATE TEMPORARY VIEW names a query.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TEMPORARY VIEW big AS SELECT id, customer FROM events WHERE qty > 1;

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT customer, id FROM big;
