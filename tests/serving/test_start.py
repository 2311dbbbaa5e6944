"""What a process imports until it answers; each list is of what takes long and is not needed by then."""

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from tests.project import Project

_ROOT = Path(__file__).parents[2]
_SUPERVISOR = "import serving.application, serving.lifecycle"
_WORKER = """
import asyncio, sys
from pathlib import Path
from serving.application import Application

application = Application({"BOXWOOD_GRPC_PORT": "0"})
application.load(Path(sys.argv[1]), {})

async def main():
    application.in_front_of(None, dict)
    await application.listen()
    await application.models.default.predict([{}], partial=True)
    await application.finish()

asyncio.run(main())
"""
"""A worker without a server of HTTP: BentoML's imports some of it (OpenTelemetry) by itself."""
_LATER = {
    "cryptography", "redis", "opentelemetry", "circus", "serving.access.shared_quota", "serving.access.tokens",
}  # fmt: skip
"""What only some settings and failures need."""


def _imported(program: str, *arguments: str, of: Collection[str]) -> set[str]:
    """Which of these modules a process has imported when the program has run."""
    ended = f"{program}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", ended, *arguments]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return set(of) & set(done.stdout.split())


def test_the_supervisor_does_without_what_workers_need() -> None:
    assert not _imported(
        _SUPERVISOR, of=_LATER | {"lightgbm", "scipy", "grpc", "model.predictor", "serving.rpc.server"}
    )


def test_a_worker_has_not_imported_what_its_settings_do_not_need(trained: Project) -> None:
    assert not _imported(_WORKER, str(trained.folder / "data/flights/bundle"), of=_LATER | {"grpc"})
