"""What the declaration says of itself.

As of: the version in force at acceptance. Nothing else is read, except for the usual rate of the subheading, which
rests on declarations that customs knew before the day of acceptance.
"""

from typing import Literal

import polars as pl

from features.facts import asof, kinds
from features.families.feature import Feature
from features.families.groups import group_of
from features.families.sentences import Sentences, Words
from features.history import History

NAME = "declared"
_OWN = "the declaration as accepted"
_USUAL = f"declarations known before the day of acceptance, accepted at most {asof.YEAR_DAYS} days earlier"

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
    "value_per_kg": (kinds.VALUE_PER_KG, "value per kg of net mass"),
    "value_per_unit": (pl.when(pl.col("quantity") > 0).then(_VALUE / pl.col("quantity")), "value per unit of quantity"),
    "mass_per_unit_kg": (pl.when(pl.col("quantity") > 0).then(_MASS / pl.col("quantity")), "net mass per unit, kg"),
    "gross_to_net_mass": (pl.when(_MASS > 0).then(pl.col("gross_mass_kg") / _MASS), "gross over net mass"),
    "is_round_value": ((_VALUE > 0) & (_VALUE % 100 == 0), "value is a multiple of 100"),
    "is_via_third_country": (pl.col("departure_country") != pl.col("origin_country"), "departed from elsewhere"),
    "has_seller": (pl.col("seller_id").is_not_null(), "a seller is named"),
    "has_courier": (pl.col("courier_id").is_not_null(), "a courier is named"),
}

# For each feature: its group, what it measures, and the column it is about.
_TOLD = {
    "item_value": ("value", "customs_value", "item_value"),
    "net_mass_kg": ("mass", "net_mass", "net_mass_kg"),
    "tax_rate_pct": ("tariff", "rate", "tax_rate_pct"),
    "duty_at_stake": ("value", "duty", "item_value"),
    "value_per_kg": ("unit_value", "value_per_kg", "net_mass_kg"),
    "value_per_unit": ("unit_value", "value_per_unit", "quantity"),
    "mass_per_unit_kg": ("unit_mass", "mass_per_unit", "quantity"),
    "gross_to_net_mass": ("gross_mass", "gross_mass", "gross_mass_kg"),
    "is_round_value": ("round_value", "round_value", "item_value"),
    "is_via_third_country": ("third_country", "third_country", "departure_country"),
    "has_seller": ("seller", "named", "seller_id"),
    "has_courier": ("courier", "named", "courier_id"),
}
# Tariff codes are watched as chapters only: codes that are rare in both windows would differ by chance.
_UNWATCHED_CODES = ("hs4", "hs6")
_DRIFT: dict[str, Literal["linear", "log"]] = {
    "tax_rate_pct": "linear",
    "item_value": "log",
    "net_mass_kg": "log",
    "duty_at_stake": "log",
    "value_per_kg": "log",
}

_NO_QUANTITY = Words(
    en="No quantity above zero is declared.",
    fr="Aucune quantité supérieure à zéro n'est déclarée.",
    zh="未申报大于零的数量。",
)
SENTENCES = {
    "item_value": Sentences(
        Words(
            en="Customs value is {amount}.",
            fr="La valeur en douane est de {amount}.",
            zh="完税价格为{amount}。",
        ),
    ),
    "duty_at_stake": Sentences(
        Words(
            en="Duties and taxes at stake come to {amount}.",
            fr="Les droits et taxes en jeu s'élèvent à {amount}.",
            zh="涉及税款为{amount}。",
        ),
    ),
    "is_round_value": Sentences(
        Words(
            en="Customs value is a round figure, a multiple of 100.",
            fr="La valeur en douane est un montant rond, multiple de 100.",
            zh="完税价格为整百金额（100的倍数）。",
        ),
        zero=Words(
            en="Customs value is not a round figure.",
            fr="La valeur en douane n'est pas un montant rond.",
            zh="完税价格不是整百金额。",
        ),
    ),
    "net_mass_kg": Sentences(
        Words(
            en="Net mass is {number} kg.",
            fr="La masse nette est de {number} kg.",
            zh="净重为{number}千克。",
        ),
    ),
    "value_per_unit": Sentences(
        Words(
            en="Declared value per unit of quantity is {amount}.",
            fr="La valeur déclarée par unité de quantité est de {amount}.",
            zh="每单位数量的申报价格为{amount}。",
        ),
        none=_NO_QUANTITY,
    ),
    "mass_per_unit_kg": Sentences(
        Words(
            en="Net mass per unit of quantity is {number} kg.",
            fr="La masse nette par unité de quantité est de {number} kg.",
            zh="每单位数量的净重为{number}千克。",
        ),
        none=_NO_QUANTITY,
    ),
    "tax_rate_pct": Sentences(
        Words(
            en="The tax rate applied is {duty_rate}.",
            fr="Le taux de droits et taxes appliqué est de {duty_rate}.",
            zh="适用税率为{duty_rate}。",
        ),
    ),
}


def _code(name: str, meaning: str) -> Feature:
    return Feature(
        name,
        NAME,
        "categorical",
        meaning,
        _OWN,
        entity=(name,),
        measure="code",
        group=group_of([name]),
        sentences="code",
        drift=None if name in _UNWATCHED_CODES else "categories",
    )


def _number(name: str, meaning: str) -> Feature:
    group, measure, column = _TOLD[name]
    return Feature(
        name,
        NAME,
        "numeric",
        meaning,
        _OWN,
        entity=(column,),
        measure=measure,
        group=group,
        sentences=SENTENCES.get(name, measure),
        drift=_DRIFT.get(name),
    )


def _against_usual(name: str, measure: str, meaning: str, drift: Literal["linear"] | None) -> Feature:
    return Feature(
        name,
        NAME,
        "numeric",
        meaning,
        _USUAL,
        entity=("hs6",),
        measure=measure,
        group="usual_rate",
        sentences="usual_rate",
        window_days=asof.YEAR_DAYS,
        drift=drift,
    )


FEATURES = (
    *(_code(name, meaning) for name, meaning in _CODES.items()),
    *(_number(name, meaning) for name, (_, meaning) in _RATIOS.items()),
    _against_usual("rate_gap_hs6", "rate_gap", "rate less the subheading's usual (median) rate, points", "linear"),
    _against_usual("rate_quantile_hs6", "rate_quantile", "share of the subheading's rates below this one", None),
)

TABLES = (("tax_rate_pct", ("hs6",)),)


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query."""
    rows = history.rows
    usual = history.order_statistics("tax_rate_pct", ("hs6",), asof.YEAR_DAYS)
    return rows.select(
        *_CODES,
        *(expression.alias(name).cast(pl.Float32) for name, (expression, _) in _RATIOS.items()),
        (_RATE - pl.Series(usual[:, 3], nan_to_null=True)).cast(pl.Float32).alias("rate_gap_hs6"),
        pl.Series("rate_quantile_hs6", usual[:, 1], nan_to_null=True).cast(pl.Float32),
    )
