"""The reference pages that are rendered: they say what the code says."""

import subprocess
from pathlib import Path

import httpx

from docs.rendering import operations
from docs.rendering.__main__ import noted
from tests.project import DEV, ROOT

REFERENCE = ROOT / "docs/reference"


def test_the_rendered_pages_are_those_that_are_there(tmp_path: Path) -> None:
    subprocess.run([DEV / "python", "-m", "docs.rendering", "--into", tmp_path], cwd=ROOT, check=True)
    pages = {page.name for page in tmp_path.iterdir()}
    assert pages == {"bundle.md", "commands.md", "contract.md", "metrics.md", "parameters.md"}
    for name in pages:
        assert (REFERENCE / name).read_text() == (tmp_path / name).read_text(), f"run `make reference`: {name}"


def test_the_operations_are_those_of_the_service(client: httpx.Client) -> None:
    document = client.get("/docs.json").json()
    assert (REFERENCE / "operations.md").read_text() == noted(operations.page(document)), "run `make reference`"
