"""From a feature's value in one row to the sentence that states it, not yet in any language.

A sentence states what the row holds, with its numbers, and nothing that its features do not say. Rates of hits are
smoothed, so they are called adjusted and never turned back into counts; where the row tells how many inspections a rate
rests on, the sentence says so. Why a value is missing is said as far as the row tells it.
"""

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from features.contract import DECLARATION
from features.facts import asof
from features.families import MIN_HISTORY, Feature, Sentences, Words
from features.matrix import CATALOGUE, DESCRIBED, feature_of

_CODE = "code"
_NULLABLE = {field.name for field in DECLARATION if field.nullable}
# Features that count declarations, by entity. They have a value wherever the declaration names the entity.
_COUNTED: dict[tuple[str, ...], list[str]] = {}
for _feature in CATALOGUE:
    if _feature.measure == "declarations":
        _COUNTED.setdefault(_feature.entity, []).append(_feature.name)
_TWICE = 2.0  # from this ratio on, "3.2 times" says more than "220 % above"
_EQUAL_NUMBER, _EQUAL_MASS, _EQUAL_RATE = 0.005, 0.0005, 0.005  # smaller differences would be written as none


@dataclass(frozen=True)
class Phrase:
    """A sentence and the values of its placeholders; `words` is its key in the language files, or a family's words."""

    words: str | Words
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """The features of one declaration by name; a value that is null, NaN or not there is None.

    >>> row = Item({"item_value": 5.0, "net_mass_kg": math.nan})
    >>> row.get("net_mass_kg") is None, row.measured(("item_value",), "customs_value")
    (True, 5.0)
    """

    values: Mapping[str, Any]

    def get(self, name: str) -> Any:  # noqa: ANN401, a code or a number
        value = self.values.get(name)
        return None if isinstance(value, float) and math.isnan(value) else value

    def measured(self, entity: tuple[str, ...], measure: str, window_days: int = 0) -> Any:  # noqa: ANN401, as above
        """Return the feature of that description; None where there is no such feature."""
        found = DESCRIBED.get((entity, measure, window_days))
        return None if found is None else self.get(found.name)


def phrase(feature: Feature, row: Item, known_codes: Set[str] = frozenset()) -> Phrase:
    """Return what `feature` says in `row`; if it is a code, `known_codes` are those that the model has met.

    >>> z = feature_of(("hs6",), "price_z", 365)
    >>> phrase(z, Item({"price_z_hs6": -2.0, "price_ratio_hs6": 0.29}))
    Phrase(words='usual_below', values={'of': ('hs6',), 'measured': 'price', 'difference': 0.71})
    >>> phrase(z, Item({"price_z_hs6": None, "value_per_kg": 4.0}))
    Phrase(words='usual_few', values={'of': ('hs6',), 'measured': 'price', 'least': 5, 'span': 365})
    """
    value = row.get(feature.name)
    if isinstance(feature.sentences, Sentences):
        return _own(feature.sentences, value, feature, row)
    if feature.sentences == _CODE:
        return _code(feature, value, row, known_codes)
    if value is None:
        return _MISSING.get(feature.sentences, _not_given)(feature, row)
    return _STATED[feature.sentences](value, feature, row)


def _own(sentences: Sentences, value: Any, feature: Feature, row: Item) -> Phrase:  # noqa: ANN401, a code or a number
    words = sentences.of(value)
    if words is None:
        return _not_given(feature, row)
    return Phrase(words, {name: _FILLED.get(name, _as_it_is)(value, feature) for name in words.placeholders})


def _as_it_is(value: Any, feature: Feature) -> Any:  # noqa: ANN401, a code or a number
    return value


def _whole(value: float, feature: Feature) -> int:
    return round(value)


# What placeholders of a family's sentences are filled with, where that is not the plain value.
_FILLED: dict[str, Callable[[Any, Feature], Any]] = {
    "noun": lambda value, feature: feature.entity[-1],
    "of": lambda value, feature: feature.entity,
    "span": lambda value, feature: feature.window_days,
    "code": lambda value, feature: (feature.entity[-1], value),
    "next_hour": lambda value, feature: round(value) + 1,
    "log10_times": lambda value, feature: 10**value,
    **dict.fromkeys(("hour", "inspections", "items", "left", "since"), _whole),
}


def _code(feature: Feature, value: str | None, row: Item, known_codes: Set[str]) -> Phrase:
    (column,) = feature.entity
    if value is None:
        return _not_given(feature, row)
    named = {"noun": column, "code": (column, value)}
    if value not in known_codes:
        return Phrase("code_unseen", named)
    rate, inspections = (
        row.measured(feature.entity, each, asof.LOOK_BACK_DAYS) for each in ("hit_rate", "inspections")
    )
    if rate is None or not inspections:
        return Phrase("code", named)
    record = {"of": feature.entity, "span": asof.LOOK_BACK_DAYS, "rate": rate, "inspections": round(inspections)}
    return Phrase("code_hits", named | record)


