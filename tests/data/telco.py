"""A small table of customers of a telephone company, with the headers and habits of the published one."""

import csv
import math
import random
from pathlib import Path

ROWS = 1_500
BLANKS = 11
"""Customers without a bill yet; the published table has as many."""
HEADERS = (
    *("customerID", "gender", "SeniorCitizen", "Partner", "Dependents", "tenure", "PhoneService", "MultipleLines"),
    *("InternetService", "OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV"),
    *("StreamingMovies", "Contract", "PaperlessBilling", "PaymentMethod", "MonthlyCharges", "TotalCharges", "Churn"),
)
TERMS = {"Month-to-month": 1.2, "One year": -0.6, "Two year": -1.8}
LINES = {"No": -1.0, "DSL": 0.0, "Fiber optic": 0.8}
PAYMENTS = ("Bank transfer (automatic)", "Credit card (automatic)", "Electronic check", "Mailed check")


def write_table(path: Path, rows: int = ROWS, seed: int = 3) -> None:
    """Write customers who leave by known odds: term, kind of line, time as a customer and bill decide."""
    chance = random.Random(seed)  # noqa: S311 no secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADERS)
        new = set(range(0, rows, rows // BLANKS)[:BLANKS])  # all over the table
        for number in range(rows):
            table.writerow(_customer(chance, number, number in new))


def _customer(chance: random.Random, number: int, new: bool) -> list[object]:
    """One row; a new customer has no bill yet, which the published table writes as a blank."""
    term, line = chance.choice(list(TERMS)), chance.choice(list(LINES))
    tenure = 0 if new else chance.randint(1, 72)
    phone = line != "DSL" or chance.random() < 0.7
    lines = chance.choice(("No", "Yes")) if phone else "No phone service"
    options = ["No internet service" if line == "No" else chance.choice(("No", "Yes")) for _ in range(6)]
    monthly = round(20 + 30 * (line != "No") + 20 * (line == "Fiber optic") + 5 * options.count("Yes"), 2)
    payment = chance.choice(PAYMENTS)
    odds = TERMS[term] + LINES[line] - 0.04 * (tenure - 30) + 0.5 * (payment == "Electronic check") - 0.8
    leaves = chance.random() < 1 / (1 + math.exp(-odds))
    total = " " if new else f"{monthly * tenure * chance.uniform(0.95, 1.05):.2f}"
    return [
        *(f"{number:04}-ABCDE", chance.choice(("Female", "Male")), int(chance.random() < 0.2)),
        *(chance.choice(("Yes", "No")), chance.choice(("Yes", "No")), tenure, "Yes" if phone else "No", lines),
        *(line, *options, term, chance.choice(("Yes", "No")), payment, f"{monthly:.2f}", total),
        "Yes" if leaves else "No",
    ]
