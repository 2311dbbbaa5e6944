"""What a person may do about a finding."""

from collections.abc import Mapping

from monitoring.verdict import Finding, Kind

_OF: Mapping[Kind, str] = {
    "distribution": "Ask where the rows come from now. If this mix stays, the next training learns from it.",
    "shift": "Look whether unit or source of this column changed. If it is real and stays, train on newer rows.",
    "missing": "Look who stopped to send this column; answers do without it meanwhile.",
    "new_names": "Look whether these are misspelt. If they are real, train once rows with true values have them: until "
    "then they are answered as missing.",
    "cardinality": "Look whether names are spelt in several ways, or an identifier is sent in this column.",
    "out_of_range": "Look whether the unit changed. Trees answer such rows like the nearest that they know: train on "
    "rows that have these values.",
    "stuck": "Look at the source of this column: a sensor sticks, or a default is sent for what is not known.",
    "predictions": "Look at the columns that changed: the answers follow them.",
    "multivariate": "Look at the columns that are named, together: each by itself may be as before.",
    "estimate": "Look at the columns that left what training knew, and bring true values for these rows.",
    "performance": "Retrain: python -m monitoring retrain MODEL. If a column changed on the same day, look at it "
    "first.",
    "bias": "Retrain: python -m monitoring retrain MODEL. Look also whether true values and answers are of the same "
    "unit and the same thing.",
    "coverage": "Do not lean on intervals or sets until a retraining has measured them again.",
}


def of(model: str, finding: Finding) -> str:
    """A sentence or two."""
    return _OF[finding.kind].replace("MODEL", model)