def _not_given(feature: Feature, row: Item) -> Phrase:
    return Phrase("not_given", {"noun": feature.entity[-1]})


# The record of whoever or whatever the declaration names.


def _of(feature: Feature, **values: float) -> dict[str, Any]:
    return {"of": feature.entity, "span": feature.window_days, **values}


def _declarations(feature: Feature, row: Item) -> float | None:
    """Return the declarations in the window; None where the row does not tell."""
    return row.measured(feature.entity, "declarations", feature.window_days)


def _inspections(feature: Feature, row: Item) -> int | None:
    """Return the inspections concluded in the window; None where the row does not tell."""
    declared = _declarations(feature, row)
    rate = row.measured(feature.entity, "inspection_rate", feature.window_days)
    return None if not declared or rate is None else round(declared * rate)


def _volume(value: float, feature: Feature, row: Item) -> Phrase:
    if value == 0:
        return Phrase("not_declared", _of(feature))
    return Phrase("declared", _of(feature, items=round(value)))


def _value_declared(value: float, feature: Feature, row: Item) -> Phrase:
    if _declarations(feature, row) == 0:
        return Phrase("not_declared", _of(feature))
    return Phrase("value_declared", _of(feature, amount=value))


def _inspection_rate(value: float, feature: Feature, row: Item) -> Phrase:
    inspections, declared = _inspections(feature, row), _declarations(feature, row)
    if inspections is None or declared is None:
        return Phrase("inspection_rate", _of(feature, rate=value))
    if not inspections:
        return Phrase("none_inspected", _of(feature, items=round(declared)))
    return Phrase("inspected", _of(feature, inspections=inspections, items=round(declared)))


def _hits(value: float, feature: Feature, row: Item) -> Phrase:
    inspections = _inspections(feature, row)
    if inspections:
        return Phrase("hits", _of(feature, rate=value, inspections=inspections))
    if inspections == 0:
        return Phrase("not_inspected", _of(feature))
    # Outcomes of this window may concern declarations that are older than it.
    key = "hits_undeclared" if _declarations(feature, row) == 0 else "hits_rate"
    return Phrase(key, _of(feature, rate=value))


def _encoded(value: float, feature: Feature, row: Item) -> Phrase:
    rate, inspections = (
        row.measured(feature.entity, each, feature.window_days) for each in ("hit_rate", "inspections")
    )
    if inspections == 0:
        return Phrase("not_inspected", _of(feature))
    if inspections is None:
        return Phrase("hits_rate", _of(feature, rate=value))
    if rate is None:
        return Phrase("inspections", _of(feature, inspections=round(inspections)))
    return Phrase("hits", _of(feature, rate=rate, inspections=round(inspections)))


def _revenue(value: float, feature: Feature, row: Item) -> Phrase:
    if value == 0:
        return Phrase("nothing_recovered", _of(feature))
    return Phrase("recovered", _of(feature, amount=value))


def _seen(value: float, feature: Feature, row: Item) -> Phrase:
    return Phrase("seen", {"of": feature.entity, "since": round(value)})


def _hit(value: float, feature: Feature, row: Item) -> Phrase:
    return Phrase("hit", {"of": feature.entity, "since": round(value)})


def _is_new(value: float, feature: Feature, row: Item) -> Phrase:
    others = tuple(column for column in feature.entity if column != "importer_id")
    if value == 1:
        return Phrase("first_time", {"of": others, "span": feature.window_days})
    return Phrase("not_first_time", {"of": others, "span": feature.window_days})


def _no_record(feature: Feature, row: Item) -> Phrase:
    """Say that the declaration does not name whom it is about; only columns that may be null can be the cause."""
    blank = [column for column in feature.entity if column in _NULLABLE]
    return Phrase("not_given", {"noun": blank[0]}) if len(blank) == 1 else Phrase("no_record", {"of": feature.entity})


def _never(key: str) -> Callable[[Feature, Item], Phrase]:
    """Return a function that says there was nothing in the window, where the declaration does name whom it is about."""

    def say(feature: Feature, row: Item) -> Phrase:
        always_named = not _NULLABLE & set(feature.entity)
        is_named = always_named or any(row.get(name) is not None for name in _COUNTED.get(feature.entity, ()))
        return Phrase(key, _of(feature)) if is_named else _no_record(feature, row)

    return say


# Prices, numbers per unit of quantity and rates against what is usual.

# For each number that features compare (features/families/usual.py): the feature that holds the number itself.
_COMPARED = {
    "price": feature_of(("net_mass_kg",), "value_per_kg").name,
    "unit_value": feature_of(("quantity",), "value_per_unit").name,
    "unit_mass": feature_of(("quantity",), "mass_per_unit").name,
}


