SET 'pipeline.commit-interval' = '5 sec;
CREATE TABLE t (a ROW<b ARRAY<MAP<STRING, DECIMAL(38,38)>>, c TIME(9) NOT NULL>, `weird `` name` INT METADATA FROM 'offset' VIRTUAL, PRIMARY KEY (a) NOT ENFORCED) COMMENT 'x' PARTITIONED BY (a) WITH ('connector'='file');
/* open