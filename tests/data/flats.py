"""A small table of flats for sale in Istanbul, with the headers and habits of the published one."""

import csv
import math
import random
from pathlib import Path

ROWS = 2_400
HEADERS = (
    *("İlan_Numarası", "İlçe", "Mahalle", "yaka", "Yaşam_endeksi", "Nüfus", "Brüt_Metrekare", "Net_Metrekare"),
    *("Oda_Sayısı", "Banyo_Sayısı", "Binanın_Yaşı", "Binanın_Kat_Sayısı", "Bulunduğu_Kat", "Isıtma_Tipi"),
    *("Eşya_Durumu", "Kullanım_Durumu", "Krediye_Uygunluk", "Fiyatı"),
)
DISTRICTS = {"Beşiktaş": 1.4, "Kadıköy": 1.0, "Şişli": 0.8, "Ümraniye": 0.0, "Esenyurt": -0.7, "Çatalca": -0.9}
ASIAN = ("Kadıköy", "Ümraniye")
ROOMS = {"Stüdyo": 45, "1+1": 60, "2+1": 90, "3+1": 120, "4+1": 160, "8+ Oda": 300}
AGES = ("0 (Yeni)", "1", "2", "3", "4", "5-10", "11-15", "16-20", "21 Ve Üzeri")
BATHROOMS = ("1", "1", "1", "2", "Yok", "Var", "6+")


def write_table(path: Path, rows: int = ROWS, seed: int = 5) -> None:
    """Write flats whose price follows from district, size and age, with noise that nobody can know."""
    chance = random.Random(seed)  # noqa: S311 no secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADERS)
        for number in range(rows):
            table.writerow(_flat(chance, number))


def _flat(chance: random.Random, number: int) -> list[object]:
    district, rooms = chance.choice(list(DISTRICTS)), chance.choice(list(ROOMS))
    gross = round(ROOMS[rooms] * chance.uniform(0.85, 1.2))
    age = chance.randrange(len(AGES))
    heating = chance.choice(("Doğalgaz", "Doğalgaz", "Sobalı", "Klimalı"))
    floors = chance.randint(1, 15)
    price = math.exp(DISTRICTS[district] + 0.9 * math.log(gross) - 0.04 * age + chance.gauss(0, 0.3)) * 30_000
    place = number % 40
    return [
        *(100_000 + number, f"  {district} ", f"{district} {place} Mahallesi ", _side(district)),
        *(f"{chance.uniform(0.3, 0.95):.3f}", f"{chance.uniform(60, 900):.3f}", f" {gross}", round(0.85 * gross)),
        *(rooms, chance.choice(BATHROOMS), AGES[age], floors, f"{chance.randint(1, floors)}. Kat", f"{heating} "),
        *(chance.choice(("Var", "Yok")), chance.choice(("Boş", "Kiracı Oturuyor", "Mülk Sahibi Oturuyor"))),
        *(chance.choice(("KREDIYE UYGUN", "Bilinmiyor")), round(price, -3)),
    ]


def _side(district: str) -> str:
    return "Anadolu Yakası" if district in ASIAN else "Avrupa Yakası"
