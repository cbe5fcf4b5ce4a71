"""The house's invariants as pure functions: {path: text} of the tracked files in, a list of "path:line: words" out.

Only the text of the include lines and of single code lines is read, so a rule runs in milliseconds and says where.
"""

import posixpath
import re
from pathlib import PurePosixPath

MAX_LINES = 800
MAX_COLUMNS = 120
ISLANDS = ("sources", "formats", "operators", "sinks")  # these never include one another
# plan/ checks options of connectors and formats against their declarations, which stand in these contracts.
CONTRACTS = {"plan": {"formats/decoder.h", "sinks/sink.h", "sources/source.h"}}
CODE = (".h", ".cpp", ".rs", ".py", ".sh", ".sql", ".cmake")
SCRIPTS = ("Makefile", "CMakeLists.txt", "tools/", ".ci/", "bench/run")

_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
_WORLD_CPP = re.compile(
    r"(system_clock|steady_clock|high_resolution_clock|utc_clock)\s*::\s*now|\brandom_device\b|\bmt19937"
    r"|\bs?rand\s*\(\s*\)"
    r"|\bsrand\s*\(|\bsecure_getenv\b|\bgetenv\b|\bsetenv\s*\(|\bgettimeofday\b|\bclock_gettime\b|\barc4random"
    r"|\bgetrandom\b|/dev/u?random|\btime\s*\(\s*(nullptr|NULL|0)\s*\)|std::time\s*\(")
_WORLD_RUST = re.compile(r"(SystemTime|Instant|Utc|Local)\s*::\s*now\s*\(|\bstd::env::var|\benv::var|\brand::"
                         r"|\bthread_rng\b|Uuid::new_v4")
_IO_HEADERS = re.compile(r"^(fstream|iostream|filesystem|cstdio|stdio\.h|unistd\.h|fcntl\.h|thread|mutex|future"
                         r"|condition_variable|sys/.*|netinet/.*|curl/.*|nats/.*|arrow/io/.*|arrow/filesystem/.*"
                         r"|base/(objects|clock|environment|crash_point)\.h|bridge/.*|sinks/.*|sources/.*|runtime/.*)$")


