"""What the declaration says of itself.

As of: the version in force at acceptance; nothing else is read, but for the heading's usual rate, which rests on
declarations that customs knew before the day of acceptance.
"""

import polars as pl

from features.facts.asof import YEAR_DAYS
from features.facts.facts import VALUE_PER_KG
from features.families.feature import Feature
from features.history.history import History

NAME = "declared"
_OWN = "the declaration as accepted"
_USUAL = f"declarations known before the day of acceptance, accepted at most {YEAR_DAYS} days earlier"

_CODES = {
    "office": "office of declaration",
    "procedure": "clearance procedure",
    "import_type": "kind of import transaction",
    "import_use": "intended use",
    "payment_type": "means of payment",
    "transport_mode": "mode of transport at the border",
    "tax_type": "tariff or preference claimed",
    "origin_marking": "how origin is marked",
    "hs2": "HS chapter",
    "hs4": "HS heading",
    "hs6": "HS subheading",
    "origin_country": "country of origin",
    "departure_country": "country of departure",
}

_MASS, _VALUE, _RATE = pl.col("net_mass_kg"), pl.col("item_value"), pl.col("tax_rate_pct")

_RATIOS: dict[str, tuple[pl.Expr, str]] = {
    "item_value": (_VALUE, "customs value, currency"),
    "net_mass_kg": (_MASS, "net mass, kg"),
    "tax_rate_pct": (_RATE, "rate applied, %"),
    "duty_at_stake": (_VALUE * _RATE / 100, "value times rate, currency"),
    "value_per_kg": (VALUE_PER_KG, "value per kg of net mass"),
    "value_per_unit": (pl.when(pl.col("quantity") > 0).then(_VALUE / pl.col("quantity")), "value per unit of quantity"),
    "mass_per_unit_kg": (pl.when(pl.col("quantity") > 0).then(_MASS / pl.col("quantity")), "net mass per unit, kg"),
    "gross_to_net_mass": (pl.when(_MASS > 0).then(pl.col("gross_mass_kg") / _MASS), "gross over net mass"),
    "is_round_value": ((_VALUE > 0) & (_VALUE % 100 == 0), "value is a multiple of 100"),
    "is_via_third_country": (pl.col("departure_country") != pl.col("origin_country"), "departed from elsewhere"),
    "has_seller": (pl.col("seller_id").is_not_null(), "a seller is named"),
    "has_courier": (pl.col("courier_id").is_not_null(), "a courier is named"),
}

FEATURES = (
    *(Feature(name, NAME, "categorical", meaning, _OWN) for name, meaning in _CODES.items()),
    *(Feature(name, NAME, "numeric", meaning, _OWN) for name, (_, meaning) in _RATIOS.items()),
    Feature("rate_gap_hs6", NAME, "numeric", "rate less the subheading's usual (median) rate, points", _USUAL),
    Feature("rate_quantile_hs6", NAME, "numeric", "share of the subheading's rates below this one", _USUAL),
)

TABLES = (("tax_rate_pct", ("hs6",)),)


def compute(history: History) -> pl.DataFrame:
    """Columns of `FEATURES`, one row a query."""
    rows = history.rows
    usual = history.record(["hs6"]).order_statistics("tax_rate_pct", YEAR_DAYS)
    return rows.select(
        *_CODES,
        *(expression.alias(name).cast(pl.Float32) for name, (expression, _) in _RATIOS.items()),
        (_RATE - pl.Series(usual[:, 3], nan_to_null=True)).cast(pl.Float32).alias("rate_gap_hs6"),
        pl.Series("rate_quantile_hs6", usual[:, 1], nan_to_null=True).cast(pl.Float32),
    )
