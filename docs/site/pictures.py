"""Pictures of lines and words stand in the page itself, so that they take its colours and its fonts."""

import html
import re
from pathlib import Path


def inline(picture: Path, text: str) -> str:
    """The Markdown of an SVG file's picture, without the file's own style, which is for readers elsewhere.

    Args:
        picture: the file; its first line is `<svg …>` and has neither a role nor a label.
        text: what it shows, for those who do not see it.
    """
    drawn = picture.read_text().strip().replace("<svg ", f'<svg role="img" aria-label="{html.escape(text)}" ', 1)
    lines = re.sub(r"<style>.*?</style>", "", drawn, flags=re.DOTALL).splitlines()
    return f'<div class="picture" tabindex="0">{"".join(lines)}</div>'  # in one line: Markdown must not look into it
