"""Style kept by a test, not by memory: every rule on the tracked files, and every rule on a file that breaks it."""

import subprocess
from pathlib import Path

import pytest
import rules

ROOT = Path(__file__).resolve().parent.parent.parent
CMAKE = "weir_room(base)\nweir_room(formats weir_base)\nweir_room(runtime weir_formats)\n"
ERRORS = "enum class ErrorCode {\n  malformed, late,\n};\n"

# rule: (files that break it, files that keep it)
CASES = {
    rules.islands_apart: (
        [{"src/sinks/delta/a.cpp": '#include "sources/source.h"\n'},
         {"src/sources/nats/a.cpp": '#include "sources/file/file_source.h"\n'}],
        {"src/runtime/a.cpp": '#include "sources/source.h"\n#include "sinks/sink.h"\n',
         "src/sources/nats/b.cpp": '#include "sources/source.h"\n#include "sources/nats/a.h"\n'}),
    rules.rooms_follow_the_flow: (
        [{"CMakeLists.txt": CMAKE, "src/base/a.h": '#include "runtime/task.h"\n'},
         {"CMakeLists.txt": CMAKE, "src/formats/a.h": '#include "runtime/task.h"\n'},
         {"CMakeLists.txt": CMAKE + "weir_room(plan)\n", "src/plan/a.h": '#include "formats/json/decoder.h"\n'}],
        {"CMakeLists.txt": CMAKE + "weir_room(plan)\n", "src/plan/a.h": '#include "formats/decoder.h"\n',
         "src/runtime/a.h": '#include "base/a.h"\n#include "runtime/b.h"\n'}),
    rules.bridge_header_stays_inside: (
        [{"src/plan/a.cpp": '#include "weir_bridge.h"\n'}],
        {"src/bridge/a.cpp": '#include "weir_bridge.h"\n'}),
    rules.world_only_through_base: (
        [{"src/sinks/a.cpp": f"auto x = {call};\n"} for call in (
            "std::chrono::system_clock::now()", "std::chrono::steady_clock::now()", "std::random_device{}()",
            "rand()", 'getenv("HOME")', 'std::getenv("HOME")', "time(nullptr)", "std::time(0)", "std::mt19937(1)")] +
        [{"rust/bridge/src/a.rs": "let t = SystemTime::now();\n"},
         {"rust/bridge/src/a.rs": 'let t = std::env::var("HOME");\n'}],
        {"src/base/clock.cpp": "std::chrono::system_clock::now();\n", "src/sinks/a.cpp": "// getenv\nevent_time(0);\n",
         "src/sinks/a_test.cpp": 'getenv("TMPDIR");\n', "src/sinks/b.cpp": "operand(); clock_.now_us();\n",
         "rust/bridge/src/a.rs": "fn f() {}\n#[cfg(test)]\nmod t { fn g() { Instant::now(); } }\n"}),
    rules.sources_do_not_parse: (
        [{"src/sources/file/a.cpp": "#include <simdjson.h>\n"}],
        {"src/sources/file/a.cpp": "#include <zlib.h>\n", "src/formats/json/a.cpp": "#include <simdjson.h>\n"}),
    rules.formats_do_no_io: (
        [{"src/formats/json/a.cpp": "#include <fstream>\n"}, {"src/formats/json/a.cpp": '#include "base/objects.h"\n'}],
        {"src/formats/json/a.cpp": "#include <arrow/builder.h>\n", "src/sources/a.cpp": "#include <fstream>\n"}),
    rules.decisions_are_pure: (
        [{"src/checkpoint/commit_decision.cpp": f"#include {name}\n"} for name in (
            "<fstream>", "<thread>", '"base/objects.h"', '"base/clock.h"', '"bridge/bridge.h"', "<unistd.h>")],
        {"src/checkpoint/commit_decision.cpp": '#include <map>\n#include "base/status.h"\n',
         "src/checkpoint/manifest_store.cpp": '#include "base/objects.h"\n'}),
    rules.no_junk_drawers: (
        [{"src/utils/a.h": ""}, {"src/sinks/common/a.h": ""}, {"tests/helpers/a.py": ""}],
        {"src/base/text.h": "", "docs/shared.md": ""}),
    rules.files_stay_small: (
        [{"src/base/a.cpp": "\n" * 801}, {"tests/a.py": "\n" * 801}],
        {"src/base/a.cpp": "\n" * 800, "Cargo.lock": "\n" * 5000}),
    rules.lines_stay_short: (
        [{"src/base/a.cpp": "x" * 121}, {"Makefile": "x" * 121}, {"tools/setup": "x" * 121}],
        {"src/base/a.cpp": "x" * 120, "docs/a.md": "x" * 500}),
    rules.nothing_left_to_do: (
        [{"src/base/a.cpp": f"// {word}: later\n"} for word in ("TO" "DO", "FIX" "ME", "X" "XX")],
        {"src/base/a.cpp": "// to do it twice is wrong\n"}),
    rules.error_codes_documented: (
        [{"src/schema/error_code.h": ERRORS, "docs/errors.md": "### `malformed`\n"},
         {"src/schema/error_code.h": ERRORS, "docs/errors.md": "### `malformed`\n### `late`\n### `lost`\n"}],
        {"src/schema/error_code.h": ERRORS, "docs/errors.md": "### `malformed`\n### `late`\n"}),
    rules.no_machine_paths: (
        [{"docs/a.md": f"see {path}\n"} for path in (
            "/wo" "rk/main", "/ro" "ot/x", "/ho" "me/ann/x", "/tm" "p/b/me", "https://py" "pi.org/simple",
            "proxy.golang" ".org", "https://crates" ".io/crates/arrow")],
        {"docs/a.md": "https://example.com/work/root, ./work/x, /usr/bin, $HOME/.cache\n",
         "Cargo.lock": "registry+https://github.com/rust-lang/crates" ".io-index\n"}),
    rules.links_lead_somewhere: (
        [{"docs/a.md": "[b](b.md)\n"}, {"docs/a.md": "[b](../docs/c.md#x)\n", "docs/b.md": ""}],
        {"docs/a.md": "[b](b.md#x) [c](../src/) [d](https://example.com/x)\n", "docs/b.md": "", "src/a.h": ""}),
    rules.queues_have_bounds: (
        [{"src/runtime/a.h": "std::queue<Batch> batches_;\n"}],
        {"src/runtime/a.h": "BoundedQueue<Batch> batches_;\n"}),
    rules.simdjson_validates_only: (
        [{"src/formats/a.cpp": "simdjson::dom::parser parser;\n"},
         {"bench/a.cpp": "  simdjson::ondemand::document document;\n"},
         {"src/formats/a.cpp": "using namespace simdjson;\n"},
         {"src/formats/a.cpp": "namespace sj = simdjson;\n"}],
        {"src/formats/a.cpp": "#include <simdjson.h>\n// not simdjson::dom\nsimdjson::validate_utf8(text);\n"}),
}
ALL = sorted(CASES, key=lambda rule: rule.__name__)


def named(rule):
    return rule.__name__


@pytest.fixture(scope="session")
def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    files = {}
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes())[:4096]:
            files[name] = data.decode(errors="replace")
    return files


@pytest.mark.parametrize("rule", ALL, ids=named)
def test_house_keeps(rule, tracked):
    problems = rule(tracked)
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("rule", ALL, ids=named)
def test_rule_catches_what_breaks_it(rule):
    breaking, keeping = CASES[rule]
    for files in breaking:
        assert rule(files), f"not caught: {files}"
    assert rule(keeping) == []


def test_every_rule_has_cases():
    functions = {name for name, value in vars(rules).items() if callable(value) and value.__module__ == "rules"}
    assert functions - {"room", "is_test", "is_cpp", "is_code", "includes", "code_lines"} == {r.__name__ for r in CASES}


def test_files_are_read(tracked):
    assert len(tracked) > 50 and "src/base/status.h" in tracked and "Makefile" in tracked
