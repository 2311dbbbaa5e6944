"""Which problems have a table here: the list at the top of params.yaml, which DVC has stages by."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from problems.parameters import DEFAULTS, PARAMS
from training.workspace import Workspace, atomic_file, say
from validation.errors import SettingsError


def add(workspace: Workspace) -> None:
    """Let params.yaml list a problem, with an entry for each section; raises SettingsError if it cannot."""
    editor, document = _opened(workspace)
    problem, listed = workspace.problem, document.setdefault("problems", [])
    entry = document.get(problem) or {}
    lacking = [section for section in document.get(DEFAULTS) or {} if section not in entry]
    if problem in listed and not lacking:
        return
    if not entry:
        entry = document[problem] = CommentedMap()
        entry.fa.set_flow_style()
        document.yaml_set_comment_before_after_key(problem, before="\n")
    entry.update({section: CommentedMap() for section in lacking})
    if problem not in listed:
        listed.append(problem)
        say("source", f"{PARAMS} lists '{problem}' among the problems from now on")
    with atomic_file(PARAMS) as temporary:
        editor.dump(document, temporary)


def demand_possible(workspace: Workspace) -> None:
    """Raise SettingsError if params.yaml could not list a problem, before anything is kept of it."""
    _opened(workspace)


def _opened(workspace: Workspace) -> tuple[YAML, Any]:
    """params.yaml with its comments, and what writes it again; raises SettingsError if it is none."""
    workspace.document()
    editor = YAML()
    editor.preserve_quotes, editor.width = True, 4_096
    try:
        document = editor.load(PARAMS)
    except YAMLError as error:  # of names that stand there twice, of which PyYAML takes the last
        raise SettingsError(f"{PARAMS} cannot be read: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(document.get("problems", []), list):
        raise SettingsError(f"{PARAMS}: 'problems' must be a list of names.")
    return editor, document
