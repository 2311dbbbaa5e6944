"""What a run is and how far it has come: `_manifest.json`, and a note of each partition that is there.

A partition is noted after its files are there, and a run that goes on scores those that are not noted. The notes are
files of their own, so that workers wait for no lock; once all are there the manifest has them all.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from storage.place import Place
from validation.errors import StoreError

MANIFEST = "_manifest.json"
NOTES = "_done"
RUNNING, COMPLETE = "running", "complete"
FORMAT = 1


class InputFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the input: its path below IN, its size in bytes, and what changes when it does (ETag or time)."""

    path: str
    size: int
    stamp: str
    format: str


class Partition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a file, which becomes a partition of the output.

    Attributes:
        file: the place of the file among the inputs.
        first: the place of its first row in the file.
        rows: how many there are.
        start, stop: where it is: the bytes of a text file; the row groups or record batches of another.
        skipped: how many rows of these come before its first.
    """

    file: int
    first: int
    rows: int
    start: int = 0
    stop: int = 0
    skipped: int = 0


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that was written: its path below OUT, its size in bytes and the sha256 of its content."""

    path: str
    size: int
    sha256: str


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A partition that is there: `good` rows are answered in `answers`, `bad` ones told of in `quarantine`."""

    partition: int
    good: int
    bad: int
    answers: Output
    quarantine: Output | None = None

    @property
    def outputs(self) -> list[Output]:
        """Its files."""
        return [self.answers] if self.quarantine is None else [self.answers, self.quarantine]


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a partition of a plan is there; `plan` is its `Plan.digest`."""

    plan: str
    done: Done


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides the output, to the byte.

    Attributes:
        source, root: the address of the input, and the path that it leads to.
        model, version: what answers.
        explain: whether SHAP values are beside the answers.
        dropped: columns of the input that are left out; `drop_others` that all are which the model does not know.
        inputs, partitions: the files, and how they are cut.
        rows: what was asked for of a partition; 0 in outputs of before it was kept.
    """

    source: str
    root: str
    model: str
    version: str
    explain: bool
    dropped: list[str]
    inputs: list[InputFile]
    partitions: list[Partition]
    drop_others: bool = False
    rows: int = 0

    @property
    def digest(self) -> str:
        """What tells it from another plan of the same output, wherever the input is seen from."""
        same = msgspec.structs.replace(self, source="", root="")
        return hashlib.sha256(msgspec.json.encode(same)).hexdigest()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `_manifest.json` says: the plan, `RUNNING` or `COMPLETE`, and of a complete run all partitions."""

    plan: Plan
    status: str
    done: list[Done] = []
    format: int = FORMAT


def read(place: Place) -> Manifest | None:
    """The manifest of an output, None if there is none; raises StoreError if it is unreadable."""
    content = place.read(MANIFEST)
    try:
        return None if content is None else msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(f"{place.address}/{MANIFEST} is no manifest of this release: {error}.") from error


def write(place: Place, manifest: Manifest) -> None:
    """Write it, whole or not at all; raises StoreError."""
    place.write(MANIFEST, _written(manifest))


def begin(place: Place, plan: Plan) -> bool:
    """Write the first manifest of an output; False if another run has just done so. Raises StoreError."""
    return place.create(MANIFEST, _written(Manifest(plan, RUNNING)))


def _written(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def note(place: Place, plan: str, done: Done) -> None:
    """Note that a partition of the plan with this digest is there; raises StoreError."""
    place.write(f"{NOTES}/{done.partition:05}.json", msgspec.json.encode(Note(plan, done)))


def there(place: Place, known: Manifest) -> dict[int, Done]:
    """The partitions that the manifest or notes have and whose files are there, by their places; raises StoreError."""
    sizes = place.sizes()
    notes = place.contents([name for name in sizes if name.startswith(f"{NOTES}/")])
    told = [*known.done, *_noted(notes, known.plan.digest)]
    whole = [done for done in told if all(sizes.get(output.path) == output.size for output in done.outputs)]
    return {done.partition: done for done in whole}


def _noted(notes: Sequence[bytes], plan: str) -> Iterator[Done]:
    for content in notes:
        try:
            found = msgspec.json.decode(content, type=Note)
        except msgspec.DecodeError:  # the machine lost its power meanwhile: the partition is scored again
            continue
        if found.plan == plan:
            yield found.done
