"""Markdown as a self-contained HTML page."""

import html

from markdown_it import MarkdownIt

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: light-dark(#d5d9de, #3d434b); --soft: light-dark(#f4f6f8, #22262b) }}
body {{ max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.55 system-ui, sans-serif;
  color: light-dark(#1c2024, #e4e7ea); background: light-dark(#fff, #16191d) }}
h1, h2 {{ line-height: 1.2 }}
h2 {{ margin-top: 2.2rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line) }}
table {{ display: block; overflow-x: auto; border-collapse: collapse; font-size: .875rem }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  white-space: nowrap }}
td:last-child {{ min-width: 12rem; white-space: normal }}
td[style]:last-child {{ min-width: 0; white-space: nowrap }}
th {{ background: var(--soft) }}
code {{ padding: .1rem .3rem; border-radius: .25rem; background: var(--soft); overflow-wrap: anywhere }}
blockquote {{ margin: 1rem 0; padding: .1rem 1rem; border-left: .3rem solid #d9822b; background: var(--soft) }}
td code {{ overflow-wrap: normal }}
img {{ max-width: 100%; padding: .5rem; border-radius: .4rem; background: #fff }}
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
    return _PAGE.format(title=html.escape(title), body=renderer.render(markdown))
