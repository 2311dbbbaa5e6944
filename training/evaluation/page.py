"""Markdown as a self-contained HTML page."""

import html
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: light-dark(#d5d9de, #3d434b); --soft: light-dark(#f4f6f8, #22262b);
  --paper: light-dark(#fff, #16191d); --shade: light-dark(#0004, #fff5) }}
body {{ max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.55 system-ui, sans-serif;
  color: light-dark(#1c2024, #e4e7ea); background: var(--paper); overflow-wrap: break-word }}
h1, h2 {{ line-height: 1.2 }}
h2 {{ margin-top: 2.2rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line) }}
/* a shadow at an end says that there is more; paper that scrolls along covers it where there is not */
.wide {{ overflow-x: auto; background:
  linear-gradient(to right, var(--paper) 40%, transparent) left / 2.5rem 100% local no-repeat,
  linear-gradient(to left, var(--paper) 40%, transparent) right / 2.5rem 100% local no-repeat,
  linear-gradient(to right, var(--shade), transparent) left / .9rem 100% no-repeat,
  linear-gradient(to left, var(--shade), transparent) right / .9rem 100% no-repeat }}
.wide:focus-visible {{ outline: .15rem solid #2f7fd6; outline-offset: .1rem }}
table {{ border-collapse: collapse; font-size: .875rem }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  white-space: nowrap }}
td:last-child {{ min-width: 12rem; white-space: normal }}
td[style]:last-child {{ min-width: 0; white-space: nowrap }}
th {{ background: color-mix(in srgb, var(--line) 35%, transparent) }}
code {{ padding: .1rem .3rem; border-radius: .25rem; background: var(--soft); overflow-wrap: anywhere }}
blockquote {{ margin: 1rem 0; padding: .1rem 1rem; border-left: .3rem solid #d9822b; background: var(--soft) }}
td code {{ overflow-wrap: normal }}
img {{ max-width: 100%; padding: .5rem; border-radius: .4rem; background: #fff }}
@page {{ margin: 15mm }}
@media print {{
  :root {{ color-scheme: light }}
  body {{ max-width: none; margin: 0; padding: 0; font-size: .85rem }}
  .wide {{ overflow: visible; background: none }}
  table {{ font-size: .7rem }}
  thead {{ display: table-header-group }}
  th, td, td[style]:last-child {{ padding: .2rem .4rem; white-space: normal }}
  td:last-child {{ min-width: 0 }}
  td code {{ padding: 0; overflow-wrap: anywhere; background: none }}
  tr, img, blockquote {{ break-inside: avoid }}
  img {{ max-height: 20cm; padding: 0 }}
  h1, h2, p:has(+ .wide, + p > img) {{ break-after: avoid }}
}}
</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def rendered(title: str, markdown: str) -> str:
    """A whole page. What looks like a tag in a value stays text, so the Markdown can have no HTML of its own."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("table_open", _table_open)
    renderer.add_render_rule("table_close", _table_close)
    return _PAGE.format(title=html.escape(title), body=renderer.render(markdown))


def _table_open(_: Any, tokens: Sequence[Token], place: int, *_more: Any) -> str:
    """A table that scrolls where the screen is narrower, called after its heading and numbered from the second on."""
    title, number = "Table", 1
    for at, token in enumerate(tokens[:place]):
        if token.type == "heading_open":
            title, number = tokens[at + 1].content, 1
        number += token.type == "table_open"
    label = html.escape(title if number == 1 else f"{title}, table {number}")
    return f'<div class="wide" tabindex="0" role="region" aria-label="{label}">\n<table>\n'


def _table_close(*_: Any) -> str:
    return "</table>\n</div>\n"
