"""Runs as a person starts them, and what they leave."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from scoring import __main__ as commands
from tests.project import ROOT

SMALL = ("--rows", "700", "--workers", "1")


def score(source: object, out: object, bundle: Path, *options: str) -> int:
    return commands.main(["score", str(source), str(out), "--model", str(bundle), *(options or SMALL)])


def verify(out: object) -> int:
    return commands.main(["verify", str(out)])


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def running(source: Path, out: object, bundle: Path, *options: str, **how: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scoring", "score", str(source), str(out), "--model", str(bundle), *options]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **how)
