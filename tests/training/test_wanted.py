"""What PROBLEM may name, and what is said of mistakes in it."""

import pytest

from training import wanted
from validation.errors import BoxwoodError


@pytest.mark.parametrize(
    "text", ["flights", "flights,churn", "flights@champion,flights@challenger", "flights@3,churn,flights"]
)
def test_names_and_versions_are_read_in_their_order(text: str) -> None:
    assert ",".join(map(str, wanted.read(text))) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flights, churn", "PROBLEM='flights, churn' has blanks; write it without: PROBLEM=flights,churn."),
        ("fares", "There is no problem 'fares' in problems/. There are: california, churn, flights"),
        ("flights:3", "There is no problem 'flights:3' in problems/. There are: california, churn, flights"),
        (
            "flights,",
            "PROBLEM=flights, has an empty name. Write names with commas between them: california, churn, flights",
        ),
        ("@champion", "PROBLEM=@champion has '@champion', which names no problem."),
        ("flights@", "PROBLEM=flights@ names no version after 'flights@': write flights for what training leaves"),
        ("churn,flights,churn", "PROBLEM=churn,flights,churn names churn twice; name it once."),
        ("flights@2,flights@2", "PROBLEM=flights@2,flights@2 names flights@2 twice; name it once."),
    ],
)
def test_mistakes_are_sentences(text: str, sentence: str) -> None:
    with pytest.raises(BoxwoodError) as caught:
        wanted.read(text)
    assert str(caught.value).startswith(sentence)
