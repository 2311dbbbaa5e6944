"""The virtual environments of peers."""

import subprocess
from pathlib import Path


def made(folder: Path, *what: str, python: str = "") -> Path:
    """Make a virtual environment, unless it is there.

    Args:
        folder: where it is to be; its name is told.
        what: its packages, as `uv pip install` takes them.
        python: its version; that of whoever runs this, where it is empty.

    Returns:
        The folder.
    """
    ready = folder / ".ready"
    if not ready.exists():
        print(f"benchmarks: making the environment of {folder.name}", flush=True)
        version = ["--python", python] if python else []
        subprocess.run(["uv", "venv", "--quiet", "--clear", *version, str(folder)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "-p", str(folder / "bin/python")]
        subprocess.run([*install, *what], check=True)
        ready.touch()
    return folder
