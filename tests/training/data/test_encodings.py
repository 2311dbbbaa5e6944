"""Text files that do not say their encoding: the letters of each language come back from its usual code pages."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.test_formats import here, problem  # noqa: F401 a fixture that each uses
from training.data import ingest
from training.draft import draft
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError

CONTRACT = Contract(
    (
        Column(name="city", kind=Kind.CATEGORY),
        Column(name="cost", kind=Kind.CATEGORY),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET),
    )
)
WORDS = {
    "German": "München,Köln,Düsseldorf,Straße,Größe,Übung,Ärger,Österreich,schön,Mädchen,GRÜN,Café",
    "French": "Genève,café,été,à la carte,ça,Orléans,Besançon,Nîmes,cœur,L’Haÿ,Évry,Sète,août,créée",
    "Spanish": "señor,Málaga,Cádiz,León,Jaén,Ávila,¿cuánto?,pingüino,niño,España,AÑO",
    "Turkish": "İstanbul,Şişli,Kadıköy,Beşiktaş,Iğdır,Çankırı,Muğla,Ağrı,Üsküdar,DİYARBAKIR",
    "Polish": "Kraków,Gdańsk,Poznań,Częstochowa,Białystok,Rzeszów,Żywiec,Świdnica",
    "Russian": "Санкт-Петербург,Нижний Новгород,улица Ленина,Екатеринбург,Ростов-на-Дону,площадь",
    "Greek": "Αθήνα,Θεσσαλονίκη,Ηράκλειο,Λάρισα",
    "Hebrew": "ירושלים,חיפה,תל אביב,באר שבע",
}
AMBIGUOUS = {"Polish": ["Łódź", "Wrocław"], "Greek": WORDS["Greek"].split(","), "Hebrew": WORDS["Hebrew"].split(",")}
"""What each table of a language has: Gdańsk alone may be Gdañsk, and short words of another script may be Chinese."""
USUAL = {"Turkish": "cp1254", "Polish": "cp1250", "Russian": "cp1251", "Greek": "cp1253", "Hebrew": "cp1255"}


def lines(names: list[str], price: str) -> str:
    return "".join(["city;cost;price\r\n", *(f'"{name}";{price};1.5\r\n' for name in names)])


def table(language: str, names: list[str], price: str, times: int = 1) -> list[str]:
    """Write a table in a language's usual code page; returns the cells of its first column."""
    cells = (names + AMBIGUOUS.get(language, [])) * times
    Path("table.csv").write_bytes(lines(cells, price).encode(USUAL.get(language, "cp1252")))
    return cells


@pytest.mark.parametrize("language", WORDS)
def test_words_and_prices_come_back_from_the_code_page_of_their_language(language: str) -> None:
    @given(
        st.lists(st.sampled_from(WORDS[language].split(",")), min_size=1, max_size=8),
        st.sampled_from(["1.299,00 €", "1\xa0299,00", "5 €"]),
    )
    def read_as_they_were(names: list[str], price: str) -> None:
        cells = table(language, names, price)
        found = ingest.read(Path("table.csv"), CONTRACT)
        assert found["city"].tolist() == cells
        assert set(found["cost"]) == {price.replace("\xa0", " ")}  # as cells of every encoding are read

    read_as_they_were()


@pytest.mark.parametrize("language", WORDS)
def test_a_large_table_comes_back_too(language: str) -> None:
    cells = table(language, WORDS[language].split(","), "1.299,00 €", 3_000)
    found = ingest.read(Path("table.csv"), CONTRACT)
    assert found["city"].tolist() == cells
    assert set(found["cost"]) == {"1.299,00 €"}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *(("German", each) for each in ("cp850", "mac_roman")),
        ("Polish", "iso8859_2"),
        ("Russian", "koi8_r"),
        ("Russian", "cp866"),
    ],
)
def test_older_code_pages_are_known_by_words_that_no_other_has(language: str, encoding: str) -> None:
    names = [*WORDS[language].split(","), *AMBIGUOUS.get(language, [])]
    Path("table.csv").write_bytes(lines(names, "12,00").encode(encoding))
    assert ingest.read(Path("table.csv"), CONTRACT)["city"].tolist() == names


def test_a_price_is_in_euros_if_it_is_the_only_thing_that_is_not_ascii() -> None:
    Path("table.csv").write_bytes(lines(["a", "b"], "1.299,00 €").encode("cp1252"))
    assert set(ingest.read(Path("table.csv"), CONTRACT)["cost"]) == {"1.299,00 €"}
    Path("table.csv").write_bytes(lines(["a", "b"], "1.299,00 €").encode("iso8859_15"))
    assert set(ingest.read(Path("table.csv"), CONTRACT)["cost"]) == {"1.299,00 €"}


TOLD = "table.csv is read as cp1252, a guess: 'München', '12,00 €'; if these look wrong, save the file as UTF-8"


def test_a_guess_is_told_first_with_what_shows_whether_it_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_bytes(lines(["München"], "12,00 €").encode("cp1252"))
    ingest.read(Path("table.csv"), CONTRACT)
    assert TOLD in capsys.readouterr().out.splitlines()[0]
    with pytest.raises(TableError):
        ingest.read(Path("table.csv"), problem(Column(name="street", kind=Kind.CATEGORY)).contract)
    assert TOLD in capsys.readouterr().out


def test_a_draft_tells_the_guess_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (f"{'München' if row % 2 else 'Bonn'};12,00 €;{row}.5\n" for row in range(60))
    text = "".join(["city;cost;price\n", *rows])
    Path("table.csv").write_bytes(text.encode("cp1252"))
    draft.read(Path("table.csv"), "price", "table")
    assert TOLD in capsys.readouterr().out.splitlines()[0]
