"""Operations over HTTP, from the OpenAPI document of a service of the default problem."""

from collections.abc import Iterator
from typing import Any

from docs.rendering.docstrings import table

_HEAD = """# Operations over HTTP

All paths of a service with the model `flights`, as its OpenAPI document (`GET /docs.json`) has them; that has the
schemas too. [Routes](routes.md) says which protocol is for whom.
"""


def page(document: dict[str, Any]) -> str:
    """The whole page, of an OpenAPI document."""
    heads = ("operation", "meaning", "parameters", "answers")
    return f"{_HEAD}\n{table(heads, _rows(document))}"


def _rows(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            parameters = [f"`{one['name']}`" for one in operation.get("parameters", ())]
            statuses = ", ".join(sorted(operation["responses"], key=str))
            yield f"`{method.upper()} {path}`", operation["summary"], ", ".join(parameters), statuses
