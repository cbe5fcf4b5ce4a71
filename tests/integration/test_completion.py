"""`weir completion`: the scripts are sound, and bash gives the words that fit."""

import shutil
import subprocess

import pytest


def completed(weir, line, folder):
    """What bash offers at the end of `line`."""
    words = line.split(" ")
    script = f"""
source <({weir.path} completion bash)
COMP_WORDS=({" ".join(f'"{word}"' for word in words)}) COMP_CWORD={len(words) - 1}
_weir 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "orders.sql").write_text("")
    return tmp_path


@pytest.mark.parametrize("line, expected", [
    ("weir ru", ["run"]),
    ("weir completion ", ["bash", "fish", "zsh"]),
    ("weir run --progress ", ["auto", "lines", "none"]),
    ("weir run or", ["orders.sql"]),
    ("weir run --metrics or", ["orders.sql"]),
    ("weir run --once or", ["orders.sql"]),
    ("weir run --onc", ["--once"]),
    ("weir errors rep", ["replay"]),
    ("weir errors list --form", ["--format"]),
    ("weir errors list --format j", ["json"]),
    ("weir init --form", ["--format"]),
    ("weir init --format ", ["avro", "csv", "json", "protobuf"]),
    ("weir init --topic ", []),
])
def test_bash(weir, folder, line, expected):
    assert sorted(completed(weir, line, folder)) == expected


def test_every_command_is_offered(weir, folder):
    offered = completed(weir, "weir ", folder)
    text = weir.run(["--help"]).stdout.split("Subcommands:", 1)[1].split("\n\n", 1)[0]
    named = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert set(named) == set(offered) and len(named) > 8


def test_the_scripts_parse(weir, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        text = weir.run(["completion", shell]).stdout
        assert "weir" in text and text.count("'") % 2 == 0
        if shutil.which(shell):  # bash is always there
            script = tmp_path / shell
            script.write_text(text)
            subprocess.run([shell, "-n", script], check=True, timeout=30)


def test_another_shell_is_refused(weir):
    assert "bash" in weir.run(["completion", "cmd"], expect=2).stderr
