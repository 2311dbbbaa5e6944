"""Churn: does a customer of a telephone company leave?"""

from problems.base import Problem
from validation.contract import Column, Contract, Kind, Role

_OPTION = ("No internet service", "No", "Yes")
_OPTIONS = {
    "online_security": ("OnlineSecurity", "Protection of the line"),
    "online_backup": ("OnlineBackup", "Backups online"),
    "device_protection": ("DeviceProtection", "Insurance of the devices"),
    "tech_support": ("TechSupport", "Support by telephone"),
    "streaming_tv": ("StreamingTV", "Television over the line"),
    "streaming_movies": ("StreamingMovies", "Films over the line"),
}
_PAYMENTS = ("Bank transfer (automatic)", "Credit card (automatic)", "Electronic check", "Mailed check")


def _flag(name: str, source: str, text: str, example: bool) -> Column:
    return Column(name=name, kind=Kind.FLAG, source=source, help=text, example=example)


def _choice(name: str, source: str, text: str, choices: tuple[str, ...], example: str) -> Column:
    return Column(name=name, kind=Kind.CATEGORY, source=source, help=text, choices=choices, example=example)


def _amount(name: str, source: str, text: str, example: float, nullable: bool = False) -> Column:
    return Column(
        name=name, kind=Kind.REAL, source=source, help=text, unit="USD", ge=0.0, nullable=nullable, example=example
    )


CONTRACT = Contract(
    (
        Column(name="customer_id", kind=Kind.CATEGORY, role=Role.KEY, source="customerID", help="Customer"),
        _choice("gender", "gender", "Gender as recorded", ("Female", "Male"), "Female"),
        _flag("senior", "SeniorCitizen", "Whether 65 or older", False),
        _flag("partner", "Partner", "Whether living with a partner", True),
        _flag("dependents", "Dependents", "Whether others depend on the customer", False),
        Column(name="tenure", kind=Kind.INTEGER, unit="months", ge=0, help="Time as a customer", example=5),
        _flag("phone", "PhoneService", "Whether the contract has a telephone", True),
        _choice("lines", "MultipleLines", "More than one line", ("No phone service", "No", "Yes"), "No"),
        _choice("internet", "InternetService", "Kind of line", ("No", "DSL", "Fiber optic"), "Fiber optic"),
        *(_choice(name, source, text, _OPTION, "No") for name, (source, text) in _OPTIONS.items()),
        _choice("contract", "Contract", "Term", ("Month-to-month", "One year", "Two year"), "Month-to-month"),
        _flag("paperless", "PaperlessBilling", "Whether bills come without paper", True),
        _choice("payment", "PaymentMethod", "How bills are paid", _PAYMENTS, "Electronic check"),
        _amount("monthly_charges", "MonthlyCharges", "Bill of the last month", 74.4),
        # blank for customers who have not had a bill yet
        _amount("total_charges", "TotalCharges", "All bills so far", 351.2, nullable=True),
        Column(name="churn", kind=Kind.CATEGORY, role=Role.TARGET, source="Churn", help="Left", choices=("No", "Yes")),
    )
)

PROBLEM = Problem(name="churn", title="Whether a customer leaves", contract=CONTRACT)
