"""The hash of what features compute: it changes with what they reach, and what cannot be followed is refused."""

import functools
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import problems
from problems import base
from problems.base import Problem
from validation.errors import ContractError

SOURCE = '''
"""A problem."""
import math
import problems.constants_of_a_test
import problems.constants_of_a_test as told
from problems import constants_of_a_test as same
from problems.base import Problem
from problems.constants_of_a_test import FACTOR, OTHER as RENAMED
from problems.flights import CONTRACT

SCALE, SHIFT = 2.0, 0.0
SCALE += 1.0
TABLE = {"a": 1.0}
TABLE["b"] = 2.0
TABLE.update(c=3.0)
FAST = True
if FAST:
    STEP = 1.0
else:
    STEP = 2.0
try:
    LIMIT = math.inf
except ValueError:
    LIMIT = 0.0
for PLACE in range(3):
    LAST = PLACE

def helper(x, most=SHIFT):
    return x * SCALE * FACTOR * problems.constants_of_a_test.DOTTED * told.ALIASED * same.IMPORTED * RENAMED

def features(columns, state):
    """Twice the distance."""
    from problems.constants_of_a_test import INSIDE
    return {"distance_km": helper(columns["distance_km"]) * TABLE["a"] * STEP * min(LIMIT, LAST) * INSIDE}

def unrelated():
    return 1

PROBLEM = Problem(name="p", title="t", contract=CONTRACT, features=features)
'''
CONSTANTS = """
FACTOR = 10.0
OTHER = 20.0
DOTTED = 30.0
ALIASED = 40.0
IMPORTED = 50.0
INSIDE = 60.0
UNRELATED = 70.0
"""


@pytest.fixture(autouse=True)
def constants() -> Iterator[None]:
    yield
    sys.modules.pop("problems.constants_of_a_test", None)


def imported(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def features_hash(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch, constants: str = CONSTANTS) -> str:
    """The hash of a problem written in `folder`, which stands where the project's problems stand."""
    monkeypatch.setattr("problems.sources._PROJECT", folder)
    for name, text in (("problems.constants_of_a_test", constants), ("problem_of_a_test", source)):
        path = folder / f"{name}.py"
        path.write_text(text)
        module = imported(path, name)
        if name.startswith("problems."):
            monkeypatch.setattr(problems, "constants_of_a_test", module, raising=False)
    problem: Problem = module.PROBLEM
    return problem.features_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Twice the distance.", "Distance, doubled."),
        ("A problem.", "Another text."),
        ("return 1", "return 2"),
        ('title="t"', 'title="u"'),
        ("UNRELATED = 70.0", "UNRELATED = 71.0"),
    ],
)
def test_what_features_do_not_reach_leaves_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    before, after = changed(tmp_path, monkeypatch, old, new)
    assert before == after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE, SHIFT = 2.0", "SCALE, SHIFT = 3.0"),
        ("SCALE += 1.0", "SCALE += 2.0"),
        ('TABLE["b"] = 2.0', 'TABLE["a"] = 2.0'),
        ("TABLE.update(c=3.0)", "TABLE.update(a=3.0)"),
        ("FAST = True", "FAST = False"),
        ("LIMIT = math.inf", "LIMIT = math.pi"),
        ("range(3)", "range(4)"),
        ("most=SHIFT", "most=SCALE"),
        ("x * SCALE", "x + SCALE"),
        ("helper(columns", "(columns"),
        ("FACTOR, OTHER as RENAMED", "FACTOR as RENAMED, OTHER as FACTOR"),
        ("FACTOR = 10.0", "FACTOR = 11.0"),
        ("OTHER = 20.0", "OTHER = 21.0"),
        ("DOTTED = 30.0", "DOTTED = 31.0"),
        ("ALIASED = 40.0", "ALIASED = 41.0"),
        ("IMPORTED = 50.0", "IMPORTED = 51.0"),
        ("INSIDE = 60.0", "INSIDE = 61.0"),
    ],
)
def test_what_features_reach_changes_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    before, after = changed(tmp_path, monkeypatch, old, new)
    assert before != after


def changed(folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> tuple[str, str]:
    assert old in SOURCE + CONSTANTS
    before = features_hash(folder, SOURCE, monkeypatch)
    return before, features_hash(folder, SOURCE.replace(old, new), monkeypatch, CONSTANTS.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "OTHER as RENAMED",
            "OTHER as RENAMED\nfrom problems.constants_of_a_test import *",
            r"line 9, imports \* from",
        ),
        (
            "told.ALIASED",
            'getattr(told, "ALIASED")',
            "line 29, uses the module problems.constants_of_a_test as a whole",
        ),
        ("* RENAMED", '* globals()["RENAMED"]', "line 29, uses globals, which can reach any name"),
        ("    return 1", "    global SCALE\n    SCALE = 9.0", r"line 37, changes 'SCALE' within a function"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    assert old in SOURCE
    with pytest.raises(ContractError, match=says):
        features_hash(tmp_path, SOURCE.replace(old, new), monkeypatch)


def test_what_features_borrow_from_other_problems_is_theirs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> str:
        return Problem(name="p", title="t", contract=base.load("flights").contract).features_hash

    before, source, original = fresh(), inspect.getsource(base), inspect.getsource
    other = source.replace("(day + 3.0) % 7", "(day + 4.0) % 7")
    assert other != source
    monkeypatch.setattr(inspect, "getsource", lambda module: other if module is base else original(module))
    assert fresh() != before


def made(columns: dict[str, object], state: object, twice: bool = False) -> dict[str, object]:
    return columns


def test_a_function_that_was_made_has_no_source_that_could_be_compared(flights: Problem) -> None:
    def inner(columns: object, state: object) -> object:
        return columns

    for function in (lambda columns, state: columns, functools.partial(made, twice=True), inner):
        problem = Problem(name="p", title="", contract=flights.contract, features=function)  # type: ignore[arg-type]
        with pytest.raises(ContractError, match="with def at the top of a module"):
            _ = problem.features_hash
