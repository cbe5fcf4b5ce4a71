-- VARCHAR(n) of a declared sink counts characters; what does not fit is refused for that INSERT.
CREATE TABLE events (id BIGINT NOT NULL, name STRING)
WITH ('connector' = 'nats', 'url' = 'nats://localhost:4222', 'stream' = 'E', 'format' = 'json');
CREATE TABLE lake (id BIGINT, name VARCHAR(3)) WITH ('connector' = 'delta', 'path' = 'lake');
INSERT INTO lake SELECT id, name FROM events;
