-- CHECK refuses an event as check_failed and names the constraint; NULL passes, as SQL says.
CREATE TABLE events (
  id INT,
  amount DECIMAL(8, 2),
  status STRING,
  CONSTRAINT positive CHECK (amount > 0),
  CHECK (status IN ('new', 'paid'))
) WITH ('connector' = 'file', 'path' = 'events.ndjson', 'format' = 'json');

CREATE TABLE lake WITH ('connector' = 'delta', 'path' = 'lake');

INSERT INTO lake SELECT * FROM events;
