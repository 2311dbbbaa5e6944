"""A simulated fare market: the same columns as the published table, a structure like a real one, no real person's trip.

Cities lie where they lie, distances follow from them, airlines fly at a common speed, agencies charge their own
margins, and fares move with season, weekday, how the year's prices rise, and chance.
"""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd

_CITIES = {
    "Aracaju (SE)": (-10.91, -37.07),
    "Brasilia (DF)": (-15.79, -47.88),
    "Campo Grande (MS)": (-20.44, -54.65),
    "Florianopolis (SC)": (-27.60, -48.55),
    "Natal (RN)": (-5.79, -35.21),
    "Recife (PE)": (-8.05, -34.88),
    "Rio de Janeiro (RJ)": (-22.91, -43.17),
    "Salvador (BH)": (-12.97, -38.50),
    "Sao Paulo (SP)": (-23.55, -46.63),
}
_CABINS = {"economic": 1.0, "premium": 1.45, "firstClass": 2.1}
_AGENCIES = {"CloudFy": 0.97, "Rainbow": 1.0, "FlyingDrops": 1.08}
_FIRST_DAY = datetime.date(2019, 9, 26)
_DAYS = 1_397
_EARTH_KM = 6_371.0
_CRUISE_KMH = 385.0
_WEEKDAYS = np.array([1.02, 0.95, 0.94, 0.98, 1.08, 1.0, 1.05])
_NOISE = 0.04


def simulate(path: Path, rows: int, seed: int) -> None:
    """Write a raw table of `rows` fares, in order of date, with the headers and formats of the published one.

    Args:
        path: where to write the CSV.
        rows: how many fares; each trip is two, out and home.
        seed: the same seed and size give the same file.
    """
    random = np.random.default_rng(seed)
    trips = (rows + 1) // 2
    flights = _flights(random, random.integers(0, _DAYS - 8, trips))
    table = flights.sort_values(["day", "travelCode"], kind="stable").head(rows)
    dates = np.datetime64(_FIRST_DAY, "D") + table.pop("day").to_numpy()
    table["date"] = pd.Series(dates, index=table.index).dt.strftime("%m/%d/%Y")
    table.to_csv(path, index=False)


def _flights(random: np.random.Generator, days: np.ndarray) -> pd.DataFrame:
    trips = len(days)
    origin = random.integers(0, len(_CITIES), trips)
    destination = (origin + random.integers(1, len(_CITIES), trips)) % len(_CITIES)
    agency = random.choice(list(_AGENCIES), trips, p=[0.43, 0.43, 0.14])
    cabin = random.choice(list(_CABINS), trips, p=[0.4, 0.3, 0.3])
    cabin = np.where(agency == "FlyingDrops", "firstClass", cabin)  # that agency sells nothing else
    stay = random.integers(1, 8, trips)
    legs = [
        _leg(random, np.arange(trips), origin, destination, cabin, agency, days),
        _leg(random, np.arange(trips), destination, origin, cabin, agency, days + stay),
    ]
    return pd.concat(legs, ignore_index=True)


def _leg(
    random: np.random.Generator,
    trip: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    cabin: np.ndarray,
    agency: np.ndarray,
    day: np.ndarray,
) -> pd.DataFrame:
    names = np.array(list(_CITIES))
    distance = np.round(_distances()[origin, destination], 2)
    fare = (120.0 + 2.9 * distance**0.82) * _lookup(_CABINS, cabin) * _lookup(_AGENCIES, agency)
    fare *= _season(day) * np.exp(random.normal(0.0, _NOISE, len(day)))
    return pd.DataFrame(
        {
            "travelCode": trip,
            "userCode": trip % 1_340,
            "from": names[origin],
            "to": names[destination],
            "flightType": cabin,
            "price": np.round(fare, 2),
            "time": np.round(distance / _CRUISE_KMH, 2),
            "distance": distance,
            "agency": agency,
            "day": day,
        }
    )


def _lookup(table: dict[str, float], names: np.ndarray) -> np.ndarray:
    return np.array([table[name] for name in names])


def _season(day: np.ndarray) -> np.ndarray:
    """Summer and midwinter holidays, the weekday, and prices that rise by 3 % a year."""
    dates = np.datetime64(_FIRST_DAY, "D") + day
    of_year = (dates - dates.astype("datetime64[Y]")).astype(np.int64)
    holidays = 0.14 * np.exp(-(((of_year - 4 + 182) % 365 - 182) ** 2) / 800) + 0.08 * np.exp(
        -((of_year - 195) ** 2) / 300
    )
    weekday = (dates.astype(np.int64) + 3) % 7
    seasonal: np.ndarray = (1.0 + holidays) * _WEEKDAYS[weekday] * 1.03 ** (day / 365.0)
    return seasonal


def _distances() -> np.ndarray:
    """Great-circle distances between all cities in km (haversine), shape (cities, cities)."""
    places = np.radians(np.array(list(_CITIES.values())))
    latitude, longitude = places[:, 0], places[:, 1]
    half = (
        np.sin((latitude[:, None] - latitude) / 2) ** 2
        + np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    )
    distances: np.ndarray = 2 * _EARTH_KM * np.arcsin(np.sqrt(half))
    return distances
