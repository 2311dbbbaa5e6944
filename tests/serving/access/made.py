"""Keys and files of keys for the tests, made by the command that people use."""

import contextlib
import io
from pathlib import Path

from serving.access.__main__ import main


def run(*arguments: str) -> str:
    """What a command prints for programs; raises SystemExit with its sentence."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        main(arguments)
    return printed.getvalue()


def new(path: Path, named: str, *options: str) -> str:
    """A new key."""
    return run("new", named, "--file", str(path), *options).strip()


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"authorization": f"Bearer {key}"}
