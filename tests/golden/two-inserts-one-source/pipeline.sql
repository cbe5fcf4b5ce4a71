-- Two INSERTs over one source, each with its own rows.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE cheap WITH ('connector' = 'delta', 'path' = 'cheap');

CREATE TABLE dear WITH ('connector' = 'delta', 'path' = 'dear');

INSERT INTO cheap SELECT id, amount FROM events WHERE amount < 50;
INSERT INTO dear SELECT id, customer FROM events WHERE amount >= 50;
