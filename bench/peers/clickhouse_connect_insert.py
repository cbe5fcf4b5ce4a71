"""clickhouse-connect's inserts of an Arrow table, for clickhouse_insert.py.

clickhouse_connect_insert.py URL TABLE FILE.arrows arrow|columns COMPRESSION
`arrow`: client.insert_arrow; `columns`: client.insert of columns (numpy where there are no NULLs, lists elsewhere). The
file is read and the server greeted before the clock starts. Prints one JSON line: rows, Arrow bytes, seconds,
CPU-seconds of this process.
"""
import json
import sys
import time
import urllib.parse

import clickhouse_connect
import pyarrow
import pyarrow.ipc


def as_columns(table):
    columns = []
    for column in table.columns:
        whole = column.combine_chunks()
        plain = pyarrow.types.is_integer(whole.type) or pyarrow.types.is_floating(whole.type)
        if whole.null_count == 0 and plain:
            columns.append(whole.to_numpy(zero_copy_only=False))
        elif pyarrow.types.is_map(whole.type):
            columns.append([dict(pairs) for pairs in whole.to_pylist()])
        else:
            columns.append(whole.to_pylist())
    return columns


def main():
    url, name, path, how, compression = sys.argv[1:]
    with pyarrow.OSFile(path) as file:
        table = pyarrow.ipc.open_stream(file).read_all()
    address = urllib.parse.urlsplit(url)
    client = clickhouse_connect.get_client(host=address.hostname, port=address.port,
                                           compress=False if compression == "none" else compression)
    wall, cpu = time.monotonic(), time.process_time()
    if how == "arrow":
        client.insert_arrow(name, table, settings={"async_insert": 0})
    else:
        client.insert(name, as_columns(table), column_names=table.schema.names, column_oriented=True,
                      settings={"async_insert": 0})
    print(json.dumps({"rows": table.num_rows, "arrow_bytes": table.nbytes, "seconds": time.monotonic() - wall,
                      "cpu_seconds": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
