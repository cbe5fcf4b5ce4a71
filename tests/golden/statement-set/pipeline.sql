-- EXECUTE STATEMENT SET BEGIN … END.
CREATE TABLE events (
  id BIGINT NOT NULL,
  customer STRING,
  amount DECIMAL(12, 2),
  qty INT
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE ids WITH ('connector' = 'delta', 'path' = 'ids');

CREATE TABLE names WITH ('connector' = 'delta', 'path' = 'names');

EXECUTE STATEMENT SET
BEGIN
  INSERT INTO ids SELECT id FROM events;
  INSERT INTO names SELECT customer FROM events WHERE customer IS NOT NULL;
END;