def _usual(value: float, feature: Feature, row: Item) -> Phrase:
    of = _compared(feature)
    ratio, quantile = (
        row.measured(feature.entity, f"{feature.sentences}_{each}", feature.window_days)
        for each in ("ratio", "quantile")
    )
    if ratio is not None:
        return _against("usual", ratio, _EQUAL_NUMBER, of)
    if quantile is not None:
        return Phrase("usual_quantile", {**of, "share": quantile})
    return Phrase("usual_lower" if value < 0 else "usual_higher", of)


def _compared(feature: Feature) -> dict[str, Any]:
    return {"of": feature.entity, "measured": feature.sentences}


def _against(key: str, ratio: float, equal: float, values: dict[str, Any]) -> Phrase:
    difference = round(abs(ratio - 1), 6)  # without the noise of single precision
    if difference < equal:
        return Phrase(f"{key}_equal", values)
    if ratio >= _TWICE:
        return Phrase(f"{key}_times", {**values, "times": ratio})
    return Phrase(f"{key}_below" if ratio < 1 else f"{key}_above", {**values, "difference": difference})


def _nothing_usual(no_number: str) -> Callable[[Feature, Item], Phrase]:
    """Return a function that says why a number cannot be compared; `no_number` says that there is no such number."""

    def say(feature: Feature, row: Item) -> Phrase:
        blank = [column for column in feature.entity if row.measured((column,), "named") == 0]
        if blank:
            return Phrase("not_given", {"noun": blank[0]})
        number = _COMPARED[str(feature.sentences)]
        if number not in row.values:
            return Phrase("usual_unknown", _compared(feature))
        if not row.get(number):
            return Phrase(no_number, {})
        return Phrase("usual_few", _compared(feature) | {"least": MIN_HISTORY, "span": feature.window_days})

    return say


def _usual_rate(value: float, feature: Feature, row: Item) -> Phrase:
    of = {"of": feature.entity}
    gap, rate = row.measured(feature.entity, "rate_gap", feature.window_days), row.measured(("tax_rate_pct",), "rate")
    if gap is None:
        return Phrase("rate_quantile", {**of, "share": value})
    if abs(gap) < _EQUAL_RATE:
        return Phrase("rate_equal", of)
    if rate is None:
        return Phrase("rate_lower" if gap < 0 else "rate_higher", of)
    return Phrase("rate_below" if gap < 0 else "rate_above", {**of, "duty_rate": rate, "usual_rate": rate - gap})


def _no_usual_rate(feature: Feature, row: Item) -> Phrase:
    return Phrase("no_usual_rate", {"of": feature.entity, "span": feature.window_days})


# The declaration itself.


def _number(key: str, placeholder: str) -> Callable[[float, Feature, Item], Phrase]:
    def say(value: float, feature: Feature, row: Item) -> Phrase:
        return Phrase(key, {placeholder: value})

    return say


def _named(value: float, feature: Feature, row: Item) -> Phrase:
    return Phrase("named" if value else "not_given", {"noun": feature.entity[0]})


def _gross_mass(value: float, feature: Feature, row: Item) -> Phrase:
    return _against("gross_mass", value, _EQUAL_MASS, {})


def _third_country(value: float, feature: Feature, row: Item) -> Phrase:
    origin, departure = (row.measured((each,), "code") for each in ("origin_country", "departure_country"))
    key = "third_country" if value else "direct"
    if origin is None or departure is None:
        return Phrase(key, {})
    codes = {"origin": ("origin_country", origin)}
    if value:
        codes["departure"] = ("departure_country", departure)
    return Phrase(f"{key}_named", codes)


def _missing(key: str) -> Callable[[Feature, Item], Phrase]:
    def say(feature: Feature, row: Item) -> Phrase:
        return Phrase(key, {})

    return say


_STATED: dict[str, Callable[[Any, Feature, Item], Phrase]] = {
    "declarations": _volume,
    "value": _value_declared,
    "inspection_rate": _inspection_rate,
    "hit_rate": _hits,
    "encoded": _encoded,
    "revenue": _revenue,
    "days_since_seen": _seen,
    "days_since_hit": _hit,
    "is_new": _is_new,
    **dict.fromkeys(_COMPARED, _usual),
    "usual_rate": _usual_rate,
    "value_per_kg": _number("value_per_kg", "amount"),
    "gross_mass": _gross_mass,
    "third_country": _third_country,
    "named": _named,
}

_MISSING: dict[str, Callable[[Feature, Item], Phrase]] = {
    **dict.fromkeys(("declarations", "value", "hit_rate", "encoded", "revenue", "is_new"), _no_record),
    "inspection_rate": _never("not_declared"),
    "days_since_seen": _never("not_declared"),
    "days_since_hit": _never("no_hit"),
    "price": _nothing_usual("no_value_per_kg"),
    **dict.fromkeys(("unit_value", "unit_mass"), _nothing_usual("no_number_per_unit")),
    "usual_rate": _no_usual_rate,
    "value_per_kg": _missing("no_value_per_kg"),
    "gross_mass": _missing("no_gross_mass"),
}

# The names by which features may ask for sentences that do not belong to their family.
NAMED = frozenset({_CODE, *_STATED})
