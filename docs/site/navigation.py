"""The site's navigation: what README lists, in its order and by its names."""

import re
from pathlib import Path

from docs.site.pages import place

Entry = dict[str, "str | list[Entry]"]
_KIND = re.compile(
    r"^\*\*(Tutorial|How to|Reference|Explanation)(?: (.+))?\*\*\n\n((?:- .*\n(?:  .*\n)*)+)", re.MULTILINE
)
_ITEM = re.compile(r"^- \[([^\]]+)\]\(([^)#]+)\)", re.MULTILINE)
_DECISION = re.compile(r"^\| (\d+) \| \[([^\]]+)\]\(([^)]+)\)", re.MULTILINE)


def navigation(root: Path, taken: list[str]) -> list[Entry]:
    """The tree of pages.

    Args:
        root: the repository.
        taken: all that the site shows, as paths from `root`.

    Returns:
        Titles and pages, nested, as MkDocs' `nav` wants them.
    """
    kinds: dict[str, list[Entry]] = {}
    for kind, aim, items in _KIND.findall((root / "README.md").read_text()):
        pages: list[Entry] = [{title: place(path)} for title, path in _ITEM.findall(items)]
        kinds.setdefault(kind, []).extend([{aim.capitalize(): pages}] if aim else pages)
    sections: list[Entry] = [{kind: pages} for kind, pages in kinds.items()]
    decisions: list[Entry] = [
        {f"{number}. {title}": f"decisions/{page}"}
        for number, title, page in _DECISION.findall((root / "docs/decisions/README.md").read_text())
    ]
    listed = str([kinds, decisions])
    others: list[Entry] = [
        {path: place(path)}
        for path in sorted(taken)
        if f"'{place(path)}'" not in listed and path not in ("README.md", "docs/README.md", "docs/decisions/README.md")
    ]
    return [
        {"Start": [{"Boxwood": "index.md"}, {"What do you want to do?": "guide.md"}]},
        *sections,
        {"Decisions": [{"Decisions": "decisions/index.md"}, *decisions]},
        {"Project": others},
    ]
