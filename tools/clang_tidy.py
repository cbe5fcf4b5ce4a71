"""clang-tidy over src/, in parallel, skipping files whose text, headers and rules did not change since they passed."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSED = Path(os.environ.get("WEIR_CACHE") or Path.home() / ".cache" / "weir") / "clang-tidy"


def includes_of(build):
    """Object file -> our own headers that it was compiled from, as ninja noted them."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True).stdout
    found = {}
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines:
            found[lines[0].split(":")[0]] = [line.strip() for line in lines[1:] if str(ROOT) in line]
    return found


def key_of(source, headers):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for path in sorted({source, *headers}):
        digest.update(path[len(str(ROOT)):].encode() + b"\0" + Path(path).read_bytes())
    return digest.hexdigest()


def tidy(build, source, key):
    run = subprocess.run(["clang-tidy-19", "-p", build, "--quiet", "--warnings-as-errors=*", source],
                         capture_output=True, text=True)
    if run.returncode == 0 and key is not None:
        (PASSED / key).touch()
    output = re.sub(r"^\d+ warnings? (generated|treated).*\n?", "", run.stdout, flags=re.M)
    return source, run.returncode, output.strip() or run.stderr[-2000:]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", default="build")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    given = arguments.parse_args()
    PASSED.mkdir(parents=True, exist_ok=True)
    headers, work, total = includes_of(given.build), [], 0
    for command in json.loads((Path(given.build) / "compile_commands.json").read_text()):
        source = command["file"]
        if not source.startswith(str(ROOT / "src")) or source.endswith("_test.cpp"):
            continue
        total += 1
        # Without ninja's word on its headers a pass says nothing about tomorrow.
        known = headers.get(command.get("output", ""))
        key = key_of(source, known) if known else None
        if key is None or not (PASSED / key).exists():
            work.append((source, key))
    print(f"clang-tidy: {len(work)} of {total} files to look at", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        runs = [pool.submit(tidy, given.build, source, key) for source, key in work]
        for number, run in enumerate(concurrent.futures.as_completed(runs), 1):
            source, status, output = run.result()
            failed += status != 0
            print(f"clang-tidy: [{number}/{len(work)}] {os.path.relpath(source, ROOT)}"
                  f"{' FAILED' if status else ''}", flush=True)
            if status:
                print(output, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