def room(path):
    """'sinks' for src/sinks/delta/x.cpp; None outside src/."""
    parts = PurePosixPath(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def is_test(path):
    return path.endswith("_test.cpp") or "_test_" in path or path.endswith("_test.h")


def is_cpp(path):
    return path.startswith("src/") and path.endswith((".h", ".cpp"))


def includes(text):
    """(line number, included path) of every include line."""
    found = ((number, _INCLUDE.match(line)) for number, line in enumerate(text.splitlines(), 1))
    return [(number, match.group(1)) for number, match in found if match]


def code_lines(text, comment="//"):
    """(line number, line without its comment); a marker inside a string literal does not matter to these rules."""
    return [(number, line.split(comment, 1)[0]) for number, line in enumerate(text.splitlines(), 1)]


def is_code(path):
    return path.endswith(CODE) or path.startswith(SCRIPTS) or path in SCRIPTS


def islands_apart(files):
    """Sources, formats, operators and sinks never include one another; nor does one connector include another."""
    problems = []
    for path, text in files.items():
        here = room(path)
        if here not in ISLANDS or not is_cpp(path):
            continue
        folders = PurePosixPath(path).parts
        own = folders[2] if len(folders) > 3 else None
        for number, target in includes(text):
            there = target.split("/")
            if there[0] in ISLANDS and there[0] != here:
                problems.append(f"{path}:{number}: {here}/ includes {target}")
            elif own and there[0] == here and len(there) > 2 and there[1] != own:
                problems.append(f"{path}:{number}: {here}/{own}/ includes {target}")
    return problems


def rooms_follow_the_flow(files):
    """A room includes only itself and the rooms that CMakeLists.txt links it to."""
    direct = {}
    for line in files["CMakeLists.txt"].splitlines():
        match = re.match(r"weir_room\((\w+)([^)]*)\)", line)
        if match:
            direct[match.group(1)] = set(re.findall(r"\bweir_(\w+)", match.group(2)))
    reachable = {}
    for name in direct:
        seen, todo = {name}, list(direct[name])
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo += direct.get(other, ())
        reachable[name] = seen
    problems = []
    for path, text in files.items():
        here = room(path)
        if here not in reachable or not is_cpp(path):
            continue
        for number, target in includes(text):
            there = target.split("/")[0]
            if "/" in target and there in reachable and there not in reachable[here] \
                    and target not in CONTRACTS.get(here, ()):
                problems.append(f"{path}:{number}: {here}/ includes {target}, which lies downstream of it")
    return problems


def bridge_header_stays_inside(files):
    """Only src/bridge/ sees the C ABI of the Rust engine."""
    return [f"{path}:{number}: only src/bridge/ may include {target}"
            for path, text in files.items() if is_cpp(path) and room(path) != "bridge"
            for number, target in includes(text) if target.endswith("weir_bridge.h")]


def world_only_through_base(files):
    """Nothing outside base/ reads the clock, randomness or the environment (tests may)."""
    problems = []
    for path, text in files.items():
        if is_cpp(path) and room(path) != "base" and not is_test(path):
            pattern = _WORLD_CPP
        elif path.startswith("rust/") and path.endswith(".rs") and "/tests/" not in path:
            pattern = _WORLD_RUST
            text = text.split("#[cfg(test)]", 1)[0]
        else:
            continue
        for number, line in code_lines(text):
            match = pattern.search(line)
            if match:
                problems.append(f"{path}:{number}: {match.group(0)} outside base/")
    return problems


def sources_do_not_parse(files):
    """Sources hand over bytes: no parser is included there (building JSON text of headers is allowed to json.hpp)."""
    return [f"{path}:{number}: a source includes the parser {target}"
            for path, text in files.items() if is_cpp(path) and room(path) == "sources" and not is_test(path)
            for number, target in includes(text) if target.startswith(("simdjson", "arrow/json", "formats/"))]


def formats_do_no_io(files):
    """Formats turn bytes into columns; they open nothing."""
    bad = ("fstream", "filesystem", "unistd.h", "fcntl.h", "sys/socket.h", "base/objects.h", "nats/", "clients/",
           "librdkafka/", "curl/", "arrow/io/", "arrow/filesystem/", "bridge/")
    return [f"{path}:{number}: a format includes {target}"
            for path, text in files.items() if is_cpp(path) and room(path) == "formats" and not is_test(path)
            for number, target in includes(text) if target.startswith(bad)]


def decisions_are_pure(files):
    """checkpoint/'s *_decision files get facts and return actions: no I/O, threads or clock."""
    problems = []
    for path, text in files.items():
        if room(path) == "checkpoint" and re.search(r"_decision\.(h|cpp)$", path):
            problems += [f"{path}:{number}: a pure decision includes {target}"
                         for number, target in includes(text) if _IO_HEADERS.match(target)]
    return problems


def no_junk_drawers(files):
    """A folder's name tells what is in it."""
    junk = {"common", "util", "utils", "helper", "helpers", "misc", "shared"}
    return [f"{path}: folder {part}/" for path in files for part in PurePosixPath(path).parts[:-1] if part in junk]


def files_stay_small(files):
    return [f"{path}: {lines} lines, at most {MAX_LINES}" for path, text in files.items()
            if is_code(path) and (lines := text.count("\n")) > MAX_LINES]


def lines_stay_short(files):
    def unbreakable(path, line):
        """Commands to copy out of an example's comment, and raw strings of test data."""
        return path.startswith("examples/") and line.startswith("-- ") or "_test.cpp" in path and 'R"' in line

    return [f"{path}:{number}: {len(line)} columns, at most {MAX_COLUMNS}" for path, text in files.items()
            if is_code(path) and "/golden/" not in path and "/corpus/" not in path
            for number, line in enumerate(text.splitlines(), 1)
            if len(line) > MAX_COLUMNS and not unbreakable(path, line)]


def nothing_left_to_do(files):
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    return [f"{path}:{number}: {match.group(0)}" for path, text in files.items() if is_code(path)
            for number, line in enumerate(text.splitlines(), 1) if (match := words.search(line))]


def error_codes_documented(files):
    """Each code of the enum is a heading of docs/errors.md, and each heading there is a code."""
    header = files["src/schema/error_code.h"]
    body = re.search(r"enum class ErrorCode\s*{(.*?)}", header, re.S).group(1)
    codes = set(re.findall(r"\b[a-z]\w*", re.sub(r"//.*", "", body)))
    documented = set(re.findall(r"^### `(\w+)`", files["docs/errors.md"], re.M))
    return ([f"docs/errors.md: {code} is missing" for code in sorted(codes - documented)] +
            [f"docs/errors.md: {code} is no code" for code in sorted(documented - codes)])


def no_machine_paths(files):
    """Nothing tracked names the machine it was written on, or a package registry's host."""
    hosts = ("py" r"pi\.org", "files\\.python" "hosted\\.org", "crates" r"\.io", "proxy\\.golang" r"\.org",
             "registry\\.npm" r"js\.org", "repo1?\\.ma" r"ven\.(?:apache\.)?org", "deb\\.deb" r"ian\.org",
             "hub\\.dock" r"er\.com")
    pattern = re.compile(r"(?<![\w.-])/(?:wo" r"rk|ro" r"ot|ho" r"me/\w+)/|/tm" r"p/b/|" + "|".join(hosts))
    return [f"{path}:{number}: {match.group(0)}" for path, text in files.items() if not path.endswith("Cargo.lock")
            for number, line in enumerate(text.splitlines(), 1) if (match := pattern.search(line))]


def queues_have_bounds(files):
    """std::queue and std::deque grow without end; a queue between threads is base/'s or runtime/'s bounded one."""
    return [f"{path}:{number}: {match.group(0)} has no bound" for path, text in files.items()
            if is_cpp(path) and not is_test(path)
            for number, line in code_lines(text) if (match := re.search(r"std::(priority_)?queue\s*<", line))]


def simdjson_validates_only(files):
    """libparquet exports another version of simdjson: its parsers' virtual members would come from either."""
    pattern = re.compile(r"\bsimdjson\s*::\s*(?!validate_utf8\b)\w+|\bnamespace\s+(\w+\s*=\s*)?simdjson\b")
    return [f"{path}:{number}: {match.group(0)}, only simdjson::validate_utf8 is safe"
            for path, text in files.items() if path.endswith((".h", ".cpp"))
            for number, line in code_lines(text) if (match := pattern.search(line))]


def links_lead_somewhere(files):
    """A relative link of a page names a tracked file or folder."""
    problems = []
    for path, text in files.items():
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                if full not in files and not any(name.startswith(full + "/") for name in files):
                    problems.append(f"{path}:{number}: {target} does not exist")
    return problems
