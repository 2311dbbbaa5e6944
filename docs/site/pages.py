"""What the site shows: the pages of docs/, and each file of the repository that one of them leads to."""

import posixpath
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from docs.site.pictures import inline

PLACES = {
    "README.md": "index.md",
    "DEPLOYING.md": "how-to/cloud-run.md",
    "docs/README.md": "guide.md",
    "docs/decisions/README.md": "decisions/index.md",
}
"""Pages that the site has under another name."""
UNSEARCHED = ("CHANGELOG.md", "benchmarks/results.md")
"""Pages whose words would hide those of the documentation from a search; files that are no pages would too."""
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".sh": "sh", ".toml": "toml", ".json": "json"}
_FENCED = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
_UNSEARCHED = "---\nsearch: {exclude: true}\n---\n"
_PICTURE = re.compile(r"^!\[([^\]]+)\]\((\S+\.svg)\)$", re.MULTILINE)


def place(path: str) -> str:
    """Where the site has a file, from its source folder on; `path` starts from the repository's root."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return (
        f"project/{path}" if path.endswith(".md") else f"files/{path.lstrip('.')}.md"
    )  # folders with a dot are left out


def prose(text: str, change: Callable[[str], str]) -> str:
    """A Markdown text whose parts outside of code blocks were changed."""
    parts = _FENCED.split(text)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))


def gather(root: Path, source: Path) -> list[str]:
    """Write all that the site is made of.

    Args:
        root: the repository.
        source: a folder, which is made anew.

    Returns:
        What was taken, as paths from `root`.

    Raises:
        SystemExit: a link of a page leads to nothing.
    """
    shutil.rmtree(source, ignore_errors=True)
    waiting = ["README.md", *(str(path.relative_to(root)) for path in sorted((root / "docs").rglob("*.md")))]
    taken: list[str] = []
    while waiting:
        path = waiting.pop(0)
        if path not in taken:
            taken.append(path)
            waiting += _take(root, source, path)
    shutil.copytree(root / "docs/img", source / "img", dirs_exist_ok=True)
    (source / "assets").mkdir()
    for name in ("boxwood.css", "worker.js"):
        shutil.copy(Path(__file__).parent / name, source / "assets")
    return taken


def _take(root: Path, source: Path, path: str) -> list[str]:
    """Bring a file into the site's source; returns the files that it leads to."""
    page = source / place(path)
    page.parent.mkdir(parents=True, exist_ok=True)
    text = (root / path).read_text()
    if not path.endswith(".md"):
        code = f"```` {LANGUAGES.get(Path(path).suffix, 'text')}\n{text.rstrip()}\n````"
        page.write_text(f"{_UNSEARCHED}# {path}\n\n{code}\n")
        return []
    found: list[str] = []

    def lead(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
        if not (root / target).is_file():
            sys.exit(f"docs: {path}: {match[1]} leads to nothing")  # Zensical looks at links between pages only
        if target.startswith("docs/img/"):
            return posixpath.relpath(place(target), posixpath.dirname(place(path)) or ".")
        found.append(target)
        return posixpath.relpath(place(target), posixpath.dirname(place(path)) or ".")

    def draw(match: re.Match[str]) -> str:
        return inline((root / path).parent / match[2], match[1])

    head = _UNSEARCHED if path in UNSEARCHED else ""
    page.write_text(head + prose(text, lambda part: _LINK.sub(lead, _PICTURE.sub(draw, part))))
    return found
