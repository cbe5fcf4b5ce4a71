-- A view may stand on a view, and be used by several INSERTs.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TEMPORARY VIEW known AS SELECT * FROM events WHERE customer IS NOT NULL;
CREATE TEMPORARY VIEW priced AS SELECT id, customer, amount * qty AS total FROM known;

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

CREATE TABLE names WITH ('connector' = 'delta', 'path' = 'names');

INSERT INTO lake SELECT id, CAST(total AS DECIMAL(14, 2)) AS total FROM priced WHERE total > 5;
INSERT INTO names SELECT customer FROM known;
