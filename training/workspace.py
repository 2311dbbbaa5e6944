"""Where the pipeline keeps what it makes, and how it writes: whole or not at all."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from model import receipts
from problems import parameters
from validation.errors import StoreError, TableError

T = TypeVar("T")
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
"""What both NumPy and LightGBM take."""
_LOCK = Path(".dvc/run.lock")


@dataclass(frozen=True)
class Workspace:
    """The files of one problem, relative to the project's folder.

    Attributes:
        problem: its name.
        cluster: whether they are those of a training on a cluster, which lie beside the outputs of DVC's stages.
    """

    SOURCE: ClassVar[str] = "source.json"

    problem: str
    cluster: bool = False

    @property
    def folder(self) -> Path:
        """The folder data/<problem>, or the one for clusters in it."""
        return Path("data") / self.problem / "cluster" if self.cluster else Path("data") / self.problem

    @property
    def raw(self) -> Path:
        """A folder that holds the raw table, under its own name, and what it is; both are replaced in one step."""
        return self.folder / "raw"

    @property
    def source(self) -> Path:
        """What the raw table is: where it came from, and its sha256."""
        return self.raw / self.SOURCE

    @property
    def labelled(self) -> Path:
        """Labelled rows beside the raw table, if any; hidden, because the table may have any other name."""
        return self.raw / ".labelled.parquet"

    @property
    def table(self) -> Path | None:
        """The raw table, if one is there."""
        tables = [path for path in self.raw.glob("[!.]*") if path != self.source]
        return tables[0] if len(tables) == 1 and self.source.exists() else None

    @property
    def bronze(self) -> Path:
        """The parsed table."""
        return self.folder / "bronze.parquet"

    @property
    def silver(self) -> Path:
        """The rows that satisfy the contract."""
        return self.folder / "silver.parquet"

    @property
    def quarantine(self) -> Path:
        """The rows that do not, with number and reason (`_row`, `_reason`) before them."""
        return self.folder / "quarantine.csv"

    @property
    def split(self) -> Path:
        """For each silver row what it is for, see `training.data.split`."""
        return self.folder / "split.parquet"

    @property
    def gold(self) -> Path:
        """The model matrices of the training, validation and calibration rows."""
        return self.folder / "gold.parquet"

    @property
    def trained(self) -> Path:
        """A folder with the boosters, what was fitted and the outcome."""
        return self.folder / "trained"

    @property
    def checkpoints(self) -> Path:
        """How far a training had come that was interrupted; beside the stage's outputs, which DVC removes first."""
        return Path("stores/checkpoints") / (f"{self.problem}.cluster" if self.cluster else self.problem)

    @property
    def bundle(self) -> Path:
        """The bundle, not yet sealed by the registry."""
        return self.folder / "bundle"

    @property
    def metrics(self) -> Path:
        """What the evaluation found."""
        return self.folder / "metrics.json"

    @property
    def registered(self) -> Path:
        """The registry's receipt; it lies in the store, so that a deleted store heals.

        That of a cluster's model lies beside it: a receipt that DVC did not write would have it register again.
        """
        return self.folder / "registered.json" if self.cluster else receipts.registered(self.problem)

    @property
    def packaged(self) -> Path:
        """The model store's receipt: the exact tag that a service serves."""
        return receipts.path(self.problem)

    @property
    def evaluation(self) -> Path:
        """What the model and the baselines answered to the test rows."""
        return self.folder / "evaluation.parquet"

    @property
    def reference(self) -> Path:
        """Rows with the model's answers, which later answers are compared with, see `training.evaluation.reference`."""
        return self.folder / "reference.parquet"

    @property
    def plots(self) -> Path:
        """A folder with pictures of the evaluation."""
        return self.folder / "plots"

    def document(self) -> dict[str, Any]:
        """All parameters of this problem, see `problems.parameters`."""
        return parameters.document(self.problem)

    def params(self, section: str, shape: type[T]) -> T:
        """A section of this problem's parameters, see `problems.parameters`."""
        return parameters.section(self.problem, section, shape)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place once everything is written, or is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place once everything is written, or is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    for left in path.parent.glob(f".{path.name}.*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        with contextlib.suppress(FileNotFoundError):
            path.rename(_before(path))
        temporary.rename(path)
    finally:
        recover(path)
        shutil.rmtree(temporary, ignore_errors=True)


def recover(path: Path) -> None:
    """Bring a folder back whose replacement was interrupted; afterwards no version lies beside it.

    Whatever is under the name of the version before is whole: it gets the name, and loses it, in one step.
    """
    before = _before(path)
    if before.exists() and not path.exists():
        before.rename(path)
    elif before.exists():
        discarded = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) / "before"
        before.rename(discarded)
        shutil.rmtree(discarded.parent, ignore_errors=True)


def _before(path: Path) -> Path:
    """Where the version before lies while `atomic_folder` replaces it."""
    return path.with_name(f".{path.name}.before")


@contextlib.contextmanager
def exclusive_run() -> Iterator[int]:
    """The right to change what is registered and served; raises StoreError while `make train` or another has it.

    Yields:
        The file descriptor of the lock: a process that inherits it keeps the lock as long as it runs.
    """
    with exclusive(_LOCK, "Another run is in progress in this folder; nothing was changed.") as lock:
        yield lock


@contextlib.contextmanager
def exclusive(lock: Path, refusal: str) -> Iterator[int]:
    """What one process may do at a time, with the descriptor of the lock's file; raises StoreError with `refusal`."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(refusal) from error
        yield file.fileno()


def write_json(path: Path, document: Any) -> None:
    """Write JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises TableError with the way out if an earlier stage did not write it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise TableError(f"{path} is missing; run `make train`.") from error


def sha256(path: Path) -> str:
    """The sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def say(stage: str, text: str) -> None:
    """Tell the person who runs the pipeline what a stage does."""
    print(f"{stage}: {text}", flush=True)


def counted(number: int, noun: str) -> str:
    """`1 row`, `1,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
