"""The site: it has every page, asks no other host, and fails for a link to nothing."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.conftest import PYTHON
from tests.project import ROOT

pytestmark = pytest.mark.slow
_LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "object": "data", "video": "src"}
_FETCHED = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest")


class Loaded(HTMLParser):
    """What a browser loads for a page without being asked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = "href" if tag == "link" and set((found.get("rel") or "").split()) & set(_FETCHED) else _LOADS.get(tag)
        if name and found.get(name):
            self.addresses.append(found[name] or "")


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        page = path.relative_to(ROOT / "docs").with_suffix(".html")
        place = {"README.html": "guide.html", "decisions/README.html": "decisions/index.html"}.get(str(page), page)
        assert (site / place).exists(), path
    assert "quarantine_limit" in (site / "files/params.yaml.html").read_text()


def test_pages_load_what_is_beside_them(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        loaded = Loaded(page).addresses
        assert loaded
        for address in loaded:
            assert not re.match(r"(\w+:)?//", address), f"{page}: {address}"
            if not address.startswith("data:") and page.name != "404.html":
                assert (page.parent / address.split("?")[0]).exists(), f"{page}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(\w+:)?//", style.read_text()), style


def test_a_link_to_nothing_fails_the_build(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    for link in ("nowhere.md", "tune.md#no-such-heading", "../../nowhere.py"):
        (project / "docs/how-to/broken.md").write_text(f"# Broken\n\n[a link]({link})\n")
        done = subprocess.run(
            [PYTHON, "-m", "docs.site", tmp_path / "out"], cwd=project, capture_output=True, text=True, check=False,
            env=os.environ,
        )  # fmt: skip
        assert done.returncode != 0, link
        assert "how-to/broken.md" in done.stdout + done.stderr
