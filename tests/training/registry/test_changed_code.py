"""A champion that was trained before somebody changed the problem's code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project
from training.workspace import Workspace, read_json, write_json

PLACE = Workspace("flights")


@pytest.fixture
def change(trained: Project, tmp_path: Path) -> Callable[[str, str], Project]:
    """A copy of the trained project whose flights are written otherwise."""

    def changed(old: str, new: str) -> Project:
        project = Project(trained.copy(tmp_path / "project").folder, own_code=True)
        code = project.folder / "problems/flights/__init__.py"
        assert old in code.read_text()
        code.write_text(code.read_text().replace(old, new))
        return project

    return changed


@pytest.mark.slow
def test_it_is_served_by_the_contract_that_it_was_trained_with(change: Callable[[str, str], Project]) -> None:
    """A challenger of the new contract may be refused, and then the champion goes on serving."""
    project = change('name="agency"', 'name="seller", source="agency"')
    tag = project.receipt()["tag"]
    printed = project.stages("package")
    assert f"{tag} is in the BentoML model store; it is registry version 1, the champion" in printed
    assert "its contract is the one that it was trained with, not the code's of today" in printed


@pytest.mark.slow
def test_other_features_keep_it_from_being_served(change: Callable[[str, str], Project]) -> None:
    """And what to do about that is said, with the number of the version that could be served."""
    features = "def features(columns, state):\n    return dict(columns)\n\n\nPROBLEM"
    project = change("PROBLEM", features)
    code = project.folder / "problems/flights/__init__.py"
    code.write_text(code.read_text().replace("contract=CONTRACT,", "contract=CONTRACT, features=features,"))
    receipt = project.folder / PLACE.registered
    write_json(receipt, read_json(receipt) | {"registry_version": "2"})
    version_2 = read_json(receipt)
    write_json(receipt, {"registry": None})  # as an experiment leaves it
    assert "cannot be served by this code" in project.training("package flights", fails=True)
    write_json(receipt, version_2)
    printed = project.training("package flights", fails=True)
    assert "Version 1, the champion of 'flights', cannot be served by this code: The model 'flights'" in printed
    assert "was trained with other features than this code computes for 'flights'" in printed
    assert "`make promote PROBLEM=flights@2`" in printed
