"""README's tours, block by block, as a reader would type them: they must never lie."""

import os
import re
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def blocks(section):
    tour = (ROOT / "README.md").read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", tour, re.M | re.S)


def at_port(folder, port):
    """The tour's server has the default port, which may be taken here."""
    (folder / "weir.toml").write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n')
    return "weir.toml"


def test_five_minutes(weir, tmp_path):
    environment = {**os.environ, "PATH": f"{weir.path.parent}:{os.environ['PATH']}"}
    outputs = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for block in blocks("Five minutes"):
        block = block.replace("7080", str(port)).replace("serve &", f"serve --config {at_port(tmp_path, port)} &")
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=environment, timeout=120,
                             capture_output=True, text=True)
        assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"
        outputs.append(run.stdout + run.stderr)
    events, pipeline, ran, errors, replayed, served = outputs
    assert "rows=2 errors=1" in ran
    assert "ada" in ran and "cleo" in ran and "bob" not in ran
    assert "wrong_type" in errors and "/units" in errors and "^" in errors
    assert "replayed=1 resolved=1 failed=0" in replayed
    assert "replayed=0 resolved=0 failed=0" in replayed
    totals = replayed.rsplit("failed=0", 1)[1]
    assert re.search(r"\b3\b", totals) and re.search(r"\b6\b", totals), totals
    assert served.count('"repeated":false') == served.count('"repeated":true') == 1
    assert "12.5" in served and "(1 row)" in served, served


def test_a_window(weir, tmp_path):
    (block,) = blocks("A window")
    environment = {**os.environ, "PATH": f"{weir.path.parent}:{os.environ['PATH']}"}
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=environment, timeout=120,
                         capture_output=True, text=True)
    assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"
    rows = [[cell.strip() for cell in line.split("|")] for line in run.stdout.splitlines() if "2026-" in line]
    assert rows == [["2026-11-21T10:00:00", "bob", "1", "8.00"], ["2026-11-21T10:00:00", "ada", "2", "19.75"],
                    ["2026-11-21T10:01:00", "ada", "1", "1.00"]]
    assert "errors=0" in run.stderr and "whole" in run.stdout
