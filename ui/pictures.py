"""The pictures of a model card, which has them in itself."""

import re
from html.parser import HTMLParser
from typing import NamedTuple

_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+=*")


class Picture(NamedTuple):
    """A picture as a URL that has it in itself, and what is to be seen."""

    source: str
    text: str


def of_card(page: str) -> list[Picture]:
    """The pictures of a card as HTML, in their order; whatever else is in it is left out."""
    reader = _Reader()
    reader.feed(page)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Picture] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        source = said.get("src") or ""
        if tag == "img" and _PNG.fullmatch(source):
            self.found.append(Picture(source, said.get("alt") or ""))
