CREATE TABLE changes (id BIGINT NOT NULL, name STRING) WITH ('connector' = 'file', 'path' = 'changes.ndjson', 'format' = 'debezium-json');

CREATE TABLE queue WITH ('connector' = 'kafka', 'topic' = 'queue', 'properties.bootstrap.servers' = 'localhost:9092');

INSERT INTO queue SELECT * FROM changes;
