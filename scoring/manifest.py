"""What a run is and how far it has come: `_manifest.json`, and a note of each partition that is there.

A partition is noted after its files are there, and a run that goes on scores those that are not noted. The notes are
files of their own, so that workers wait for no lock; once all are there the manifest has them all.
"""

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
        start, stop: the bytes of a text file.
    """

    file: int
    first: int
    rows: int
    start: int = 0
    stop: int = 0


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


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides the output, to the byte.

    Attributes:
        source, root: the address of the input, and the path that it leads to.
        model, version: what answers.
        explain: whether SHAP values are beside the answers.
        dropped: columns of the input that are left out.
        inputs, partitions: the files, and how they are cut.
    """

    source: str
    root: str
    model: str
    version: str
    explain: bool
    dropped: list[str]
    inputs: list[InputFile]
    partitions: list[Partition]


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
    place.write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def note(place: Place, done: Done) -> None:
    """Note that a partition is there; raises StoreError."""
    place.write(f"{NOTES}/{done.partition:05}.json", msgspec.json.encode(done))


def noted(place: Place) -> dict[int, Done]:
    """The partitions that are noted, by their places; raises StoreError."""
    contents = place.contents(NOTES)
    try:
        found = [msgspec.json.decode(content, type=Done) for content in contents]
    except msgspec.DecodeError as error:
        raise StoreError(f"{place.address}/{NOTES} has a note that is none of this release: {error}.") from error
    return {done.partition: done for done in found}
