"""The source code that a function runs, as far as it is this project's: what a bundle was made with, as a hash.

Nothing is executed and nothing is guessed: a name is followed to every statement that may have given it its value, in
whichever of the project's modules. What cannot be followed is refused.
"""

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from validation.errors import ContractError

_PROJECT = Path(__file__).parent.parent
_DYNAMIC = {"eval", "exec", "globals", "locals", "vars", "setattr", "delattr", "__import__", "import_module"}


def hash_of(*functions: Callable[..., Any]) -> str:
    """sha256 of the syntax trees of functions and of everything of this project that they reach by name.

    Comments, docstrings, layout and what the functions do not reach (a contract's texts, say) leave it unchanged; so
    does the version of Python, whose own `ast.dump` does not promise that. Installed packages and `validation` are not
    looked into: that they still compute the same is what golden rows prove.

    Raises:
        ContractError: a function is no plain one, or something that it reaches cannot be followed by reading; the
            message names the file and the line.
    """
    reached: dict[tuple[str, str], str] = {}
    read: dict[str, _Module] = {}
    waiting = [_home(function) for function in functions]
    while waiting:
        place = waiting.pop()
        if place in reached:
            continue
        name, variable = place
        if name not in read:
            read[name] = _Module.read(sys.modules[name])
        trees, more = read[name].reach(variable)
        reached[place] = "\n".join(f"{variable}: {tree}" for tree in trees)
        waiting += more
    return hashlib.sha256("\n".join(sorted({*reached.values()} - {""})).encode()).hexdigest()


def _home(function: Callable[..., Any]) -> tuple[str, str]:
    """The module and the name of a function that is defined at the top of its module."""
    module, name = str(getattr(function, "__module__", None)), str(getattr(function, "__name__", function))
    if getattr(sys.modules.get(module), name, None) is not function:
        raise ContractError(
            f"{name} in {module} is a lambda, a partial or made by another function: its source cannot be compared. "
            "Define fit and features with def at the top of a module."
        )
    return module, name


@dataclass(frozen=True)
class _Module:
    """A module's syntax: which statements give each name its value, and which names come from where."""

    module: ModuleType
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    """What a name was imported as: a module, and a name in it unless it is the module itself."""
    changed: dict[str, int] = field(default_factory=dict)
    """Names that a function changes by `global`, and the line."""

    @classmethod
    def read(cls, module: ModuleType) -> "_Module":
        try:
            tree = ast.parse(inspect.getsource(module))
        except (OSError, TypeError) as error:
            raise ContractError(f"The source of {module.__name__}, which features need, cannot be read.") from error
        found = cls(module)
        for statement in tree.body:
            for name in _given(statement):
                found.statements.setdefault(name, []).append(statement)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found._import(node)
            elif isinstance(node, ast.Global):
                found.changed.update(dict.fromkeys(node.names, node.lineno))
        return found

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                # `import a.b` gives `a`; `import a.b as c` gives `a.b`
                origin = alias.name if alias.asname else alias.name.split(".")[0]
                self.imports.setdefault(alias.asname or origin, []).append((origin, None))
                continue
            package = self.module.__package__ or ""
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join(filter(None, [*parents, node.module]))
            if alias.name == "*" and _ours(origin):
                raise self._refused(node.lineno, f"imports * from {origin}; name what is needed")
            self.imports.setdefault(alias.asname or alias.name, []).append((origin, alias.name))

    def reach(self, name: str) -> tuple[list[str], list[tuple[str, str]]]:
        """The trees of what gives a name its value, and the places of everything that these mention.

        A module that is mentioned without one of its names (`getattr(module, …)`) has no name to follow: it is refused.
        """
        if name in self.changed:
            raise self._refused(self.changed[name], f"changes {name!r} within a function (`global`)")
        trees, places = [], []
        for origin, original in self.imports.get(name, []):
            trees.append(f"import {original or origin}" if _ours(origin) else f"import {origin} {original}")
            if original is not None and _ours(origin) and not _is_module(origin, original):
                places.append((origin, original))
        for statement in self.statements.get(name, []):
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                trees.append(str(_tree(statement)))
                places += self._mentioned(statement)
        return trees, places

    def _mentioned(self, statement: ast.stmt) -> Iterator[tuple[str, str]]:
        inner = {id(node.value) for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
        for node in ast.walk(statement):
            if id(node) in inner or not isinstance(node, ast.Name | ast.Attribute):
                continue
            names = _chain(node)
            if names and names[-1] in _DYNAMIC:
                raise self._refused(node.lineno, f"uses {names[-1]}, which can reach any name")
            if names:
                yield self.module.__name__, names[0]
                yield from self._through(names, node.lineno)

    def _through(self, names: list[str], line: int) -> Iterator[tuple[str, str]]:
        """The place of `CONSTANT` in `module.CONSTANT` or `package.module.CONSTANT`, if the module is ours."""
        for origin, original in self.imports.get(names[0], []):
            if original is not None and not _is_module(origin, original):
                continue
            place = origin if original is None else f"{origin}.{original}"
            rest = names[1:]
            while rest and _is_module(place, rest[0]):
                place, rest = f"{place}.{rest[0]}", rest[1:]
            if not _ours(place):
                continue
            if not rest:
                raise self._refused(line, f"uses the module {place} as a whole; name what is needed of it")
            yield place, rest[0]

    def _refused(self, line: int, what: str) -> ContractError:
        return ContractError(
            f"{self.module.__file__}, line {line}, {what}. What `fit` and `features` compute must be told by reading "
            "them: a bundle has to know whether this is the code that it was made with."
        )


def _ours(module: str) -> bool:
    """Whether a module is a problem's: in this project, and neither an installed package nor `validation`."""
    file = getattr(sys.modules.get(module), "__file__", None)
    path = Path(file) if file else Path()
    installed = "site-packages" in path.parts
    return path.is_relative_to(_PROJECT) and not installed and module.split(".", maxsplit=1)[0] != "validation"


def _is_module(package: str, name: str) -> bool:
    return f"{package}.{name}" in sys.modules and isinstance(getattr(sys.modules[package], name, None), ModuleType)


def _given(statement: ast.stmt) -> set[str]:
    """The names of a module to whose value a statement at its top contributes.

    A plain assignment gives the names on its left. All else (`+=`, `table[key] = …`, `names.append(…)`, `if`, `try`,
    loops) may change what it mentions.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if _is_text(statement):
        return set()
    parts: Sequence[ast.AST] = [statement]
    if isinstance(statement, ast.Assign):
        parts = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        parts = [statement.target]
    mentioned = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    inside = {node.name for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return mentioned | inside


def _chain(node: ast.expr) -> list[str]:
    """`a.b.c` as its three names; nothing for what does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names, node = [node.attr, *names], node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def _tree(node: Any) -> Any:
    """A syntax tree as nested lists, without docstrings and positions."""
    if isinstance(node, list):
        return [_tree(item) for item in node if not _is_text(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *([name, _tree(value)] for name, value in fields)]


def _is_text(node: Any) -> bool:
    """Whether a statement is a bare text, which computes nothing: a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
