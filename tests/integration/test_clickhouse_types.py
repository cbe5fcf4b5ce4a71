"""Blocks of the Native encoder, read by ClickHouse's own code: every type, there and back.

Each case writes an Arrow column with build/weir_native_block, inserts the block over HTTP and compares what the server
says of the rows with what was put in. The modern engine takes every type; the genuine server of 2018 those it has.
"""

import datetime
import decimal
import ipaddress
import json
import os
import subprocess
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

D = decimal.Decimal
EPOCH = datetime.datetime(1970, 1, 1)


@pytest.fixture(scope="session")
def encoder():
    weir = Path(os.environ.get("WEIR_BINARY") or Path(__file__).resolve().parents[2] / "build" / "weir")
    path = Path(os.environ.get("WEIR_NATIVE_BLOCK") or weir.resolve().parent / "weir_native_block")
    assert path.exists(), f"{path} is missing: run `make build`"
    return path


@pytest.fixture
def encode(encoder, tmp_path):
    """encode(table of Arrow, {column: type}) -> (block, [(row, column, message)])"""
    def run(table, columns, compression="none", chunk=3, null_as_default=False):
        with pa.ipc.new_stream(tmp_path / "rows.arrows", table.schema) as out:
            out.write_table(table, max_chunksize=chunk)
        words = ["default"] if null_as_default else []
        done = subprocess.run(
            [encoder, tmp_path / "rows.arrows", tmp_path / "block", compression, *words,
             *(word for column in columns.items() for word in column)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        refused = [line.split("\t") for line in done.stdout.splitlines()]
        return (tmp_path / "block").read_bytes(), [(int(row), column, words) for row, column, words in refused]
    return run


MODERN = {"allow_suspicious_low_cardinality_types": 1, "enable_time_time64_type": 1, "flatten_nested": 0,
          "allow_experimental_nullable_tuple_type": 1, "allow_suspicious_types_in_order_by": 1}

AS_PYTHON = {"output_format_json_quote_64bit_integers": 0, "output_format_json_named_tuples_as_objects": 1}

WORDS = ["", "a", None, "Grüße aus Köln", "x" * 127, "y" * 128, "z" * 40000, "nul\0inside"]
MOMENTS = [0, 1, None, 1_700_000_000_123, -1, -2_208_988_800_000, 4_102_444_800_999]


def as_text(values):
    texts = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return [None if value is None else text for value, text in zip(values, texts)]


def moments(values, unit_per_second, digits):
    """As ClickHouse prints DateTime64(digits, 'UTC')."""
    out = []
    for value in values:
        if value is None:
            out.append(None)
            continue
        seconds, rest = divmod(value, unit_per_second)
        text = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
        fraction = f"{rest:0{len(str(unit_per_second)) - 1}d}".ljust(digits, "0")[:digits] if unit_per_second > 1 else \
            "0" * digits
        out.append(f"{text}.{fraction}" if digits else text)
    return out


def integers(bits, signed):
    return [-2 ** (bits - 1), 2 ** (bits - 1) - 1, None, -1, 0] if signed else [2 ** bits - 1, 0, None, 1]


# name: (Arrow type, ClickHouse type, values, what toString says; None: the values themselves)
NULLABLE = {
    **{f"int{bits}": (getattr(pa, f"int{bits}")(), f"Int{bits}", integers(bits, True), None)
       for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (getattr(pa, f"uint{bits}")(), f"UInt{bits}", integers(bits, False), None)
       for bits in (8, 16, 32, 64)},
    "narrowed": (pa.int64(), "Int16", [-32768, None, 32767], None),
    "to unsigned": (pa.int64(), "UInt32", [2 ** 32 - 1, None, 0], None),
    "widened": (pa.int8(), "Int64", [-128, None, 127], None),
    "float32": (pa.float32(), "Float32", [0.5, None, -1.25], [".5", None, "-1.25"]),
    "float64": (pa.float64(), "Float64", [0.1, None, -1e300], ["0.1", None, "-1e300"]),
    "float to double": (pa.float32(), "Float64", [0.5, None], ["0.5", None]),
    "int to double": (pa.int32(), "Float64", [2 ** 31 - 1, None, -5], None),
    "string": (pa.string(), "String", WORDS, None),
    "bytes": (pa.binary(), "String", [b"", None, b"\x01\x02"], ["", None, "\x01\x02"]),
    "fixed": (pa.string(), "FixedString(4)", ["abcd", None, "ab", ""], ["abcd", None, "ab", ""]),
    "fixed bytes": (pa.binary(3), "FixedString(3)", [b"abc", None], ["abc", None]),
    "enum8": (pa.string(), "Enum8('a' = -128, 'b\\'s' = 0, 'c' = 127)", ["a", None, "b's", "c", "c"], None),
    "enum16": (pa.string(), "Enum16('x' = -32768, 'y' = 32767)", ["x", None, "y"], None),
    "uuid": (pa.string(), "UUID", [str(uuid.UUID(int=1)), None, "61f0c404-5cb3-11e7-907b-a6006ad3dba0"], None),
    "datetime": (pa.timestamp("s"), "DateTime('UTC')", [0, None, 2 ** 32 - 1],
                 moments([0, None, 2 ** 32 - 1], 1, 0)),
    "datetime of ms": (pa.timestamp("ms"), "DateTime('UTC')", [1_700_000_000_000, None],
                       moments([1_700_000_000, None], 1, 0)),
    "date": (pa.date32(), "Date", [datetime.date(1970, 1, 1), None, datetime.date(2149, 6, 6)], None),
    "decimal9": (pa.decimal128(9, 2), "Decimal(9, 2)", [D("-1234567.89"), None, D("9999999.99")], None),
    "decimal18": (pa.decimal128(18, 4), "Decimal(18, 4)", [D("-12345678901234.5678"), None, D("0.0001")], None),
    "decimal38": (pa.decimal128(38, 10), "Decimal(38, 10)",
                  [D("-1234567890123456789012345678.9012345678"), None], None),
    "decimal wider": (pa.decimal128(9, 2), "Decimal(38, 2)", [D("-1234567.89"), None], None),
    "decimal scaled": (pa.decimal128(9, 2), "Decimal(18, 4)", [D("-1234567.89"), None], ["-1234567.8900", None]),
}
NULLABLE_MODERN = {
    "bool": (pa.bool_(), "Bool", [True, None, False, True, True, False, True, False, True, None], None),
    "int128": (pa.int64(), "Int128", [-2 ** 63, None, 2 ** 63 - 1], None),
    "int256": (pa.int64(), "Int256", [-2 ** 63, None, 2 ** 63 - 1], None),
    "uint128": (pa.uint64(), "UInt128", [2 ** 64 - 1, None, 0], None),
    "uint256": (pa.uint64(), "UInt256", [2 ** 64 - 1, None, 0], None),
    "date32": (pa.date32(), "Date32", [datetime.date(1900, 1, 1), None, datetime.date(2299, 12, 31)], None),
    **{f"moment {unit} to {digits}": (
        pa.timestamp(unit), f"DateTime64({digits}, 'UTC')", values, moments(values, per_second, digits))
       for unit, per_second, digits, values in (
           ("ms", 1000, 3, MOMENTS), ("ms", 1000, 9, [0, 1, None, -1]), ("us", 10 ** 6, 6, [1, None, -1]),
           ("us", 10 ** 6, 3, [1000, None, -5000]), ("ns", 10 ** 9, 9, [1, None, -1]), ("s", 1, 0, [1, None, -1]))},
    "moment with zone": (pa.timestamp("ms", "UTC"), "DateTime64(3, 'UTC')", MOMENTS, moments(MOMENTS, 1000, 3)),
    "ipv4": (pa.string(), "IPv4", ["192.168.0.1", None, "0.0.0.0"], None),
    "ipv6": (pa.string(), "IPv6", ["2001:db8::1", None, "::", "1.2.3.4", "1:2:3:4:5:6:7:8"],
             ["2001:db8::1", None, "::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"]),
    "time": (pa.time32("s"), "Time", [0, None, 86399], ["00:00:00", None, "23:59:59"]),
    "time64": (pa.time64("us"), "Time64(6)", [1, None, 86399999999], ["00:00:00.000001", None, "23:59:59.999999"]),
    "time as number": (pa.time32("ms"), "Int64", [1, None], ["1", None]),
    "decimal76": (pa.decimal256(76, 4), "Decimal(76, 4)",
                  [D("-" + "123456789" * 8 + ".1234"), None, D("0.0001")], None),
    "decimal to 76": (pa.decimal128(38, 2), "Decimal(76, 4)", [D("-1.25"), None], ["-1.2500", None]),
    "int to decimal": (pa.int64(), "Decimal(20, 2)", [-5, None], ["-5.00", None]),
    "low string": (pa.string(), "LowCardinality(Nullable(String))", WORDS, None),
    "low of many": (pa.string(), "LowCardinality(Nullable(String))", [f"key {i % 70000}" for i in range(140000)], None),
    "low of 300": (pa.string(), "LowCardinality(Nullable(String))", [None, *(str(i % 300) for i in range(999))], None),
    "low of 256": (pa.string(), "LowCardinality(Nullable(String))", [None, *(str(i) for i in range(255))], None),
    "low fixed": (pa.string(), "LowCardinality(Nullable(FixedString(2)))", ["ab", None, "c", "ab"], None),
    "low int": (pa.int32(), "LowCardinality(Nullable(Int64))", [5, None, -7, 5], None),
    "low date": (pa.date32(), "LowCardinality(Nullable(Date))", [datetime.date(2024, 2, 29), None], None),
    "low without null": (pa.string(), "LowCardinality(String)", ["a", "", "b", "a"], None),
    "simple aggregate": (pa.int64(), "SimpleAggregateFunction(max, Int64)", [1, -5], None),
    "json": (pa.string(), "JSON", ['{"a":1}', None, '{"b":{"c":[1,2]}}'],
             ['{"a":1}', None, '{"b":{"c":[1,2]}}']),
}


def wrapped(kind):
    return kind if kind.startswith(("LowCardinality", "SimpleAggregate")) else f"Nullable({kind})"


class Place:
    """A table `t` in a database of its own."""

    def __init__(self, server, database, as_python):
        self.server, self.database, self.as_python = server, database, as_python
        server.query(f"CREATE DATABASE IF NOT EXISTS {database}")

    def fill(self, columns, block, settings):
        self.server.query("DROP TABLE IF EXISTS t", database=self.database)
        ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        self.server.query(f"CREATE TABLE t ({ddl}) ENGINE = Memory", database=self.database, **settings)
        self.insert(columns, block, settings)

    def insert(self, columns, block, settings):
        names = ", ".join(f"`{name}`" for name in columns)
        self.server.query(f"INSERT INTO t ({names}) FORMAT Native", body=block, database=self.database, **settings)

    def rows(self, select="*", **settings):
        text = self.server.query(f"SELECT {select} FROM t ORDER BY n FORMAT JSONCompact", database=self.database,
                                 **settings)
        return json.loads(text)["data"]


@pytest.fixture
def modern(clickhouse, database):
    return Place(clickhouse, database, AS_PYTHON)


def numbered(values, arrow, name="x"):
    return pa.table({"n": pa.array(range(len(values)), pa.uint32()), name: pa.array(values, arrow)})


def check_scalars(place, encode, case, settings):
    arrow, kind, values, expected = case
    columns = {"n": "UInt32", "x": wrapped(kind)}
    block, refused = encode(numbered(values, arrow), columns, chunk=max(3, len(values) // 7))
    assert refused == []
    place.fill(columns, block, settings)
    if expected is None:
        expected = as_text(values)
    number = float if "Float" in kind else D if kind.startswith("Decimal") else str
    got = [[n, x if x is None else number(x)] for n, x in place.rows("n, toString(x)")]
    assert got == [[n, x if x is None else number(x)] for n, x in enumerate(expected)]


@pytest.mark.parametrize("name", [*NULLABLE, *NULLABLE_MODERN])
def test_scalars_on_the_modern_engine(modern, encode, name):
    check_scalars(modern, encode, {**NULLABLE, **NULLABLE_MODERN}[name], MODERN)


ROW = pa.struct([("b", pa.string()), ("a", pa.int64())])
# name: (Arrow type, ClickHouse type, values, what the server's JSON says)
NESTED = {
    "array": (pa.list_(pa.int32()), "Array(Int32)", [[1, 2], [], [3], [], [4, 5, 6]], None),
    "array of nullable": (pa.list_(pa.string()), "Array(Nullable(String))", [["a", None], [], [None]], None),
    "large array": (pa.large_list(pa.int64()), "Array(Int64)", [[1], [], [2, 3]], None),
    "fixed size array": (pa.list_(pa.int32(), 2), "Array(Int32)", [[1, 2], None, [3, 4], [5, 6], [7, 8]],
                         [[1, 2], [], [3, 4], [5, 6], [7, 8]]),
    "null array is empty": (pa.list_(pa.int32()), "Array(Int32)", [[1], None, [2]], [[1], [], [2]]),
    "array of arrays": (pa.list_(pa.list_(pa.string())), "Array(Array(String))",
                        [[["a"], []], [], [["b", "c"], ["d"]], [[]]], None),
    "only empty arrays": (pa.list_(pa.string()), "Array(LowCardinality(String))", [[], [], []], None),
    "array of low": (pa.list_(pa.string()), "Array(LowCardinality(Nullable(String)))",
                     [["a", "b", None], [], ["a"], ["c", "b"]], None),
    "tuple": (ROW, "Tuple(a Int64, b String)", [{"a": 1, "b": "x"}, {"a": -2, "b": ""}], None),
    "tuple without names": (ROW, "Tuple(String, Int64)", [{"a": 1, "b": "x"}], [["x", 1]]),
    "null tuple": (ROW, "Tuple(a Nullable(Int64), b Nullable(String))",
                   [{"a": 1, "b": None}, None, {"a": None, "b": ""}],
                   [{"a": 1, "b": None}, {"a": None, "b": None}, {"a": None, "b": ""}]),
    "nullable tuple": (ROW, "Nullable(Tuple(a Int64, b String))", [{"a": 1, "b": "x"}, None], None),
    "tuple in tuple": (pa.struct([("t", ROW), ("u", pa.list_(ROW))]),
                       "Tuple(t Tuple(a Int64, b String), u Array(Tuple(a Int64, b LowCardinality(String))))",
                       [{"t": {"a": 1, "b": "x"}, "u": [{"a": 2, "b": "y"}, {"a": 3, "b": "y"}]},
                        {"t": {"a": 4, "b": "z"}, "u": []}], None),
    "quoted names": (pa.struct([("a b", pa.int64()), ("`", pa.string())]), "Tuple(`a b` Int64, `\\`` String)",
                     [{"a b": 1, "`": "x"}], None),
    "nested": (pa.list_(ROW), "Nested(a Int64, b String)",
               [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], [], [{"a": 3, "b": "z"}]], None),
    "array of tuples": (pa.list_(ROW), "Array(Tuple(a Int64, b String))", [[{"a": 1, "b": "x"}], []], None),
    "map": (pa.map_(pa.string(), pa.int64()), "Map(String, Int64)",
            [[("a", 1), ("b", 2)], [], [("c", 3)]], [{"a": 1, "b": 2}, {}, {"c": 3}]),
    "map of low": (pa.map_(pa.string(), pa.list_(pa.string())),
                   "Map(LowCardinality(String), Array(Nullable(String)))",
                   [[("a", ["x", None])], [], [("a", []), ("b", ["y"])]],
                   [{"a": ["x", None]}, {}, {"a": [], "b": ["y"]}]),
    "point": (pa.struct([("x", pa.float64()), ("y", pa.float64())]), "Point", [{"x": 1.5, "y": -2.5}], [[1.5, -2.5]]),
    "json of text": (pa.string(), "JSON", ['{"a":1,"b":{"c":["x","y"]}}', "{}", '{"a":"text"}'],
                     [{"a": 1, "b": {"c": ["x", "y"]}}, {}, {"a": "text"}]),
    "json of a row": (ROW, "JSON", [{"a": 1, "b": "x\"\n"}, {"a": 2, "b": "y"}], None),
    "json of a map": (pa.map_(pa.string(), pa.int64()), "JSON(a Int64)",
                      [[("a", 1)], [("a", 5)]], [{"a": 1}, {"a": 5}]),
    "array of json": (pa.list_(pa.string()), "Array(JSON)", [['{"a":1}'], [], ["{}", '{"b":2}']],
                      [[{"a": 1}], [], [{}, {"b": 2}]]),
}


def check_nested(place, encode, case, settings):
    arrow, kind, values, expected = case
    columns = {"n": "UInt32", "x": kind}
    for chunk in (1, 2, 100):
        block, refused = encode(numbered(values, arrow), columns, chunk=chunk)
        assert refused == []
        place.fill(columns, block, settings)
        assert place.rows("n, x", **place.as_python) == [[n, x] for n,
                          x in enumerate(values if expected is None else expected)]


@pytest.mark.parametrize("name", NESTED)
def test_nested_values_on_the_modern_engine(modern, encode, name):
    check_nested(modern, encode, NESTED[name], MODERN)


def test_parts_of_a_flattened_nested(modern, encode):
    columns = {"n": "UInt32", "x.b": "Array(String)", "x.a": "Array(Int64)"}
    rows = [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], [], None, [{"a": 3, "b": "z"}]]
    block, refused = encode(numbered(rows, pa.list_(ROW)), columns)
    assert refused == []
    modern.fill(columns, block, {**MODERN, "flatten_nested": 1})
    assert modern.rows("n, x.a, x.b", **AS_PYTHON) == [
        [0, [1, 2], ["x", "y"]], [1, [], []], [2, [], []], [3, [3], ["z"]]]


# name: (Arrow type, ClickHouse type, values, rows that are refused, words of the first message)
REFUSED = {
    "uuid": (pa.string(), "UUID", [str(uuid.UUID(int=5)), "no", None, "0" * 31], [1, 2, 3], '"no" is no UUID'),
    "ipv4": (pa.string(), "Nullable(IPv4)", ["1.2.3.4", "1.2.3", None, "1.2.3.256"], [1, 3], '"1.2.3" is no IPv4'),
    "ipv6": (pa.string(), "IPv6", ["::1", "1::2::3", ":::", "12345::"], [1, 2, 3], "is no IPv6 address"),
    "enum": (pa.string(), "Enum8('a' = 1, 'b' = 2)", ["a", "c", "b"], [1], '"c" is no name of the Enum (a, b)'),
    "fixed": (pa.string(), "FixedString(2)", ["ab", "abc", ""], [1], "has more bytes than FixedString(2)"),
    "range": (pa.int64(), "Int8", [127, 128, -129, -128], [1, 2], "128 is outside the range of Int8"),
    "sign": (pa.int64(), "Nullable(UInt64)", [1, -1, None, 2], [1], "-1 is outside the range of UInt64"),
    "decimal": (pa.decimal128(12, 2), "Decimal(9, 2)", [D("9999999.99"), D("10000000.00")], [1], "outside the range"),
    "decimal76": (pa.decimal128(38, 0), "Decimal(40, 10)", [D(10) ** 29, D(10) ** 31], [1], "outside the range"),
    "moment": (pa.timestamp("ms"), "DateTime('UTC')", [0, 1500, -1000, 2000], [1, 2], "finer than it can hold"),
    "moment64": (pa.timestamp("us"), "DateTime64(3, 'UTC')", [1000, 1001], [1], "finer than it can hold"),
    "date": (pa.date32(), "Date", [datetime.date(1970, 1, 1), datetime.date(1969, 12, 31)], [1], "outside the range"),
    "null": (pa.int64(), "Int64", [1, None, 3, None], [1, 3], "NULL, but the column takes none"),
    "null low": (pa.string(), "LowCardinality(String)", ["a", None, "b"], [1], "NULL, but the column takes none"),
    "json": (pa.string(), "JSON", ['{"a":1}', '{"a":', "[1]", "{} x"], [1, 2, 3], "is not JSON"),
    "element": (pa.list_(pa.string()), "Array(UUID)",
                [[], ["x"], [str(uuid.UUID(int=1))], [None]], [1, 3], "is no UUID"),
    "map value": (pa.map_(pa.string(), pa.int64()), "Map(String, Int8)", [[("a", 1)], [("b", 1), ("c", 128)], []], [1],
                  "value: 128 is outside the range of Int8"),
    "field": (ROW, "Tuple(a Int8, b String)", [{"a": 1, "b": ""}, {"a": 1000, "b": ""}, None], [1, 2],
              "a: 1000 is outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_do_not_fit_are_left_out(modern, encode, name):
    arrow, kind, values, bad, words = REFUSED[name]
    columns = {"n": "UInt32", "x": kind}
    for chunk in (1, 2, 100):
        block, refused = encode(numbered(values, arrow), columns, chunk=chunk)
        assert [(row, column) for row, column, _ in refused] == [(row, "x") for row in bad]
        assert words in refused[0][2]
        modern.fill(columns, block, MODERN)
        assert [row[0] for row in modern.rows("n")] == [n for n in range(len(values)) if n not in bad]


def test_null_as_default(modern, encode):
    columns = {"n": "UInt32", "x": "Int64", "y": "LowCardinality(String)", "z": "Array(String)"}
    table = numbered([1, None, 3], pa.int64()).append_column("y", pa.array([None, "a", None]))
    table = table.append_column("z", pa.array([["a", None], None, []]))
    block, refused = encode(table, columns, null_as_default=True)
    assert refused == []
    modern.fill(columns, block, MODERN)
    assert modern.rows("n, x, y, z", **AS_PYTHON) == [[0, 1, "", ["a", ""]], [1, 0, "a", []], [2, 3, "", []]]


def test_no_rows_are_no_block(encode):
    columns = {"n": "UInt32", "x": "Array(LowCardinality(String))"}
    assert encode(numbered([], pa.list_(pa.string())), columns) == (b"", [])
    block, refused = encode(numbered([None], pa.int64()), {"n": "UInt32", "x": "Int64"})
    assert (block, [row for row, _, _ in refused]) == (b"", [0])


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip"])
@pytest.mark.parametrize("rows", [1, 300000])
def test_compressed_bodies(modern, encode, compression, rows):
    columns = {"n": "UInt32", "x": "String"}
    block, _ = encode(numbered([f"value {i * 7919 % rows}" for i in range(rows)], pa.string()), columns, chunk=65536)
    packed, _ = encode(numbered([f"value {i * 7919 % rows}" for i in range(rows)], pa.string()), columns, compression,
                       chunk=65536)
    assert rows == 1 or len(packed) < len(block)
    modern.server.query("CREATE TABLE t (n UInt32, x String) ENGINE = Memory", database=modern.database)
    query = urllib.parse.urlencode({"query": "INSERT INTO t (n, x) FORMAT Native", "database": modern.database})
    call = urllib.request.Request(f"{modern.server.http_url}/?{query}", data=packed, method="POST",
                                  headers={"Content-Encoding": compression})
    urllib.request.urlopen(call, timeout=60).read()
    assert modern.rows("count(), sum(length(x)), 0 AS n", **AS_PYTHON) == [
        [rows, sum(len(f"value {i}") for i in range(rows)), 0]]


OLD_NESTED = [name for name in NESTED if "json" not in name and "map" not in name and "tuple" not in name
              and name not in ("nested", "quoted names", "point")] + ["tuple without names"]


@pytest.fixture
def old(old_clickhouse, database):
    return Place(old_clickhouse, database, {"output_format_json_quote_64bit_integers": 0})


# It prints the first day as 0000-00-00, knows no day behind 2105, and breaks Decimals of more than 19 digits in print.
OLD_VALUES = {
    "datetime": (pa.timestamp("s"), "DateTime('UTC')", [1, None, 2 ** 31 - 1], moments([1, None, 2 ** 31 - 1], 1, 0)),
    "date": (pa.date32(), "Date", [datetime.date(1970, 1, 2), None, datetime.date(2105, 6, 6)], None),
    "decimal38": (pa.decimal128(38, 10), "Decimal(38, 10)", [D("-12345678.9012345678"), None, D("0.5")], None),
}
OLD = {"allow_experimental_low_cardinality_type": 1}


@pytest.mark.parametrize("name", [*NULLABLE, "low string", "low of many", "low without null"])
def test_scalars_on_the_genuine_server(old, encode, name):
    check_scalars(old, encode, {**NULLABLE, **NULLABLE_MODERN, **OLD_VALUES}[name], OLD)


@pytest.mark.parametrize("name", OLD_NESTED)
def test_nested_values_on_the_genuine_server(old, encode, name):
    check_nested(old, encode, NESTED[name], OLD)
