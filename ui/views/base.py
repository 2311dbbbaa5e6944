"""The templates, and what every part of the page shows: headings, hints, problems."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ui import classes, texts
from ui.described import Model

_CODE = re.compile("`([^`]+)`")
"""What a sentence of the service has as a command or a name."""
_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("ui"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "number": texts.number,
    "after": texts.after,
    "code": lambda sentence: Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence)))),  # noqa: S704 it is escaped
    "percent": texts.percent,
    "titled": texts.titled,
    "holds": texts.of_column,
    "place": lambda share: f"{100 * share:.2f}%",
}
_templates.globals |= {"shares": classes.shares, "set_in_words": classes.set_in_words}


def filled(template: str, **values: Any) -> str:
    """A template with its values."""
    return _templates.get_template(f"{template}.html.jinja").render(values)


def login(problem: str) -> str:
    """A whole page that asks for a name and a password, with the reason why the last ones were not taken."""
    return filled("login", problem=problem)


def first() -> str:
    """What is shown until the scripts of the page have come."""
    return filled("first")


def reads() -> str:
    """That a tab is of the form's row, which may have changed since it was asked."""
    return filled("reads")


def log_out() -> str:
    """A button that ends a session."""
    return filled("log_out")


def heading(model: Model) -> str:
    """The heading of the page."""
    return filled("heading", model=model)


def problem(sentence: str, errors: Iterable[Mapping[str, Any]] = (), model: Model | None = None) -> str:
    """The reason why there is no answer; `errors` are those of the model's service that no field shows."""
    return filled("problem", sentence=sentence, errors=list(errors), model=model)


def hint(sentence: str) -> str:
    """A hint what to do next."""
    return filled("hint", sentence=sentence)
