"""Istanbul: is a flat for sale among the cheap ones, the dear ones or between?

The table has what one site listed in February 2022. Its names stay Turkish, as callers have them.
"""

from problems.base import Problem, State
from problems.features import cross, ratio
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.decode import Columns
from validation.parsing import decimal_point

_SIDES = ("Anadolu Yakası", "Avrupa Yakası")
_AGES = ("0 (Yeni)", "1", "2", "3", "4", "5-10", "11-15", "16-20", "21 Ve Üzeri")
_HEATINGS = ("Doğalgaz", "Isıtma Yok", "Klimalı", "Sobalı", "Yerden Isıtma")
_USES = ("Boş", "Kiracı Oturuyor", "Mülk Sahibi Oturuyor")
_CREDITS = ("Bilinmiyor", "KREDIYE UYGUN", "Krediye Uygun Değil")
_BATHROOMS = {"Yok": 0, "Var": None, "6+": 6}  # none, some, six or more


def _rooms(text: str) -> float:
    """'3+1' is three rooms and a living room, 'Stüdyo' one room, and '8+ Oda' eight or more."""
    return 1.0 if text == "Stüdyo" else sum(map(float, text.removesuffix(" Oda").rstrip("+").split("+")))


def _bathrooms(text: str) -> int | None:
    return _BATHROOMS[text] if text in _BATHROOMS else int(text)


def _has(text: str) -> bool:
    return bool(("Yok", "Var").index(text))


def _name(name: str, source: str, text: str, example: str) -> Column:
    """A category of which no table has every name."""
    return Column(name=name, kind=Kind.CATEGORY, source=source, help=text, unseen=Unseen.WARN, example=example)


def _choice(name: str, source: str, text: str, choices: tuple[str, ...], example: str) -> Column:
    return Column(name=name, kind=Kind.CATEGORY, source=source, help=text, choices=choices, example=example)


def _area(name: str, source: str, text: str, example: float) -> Column:
    return Column(name=name, kind=Kind.REAL, source=source, help=text, unit="m²", ge=1.0, example=example)


CONTRACT = Contract(
    (
        Column(name="listing", kind=Kind.INTEGER, role=Role.KEY, source="İlan_Numarası", help="Listing", nullable=True),
        _name("district", "İlçe", "District", "Kadıköy"),
        _name("neighbourhood", "Mahalle", "Part of the district", "Göztepe Mahallesi"),
        _choice("side", "yaka", "Side of the Bosporus", _SIDES, "Anadolu Yakası"),
        Column(
            name="life_index",
            kind=Kind.REAL,
            source="Yaşam_endeksi",
            help="How well one lives in the district, as the site says",
            nullable=True,
            example=0.886,
        ),
        Column(
            name="population",
            kind=Kind.REAL,
            source="Nüfus",
            parse=decimal_point,  # 605.3 stands beside 485.233
            help="People in the district",
            unit="thousand",
            ge=0.0,
            nullable=True,
            example=485.233,
        ),
        _area("gross_area", "Brüt_Metrekare", "Area with walls and a share of the stairs", 110.0),
        _area("net_area", "Net_Metrekare", "Area within the walls", 95.0),
        Column(
            name="rooms", kind=Kind.REAL, source="Oda_Sayısı", parse=_rooms, help="Rooms in all", ge=1.0, example=4.0
        ),
        Column(
            name="bathrooms",
            kind=Kind.INTEGER,
            source="Banyo_Sayısı",
            parse=_bathrooms,
            help="Bathrooms",
            ge=0,
            le=10,  # some rows of the site are shifted by a cell: theirs are texts, or monthly charges
            nullable=True,
            example=1,
        ),
        _choice("age", "Binanın_Yaşı", "Years of the building", _AGES, "5-10"),
        Column(name="floors", kind=Kind.INTEGER, source="Binanın_Kat_Sayısı", help="Floors", ge=1, example=5),
        _name("floor", "Bulunduğu_Kat", "Which floor it is on", "2. Kat"),
        _choice("heating", "Isıtma_Tipi", "Heating", _HEATINGS, "Doğalgaz"),
        Column(name="furnished", kind=Kind.FLAG, source="Eşya_Durumu", parse=_has, help="Furnished", example=False),
        _choice("use", "Kullanım_Durumu", "Who lives there now", _USES, "Boş"),
        _choice("credit", "Krediye_Uygunluk", "Whether banks lend on it", _CREDITS, "KREDIYE UYGUN"),
        Column(
            name="price_class",
            kind=Kind.REAL,
            role=Role.TARGET,
            source="Fiyatı",
            help="What is asked for it",
            unit="TRY",
            ge=1.0,
            bins=Bins(labels=("low", "middle", "high"), quantiles=(0.4, 0.8)),
        ),
    )
)


def features(columns: Columns, state: State) -> Columns:
    """The columns, what a district has of heatings and floors, and how the area is shared out."""
    crosses = {**cross(columns, "district", "heating"), **cross(columns, "district", "floor")}
    return {**columns, **crosses, **ratio(columns, "net_area", "gross_area"), **ratio(columns, "net_area", "rooms")}


PROBLEM = Problem(name="istanbul", title="Price class of a flat in Istanbul", contract=CONTRACT, features=features)
