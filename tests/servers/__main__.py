"""python -m servers nats|minio|kafka|flink|clickhouse|chdb [FOLDER]

Starts one server, prints how to reach it, and stops it on Ctrl-C."""

import signal
import sys

from . import ClickHouseFront, ClickHouseServer, FlinkServer, KafkaServer, MinioServer, NatsServer


def main():
    kinds = {"nats": NatsServer, "minio": MinioServer, "kafka": KafkaServer, "flink": FlinkServer,
             "clickhouse": ClickHouseServer, "chdb": ClickHouseFront}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in kinds:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(0))
    with kinds[sys.argv[1]](*sys.argv[2:]) as server:
        print(f"{server.NAME}: {server.url}  (data in {server.folder}; Ctrl-C stops it)")
        if isinstance(server, MinioServer):
            for name, value in server.env().items():
                print(f"export {name}={value}")
        sys.stdout.flush()
        try:
            return server.process.wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
