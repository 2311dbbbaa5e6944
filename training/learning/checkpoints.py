"""What trainings have come to, on disk: one that was killed goes on from there, and repeats none that was finished."""

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np

from training.learning import continued
from training.learning.boost import by_main_names
from training.learning.params import Checkpoint
from training.workspace import atomic_file, say

_SUFFIX = ".checkpoint"
_DIGEST = hashlib.sha256().digest_size
_SHARE = 0.01
"""Of the time so far; writing takes no more."""
_SECONDS_A_TREE = 1e-4
"""What writing is taken to cost before any was measured; it is less on most machines."""


class State(msgspec.Struct, frozen=True):
    """How far a training has come.

    Attributes:
        trees: how many trees each of its boosters was asked for.
        boosters: their texts.
        best: the number of trees with the least loss on held-out rows, 0 if there is none yet.
        loss: that loss.
        done: whether it is finished.
    """

    trees: int
    boosters: list[str]
    best: int
    loss: float
    done: bool


class Checkpoints:
    """The checkpoints of a problem in a folder of their own, or nothing at all."""

    def __init__(self, folder: Path | None = None, how: Checkpoint | None = None) -> None:
        self.how = how or Checkpoint()
        self._folder, self._writable = folder if self.how.trees else None, True
        self._begun, self._spent, self._each = time.monotonic(), 0.0, _SECONDS_A_TREE

    def of(self, settings: Mapping[str, Any], made_of: Callable[[], Iterable[Any]]) -> "Progress":
        """The place of a training.

        Args:
            settings: LightGBM's parameters, which say from where it can go on.
            made_of: all that its boosters are made of, as `key_of` takes it.
        """
        return Progress(self, settings, made_of)

    def any(self) -> bool:
        """Whether there are some, which only a training that was interrupted leaves behind."""
        return self._folder is not None and next(self._folder.glob(f"*{_SUFFIX}"), None) is not None

    def affordable(self, trees: int) -> bool:
        """Whether writing so many trees would take no more than its share of the time so far."""
        if self._folder is None or not self._writable:
            return False
        if not self.how.seconds:
            return True
        elapsed = time.monotonic() - self._begun
        return elapsed >= self.how.seconds and self._spent + trees * self._each <= _SHARE * elapsed

    @contextmanager
    def charged(self, trees: int) -> Iterator[None]:
        """Count the time that writing so many trees takes."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self._spent, self._each = self._spent + took, took / trees

    def read(self, key: str) -> State | None:
        """What was kept under this key; a damaged file is as good as none, which is said."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                return msgspec.msgpack.decode(content[_DIGEST:], type=State)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            pass
        say("train", f"the checkpoint {path} is damaged and ignored")
        return None

    def write(self, key: str, state: State) -> None:
        """Keep it, whole or not at all."""
        content = msgspec.msgpack.encode(state)
        with atomic_file(self._path(key)) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)

    def stop(self, error: OSError) -> None:
        """Write no more: a training that could go on is worth less than one that does."""
        say("train", f"goes on without checkpoints, which cannot be written: {error}")
        self._writable = False

    def clear(self) -> None:
        """Remove them all: what they led to is written."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        if self._folder is None:
            raise ValueError("there is no folder for checkpoints")
        return self._folder / f"{key}{_SUFFIX}"


class Progress:
    """One training among the checkpoints of a problem."""

    def __init__(self, kept: Checkpoints, settings: Mapping[str, Any], made_of: Callable[[], Iterable[Any]]) -> None:
        self._kept, self._settings, self._made_of = kept, settings, made_of

    @cached_property
    def _key(self) -> str:
        return key_of(self._made_of())

    @cached_property
    def _every(self) -> int:
        """After each multiple of so many trees the state is kept; 0 if it is not."""
        known = by_main_names(self._settings)
        return math.lcm(self._kept.how.trees, continued.step(known)) if continued.possible(known) else 0

    def found(self) -> State | None:
        """Where it was interrupted, or what it came to; it says which."""
        state = self._kept.read(self._key) if self._kept.any() else None
        if state is not None and state.done:
            say("train", f"a training of {state.trees} trees was finished before the interruption; it is not repeated")
        elif state is not None:
            exact = continued.exact(by_main_names(self._settings))
            chance = "" if exact else "; its random choices are others from there on"
            say("train", f"goes on at tree {state.trees} of a training that was interrupted{chance}")
        return state

    def keep(self, boosters: Sequence[lgb.Booster], trees: int, best: int = 0, loss: float = math.inf) -> None:
        """After each tree: keep the state every so many trees, if it can go on from here and there is time for it."""
        if self._every and trees % self._every == 0:
            self._write(boosters, trees, best, loss, done=False)

    def finish(self, boosters: Sequence[lgb.Booster], trees: int, loss: float = math.inf) -> None:
        """Keep what a training came to, if there is time for it."""
        self._write(boosters, trees, trees, loss, done=True)

    def _write(self, boosters: Sequence[lgb.Booster], trees: int, best: int, loss: float, *, done: bool) -> None:
        written = trees * len(boosters)
        if not self._kept.affordable(written):
            return
        with self._kept.charged(written):
            texts = [booster.model_to_string() for booster in boosters]
            try:
                self._kept.write(self._key, State(trees, texts, best, loss, done))
            except OSError as error:
                self._kept.stop(error)


NONE = Checkpoints()
"""Where trainings are not to go on."""


def key_of(made_of: Iterable[Any]) -> str:
    """A hash of what boosters are made of: arrays, and what JSON has; LightGBM itself is added."""
    digest = hashlib.sha256(lgb.__version__.encode())
    for part in made_of:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape} {part.strides}".encode())
            digest.update(np.ascontiguousarray(part.ravel(order="K")).data)
        else:
            digest.update(msgspec.json.encode(part, order="sorted"))
    return digest.hexdigest()
