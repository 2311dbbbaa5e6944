"""python -m deploy.audit: whether packages of the locks have known vulnerabilities.

`uv audit` asks OSV (osv.dev) about the versions that a lock pins. It needs a package index, to see a lock as a project
does, and OSV's interface. Where one of them cannot be reached, nothing is known, which is not that nothing was found.
Exit codes: 0 nothing was found, 1 something was found, 75 it could not be asked (sysexits.h: try again later).
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOUND, UNKNOWN = 1, 75
LOCKS = Path("requirements")
_PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?==[^\s;\\]+(?: ; [^\\\n]+?)?) *\\?$", re.MULTILINE)
_PROJECT = '[project]\nname = "audited"\nversion = "0"\nrequires-python = ">=3.11,<3.14"\ndependencies = {}\n'


def main(arguments: list[str] | None = None) -> int:
    """Audit the locks one after the other; returns the exit code, that of the worst."""
    parser = argparse.ArgumentParser(prog="python -m deploy.audit", description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, help="files with pins; all of requirements/ by default")
    parser.add_argument("--service-url", help="another service that speaks OSV's protocol")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="a vulnerability that is accepted")
    options = parser.parse_args(arguments)
    asked = [f"--ignore={name}" for name in options.ignore]
    if options.service_url:
        asked.append(f"--service-url={options.service_url}")
    codes = {_audited(lock, asked) for lock in options.locks or sorted(LOCKS.glob("*.txt"))}
    return FOUND if FOUND in codes else max(codes, default=0)


def pins(lock: str) -> list[str]:
    """The requirements of a lock without their hashes, with their markers."""
    return _PIN.findall(lock)


def _audited(lock: Path, asked: Sequence[str]) -> int:
    """Audit one lock, and say what came of it."""
    requirements = pins(lock.read_text())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(_PROJECT.format(json.dumps(requirements)))
        command = ["uv", "audit", "--preview-features", "audit", "--no-build", "--quiet", *asked]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    told = (done.stdout + done.stderr).strip()
    if done.returncode == 0:
        print(f"{lock}: {len(requirements)} packages, none with a known vulnerability")
        return 0
    if done.returncode == FOUND:
        print(f"{lock}: known vulnerabilities\n{told}")
        return FOUND
    print(f"{lock}: could not be asked about, so nothing is known of it.\n{told}", file=sys.stderr)
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
