"""How the pipeline writes folders: whole or not at all, whenever it is interrupted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from training.workspace import atomic_folder, recover

INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from training.workspace import atomic_folder

def replace(folder, calls, kill):
    left = calls
    def interrupt(event, arguments):
        nonlocal left
        if event.startswith(("os.", "shutil.")) and str(folder) in str(arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL if kill else signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored behind an &
    sys.addaudithook(interrupt)
    with atomic_folder(folder / "raw") as temporary:
        for number in range(3):
            (temporary / str(number)).write_text("new")
    os._exit(0 if left > 0 else 3)

how, parent = sys.argv[1], Path(sys.argv[2])
for calls in range(1, 200):
    folder = parent / str(calls)
    (folder / "raw").mkdir(parents=True)
    for number in range(3):
        (folder / "raw" / str(number)).write_text("old")
    child = os.fork()
    if child == 0:
        try:
            replace(folder, calls, how == "kill")
        except KeyboardInterrupt:
            os._exit(2)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(calls - 1)
        sys.exit()
"""


def contents(folder: Path) -> list[str]:
    """What is in a folder's files, each text once."""
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2"]
    return sorted({path.read_text() for path in folder.iterdir()})


@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_one_whole_version_stays_wherever_it_is_interrupted(tmp_path: Path, how: str) -> None:
    """Interrupted before every call to the file system in turn; what is there then, and after the next clean-up."""
    command = [sys.executable, "-c", INTERRUPTED, how, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    steps = json.loads(done.stdout)
    assert steps > 8
    found = set()
    for calls in range(1, steps + 1):
        folder = tmp_path / str(calls) / "raw"
        if how == "interrupt":
            assert folder.exists()
        recover(folder)
        [text] = contents(folder)
        found.add(text)
        with pytest.raises(ZeroDivisionError), atomic_folder(folder):
            1 / 0  # noqa: B018 a run that fails
        assert contents(folder) == [text]
        assert [path.name for path in folder.parent.iterdir()] == ["raw"]
    assert found == {"old", "new"}
