"""Disks of their own, as small as a test needs, where this machine lets us have one."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small(folder: Path, size: str) -> Iterator[bool]:
    """Mount a file system of a size, as "64k", at a new folder; whether that was possible."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    there = bool(shutil.which("mount")) and not subprocess.run(command, capture_output=True, check=False).returncode
    try:
        yield there
    finally:
        if there:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a process may be at its end still


def enlarge(folder: Path, size: str) -> None:
    """Give it another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
