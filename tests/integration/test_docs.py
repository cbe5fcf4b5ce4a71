"""Docs that are generated, or that name what the binary has, agree with it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_connectors_page_is_what_the_binary_says(weir):
    page = (ROOT / "docs" / "connectors.md").read_text()
    assert page == weir.run(["connectors", "--markdown"]).stdout, \
        "mend it with: build/weir connectors --markdown > docs/connectors.md"


def test_every_setting_of_the_dialect_page_is_known(weir, tmp_path):
    rows = re.findall(r"^\| `((?:pipeline|error-lake|state)\.[\w-]+)` \| ([^|]*) \|",
                      (ROOT / "docs" / "sql.md").read_text(), re.M)
    assert len(rows) >= 10
    values = {name: default.strip().strip("`") for name, default in rows}
    values["pipeline.name"] = "documented"
    (tmp_path / "in.ndjson").write_text('{"a": 1}\n')
    settings = "".join(f"SET '{name}' = '{value}';\n" for name, value in values.items())
    (tmp_path / "p.sql").write_text(settings + """
CREATE TABLE s (a BIGINT) WITH ('connector' = 'file', 'path' = 'in.ndjson', 'format' = 'json');
CREATE TABLE t WITH ('connector' = 'blackhole');
INSERT INTO t SELECT a FROM s;
""")
    weir.run(["check", "p.sql"], cwd=tmp_path)


def test_the_dialect_page_s_example_is_accepted(weir, tmp_path):
    example = re.search(r"^```sql\n(.*?)^```", (ROOT / "docs" / "sql.md").read_text(), re.M | re.S).group(1)
    (tmp_path / "orders.sql").write_text(example)
    weir.run(["check", "orders.sql"], cwd=tmp_path)


def test_exit_codes_of_wrong_usage_and_wrong_files(weir, tmp_path):
    weir.run(["no-such-command"], expect=2)
    weir.run(["check", "absent.sql"], cwd=tmp_path, expect=2)
    (tmp_path / "bad.sql").write_text("SELEC 1;\n")
    answer = weir.run(["check", "bad.sql"], cwd=tmp_path, expect=2)
    assert re.search(r"bad\.sql:1:1: error: ", answer.stderr + answer.stdout)
    weir.run(["help"])
    weir.run(["version"])


def test_exit_code_of_an_unreachable_server(weir, tmp_path):
    (tmp_path / "p.sql").write_text("""
CREATE TABLE s (a BIGINT) WITH ('connector' = 'nats', 'url' = 'nats://127.0.0.1:1', 'stream' = 'S', 'format' = 'json',
  'connect.timeout' = '500 ms');
CREATE TABLE t WITH ('connector' = 'blackhole');
INSERT INTO t SELECT a FROM s;
""")
    weir.run(["check", "--connect", "p.sql"], cwd=tmp_path, expect=3, timeout_s=20)


def guarantees():
    return (ROOT / "docs" / "guarantees.md").read_text()


def test_every_test_that_guarantees_names_exists():
    named = re.findall(r"`((?:tests|src)/[^`\s]+)`", guarantees())
    assert len(named) > 40
    for name in named:
        path, _, test = name.replace(".cpp:", ".cpp::").partition("::")
        assert (ROOT / path).exists(), name
        if path.endswith(".py"):
            assert re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.M), name
        elif test:
            assert re.search(rf"^TEST\w*\(\w+,\s+{test}\)", (ROOT / path).read_text(), re.M), name


def test_guarantees_has_every_source_and_sink(weir):
    kinds = re.findall(r"^## (source|sink) `(\w+)`", weir.run(["connectors", "--markdown"]).stdout, re.M)
    table = guarantees().split("## Source × sink", 1)[1].split("\n## ", 1)[0]
    columns = re.search(r"^\| \|(.*)\|$", table, re.M).group(1)
    for kind, name in kinds:
        if kind == "sink":
            assert f"`{name}`" in columns, name
            continue
        cells = re.search(rf"^\| `{name}` \|(.*)\|$", table, re.M).group(1).split(" | ")
        assert len(cells) == len(columns.split("|")), name
        assert all(re.search(r"exactly once|at least once", cell) for cell in cells), name


def test_guarantees_quotes_what_check_says(weir, tmp_path):
    words = " ".join(guarantees().split())
    for connector in ("'print'", "'blackhole'",
                      "'kafka', 'topic'='t', 'properties.bootstrap.servers'='127.0.0.1:1'",
                      "'nats', 'url'='nats://127.0.0.1:1', 'stream'='S', 'subject'='a'",
                      "'clickhouse', 'url'='http://127.0.0.1:1', 'delivery'='at-least-once'"):
        (tmp_path / "p.sql").write_text(f"""
CREATE TABLE s (a BIGINT) WITH ('connector' = 'generator', 'rows' = '1');
CREATE TABLE t WITH ('connector' = {connector});
INSERT INTO t SELECT a FROM s;
""")
        said = re.search(r" is (at least once: .*)", weir.run(["check", "p.sql"], cwd=tmp_path).stdout).group(1)
        assert said in words, said
