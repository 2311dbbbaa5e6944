"""Which bundle scores."""

from pathlib import Path

import pytest

from scoring import models
from validation.errors import StoreError


@pytest.mark.parametrize("named", ["fares", "fares:1", "there/is/none"])
def test_what_is_not_there_is_said_with_the_store_where_it_was_looked_for(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    with pytest.raises(StoreError, match=f"nor in the store at {tmp_path}/models. Name"):
        models.find(named)
