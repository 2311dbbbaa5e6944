"""Values as Python's source has them, quoted as ruff format would."""


def literal(value: object) -> str:
    """The source of a text, a number, a truth value, None, or a tuple of these."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if not isinstance(value, str):
        return repr(value)
    shown = repr(value)
    if shown[0] == '"' or value.count('"') > value.count("'"):
        return shown
    return '"' + shown[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
