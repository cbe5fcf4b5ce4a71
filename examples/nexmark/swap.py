#!/usr/bin/env python3
"""The same query over other tables: swap.py q5.sql --source kafka:localhost:9092/nexmark --sink print > mine.sql

--source generator:ROWS | kafka:SERVERS/TOPIC | file:PATH     the events' table: JSON lines or messages, or drawn here
--sink blackhole | print | delta:PATH | kafka:SERVERS/TOPIC   the result's table
Only the WITH clauses change.
"""
import argparse
import pathlib
import re

GENERATOR = {"connector": "generator", "kind": "nexmark"}


def source_options(place):
    kind, _, rest = place.partition(":")
    if kind == "generator":
        return GENERATOR | {"rows": rest or "1000000"}
    if kind == "kafka":
        servers, _, topic = rest.rpartition("/")
        return {"connector": "kafka", "properties.bootstrap.servers": servers, "topic": topic,
                "scan.startup.mode": "earliest-offset", "format": "json"}
    if kind == "file":
        return {"connector": "file", "path": rest, "format": "json"}
    raise SystemExit(f"swap.py: no such source: {place}")


def sink_options(place):
    kind, _, rest = place.partition(":")
    if kind in ("blackhole", "print"):
        return {"connector": kind}
    if kind == "delta":
        return {"connector": "delta", "path": rest}
    if kind == "kafka":
        servers, _, topic = rest.rpartition("/")
        return {"connector": "kafka", "properties.bootstrap.servers": servers, "topic": topic, "format": "json"}
    raise SystemExit(f"swap.py: no such sink: {place}")


def with_clause(options):
    return "WITH (" + ", ".join(f"'{name}' = '{value}'" for name, value in options.items()) + ")"


def swap(text, source=None, sink=None):
    """`text` with other options for its two tables; source and sink: name -> value, or None to leave them."""
    for table, options in ((r"nexmark", source), (r"nexmark_q\d+", sink)):
        if options is None:
            continue
        made, count = re.subn(rf"(CREATE TABLE {table} \(.*?\n\) )WITH \([^;]*\);",
                              lambda found, options=options: found.group(1) + with_clause(options) + ";", text,
                              count=1, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"swap.py: no table {table} in the file")
        text = made
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--source")
    parser.add_argument("--sink")
    given = parser.parse_args()
    print(swap(given.file.read_text(encoding="utf-8"), given.source and source_options(given.source),
               given.sink and sink_options(given.sink)), end="")


if __name__ == "__main__":
    main()
