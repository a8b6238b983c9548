"""From a feature's value in one row to the sentence that states it, not yet in any language.

A sentence states what the row holds, with its numbers, and nothing that its features do not say. Rates of hits are
smoothed, so they are called adjusted and never turned back into counts; where the row knows how many inspections stand
behind one, the sentence says so. Why a value is missing is told as far as the row tells it.
"""

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from features.contract import DECLARATION
from features.facts.asof import LOOK_BACK_DAYS, YEAR_DAYS
from features.families.encodings import inspections_name, rate_name
from features.families.price import MIN_HISTORY
from models.reasons.grouping import Meaning

_NULLABLE = {field.name for field in DECLARATION if field.nullable}
_TWICE = 2.0  # from here on "3.2 times" says more than "220 % above"
_EQUAL_PRICE, _EQUAL_MASS, _EQUAL_RATE = 0.005, 0.0005, 0.005  # what would be written as no difference is none


@dataclass(frozen=True)
class Phrase:
    """A sentence by its key in the language files, and the values of its placeholders."""

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """Features of one declaration by name; a null or NaN one, and one that is not there, are None.

    >>> Row({"item_value": 5.0, "net_mass_kg": math.nan}).get("net_mass_kg") is None
    True
    """

    values: Mapping[str, Any]

    def get(self, name: str) -> Any:  # noqa: ANN401, a code or a number
        value = self.values.get(name)
        return None if isinstance(value, float) and math.isnan(value) else value


def phrase(name: str, meaning: Meaning, row: Row, known_codes: Set[str] = frozenset()) -> Phrase:
    """What feature `name` says in `row`; `known_codes` are those that the model has met, where it is a code.

    >>> about = Meaning("price_goods", "price", ("hs6",), "hs6")
    >>> phrase("price_z_hs6", about, Row({"price_z_hs6": -2.0, "price_ratio_hs6": 0.29}))
    Phrase(key='price_below', values={'of': ('hs6',), 'difference': 0.71})
    >>> phrase("price_z_hs6", about, Row({"price_z_hs6": None, "value_per_kg": 4.0}))
    Phrase(key='price_few', values={'of': ('hs6',), 'least': 5, 'span': 365})
    """
    value = row.get(name)
    if meaning.kind == "code":
        return _code(meaning, value, row, known_codes)
    if value is None:
        return _MISSING.get(meaning.kind, _not_given)(meaning, row)
    return _STATED[meaning.kind](value, meaning, row)


def _code(meaning: Meaning, value: str | None, row: Row, known_codes: Set[str]) -> Phrase:
    (column,) = meaning.about
    if value is None:
        return _not_given(meaning, row)
    named = {"noun": column, "code": (column, value)}
    if value not in known_codes:
        return Phrase("code_unseen", named)
    rate, inspections = row.get(rate_name(meaning.about)), row.get(inspections_name(meaning.about))
    if rate is None or not inspections:
        return Phrase("code", named)
    record = {"of": meaning.about, "span": LOOK_BACK_DAYS, "rate": rate, "inspections": round(inspections)}
    return Phrase("code_hits", named | record)


def _not_given(meaning: Meaning, row: Row) -> Phrase:
    return Phrase("not_given", {"noun": meaning.about[0]})


# The record of whoever or whatever the declaration names.


def _of(meaning: Meaning, **values: float) -> dict[str, Any]:
    return {"of": meaning.about, "span": meaning.days, **values}


def _declarations(meaning: Meaning, row: Row) -> float | None:
    """Declarations in the window; None where the row does not tell."""
    return row.get(f"{meaning.record}_declarations_{meaning.days}d")


def _inspections(meaning: Meaning, row: Row) -> int | None:
    """Inspections concluded in the window; None where the row does not tell."""
    declared, rate = _declarations(meaning, row), row.get(f"{meaning.record}_inspection_rate_{meaning.days}d")
    return None if not declared or rate is None else round(declared * rate)


def _volume(value: float, meaning: Meaning, row: Row) -> Phrase:
    if value == 0:
        return Phrase("not_declared", _of(meaning))
    return Phrase("declared", _of(meaning, items=round(value)))


def _value_declared(value: float, meaning: Meaning, row: Row) -> Phrase:
    if _declarations(meaning, row) == 0:
        return Phrase("not_declared", _of(meaning))
    return Phrase("value_declared", _of(meaning, amount=value))


def _inspection_rate(value: float, meaning: Meaning, row: Row) -> Phrase:
    inspections, declared = _inspections(meaning, row), _declarations(meaning, row)
    if inspections is None or declared is None:
        return Phrase("inspection_rate", _of(meaning, rate=value))
    if not inspections:
        return Phrase("none_inspected", _of(meaning, items=round(declared)))
    return Phrase("inspected", _of(meaning, inspections=inspections, items=round(declared)))


def _hits(value: float, meaning: Meaning, row: Row) -> Phrase:
    inspections = _inspections(meaning, row)
    if inspections:
        return Phrase("hits", _of(meaning, rate=value, inspections=inspections))
    if inspections == 0:
        return Phrase("not_inspected", _of(meaning))
    # What was found lately may concern declarations older than the window.
    key = "hits_undeclared" if _declarations(meaning, row) == 0 else "hits_rate"
    return Phrase(key, _of(meaning, rate=value))


def _encoded(value: float, meaning: Meaning, row: Row) -> Phrase:
    rate, inspections = row.get(rate_name(meaning.about)), row.get(inspections_name(meaning.about))
    if inspections == 0:
        return Phrase("not_inspected", _of(meaning))
    if inspections is None:
        return Phrase("hits_rate", _of(meaning, rate=value))
    if rate is None:
        return Phrase("inspections", _of(meaning, inspections=round(inspections)))
    return Phrase("hits", _of(meaning, rate=rate, inspections=round(inspections)))


def _revenue(value: float, meaning: Meaning, row: Row) -> Phrase:
    if value == 0:
        return Phrase("nothing_recovered", _of(meaning))
    return Phrase("recovered", _of(meaning, amount=value))


def _seen(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("seen", {"of": meaning.about, "since": round(value)})


def _hit(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("hit", {"of": meaning.about, "since": round(value)})


def _is_new(value: float, meaning: Meaning, row: Row) -> Phrase:
    others = tuple(column for column in meaning.about if column != "importer_id")
    if value == 1:
        return Phrase("first_time", {"of": others, "span": meaning.days})
    return Phrase("not_first_time", {"of": others, "span": meaning.days})


def _no_record(meaning: Meaning, row: Row) -> Phrase:
    """The declaration leaves open whom it is about: by the contract, in one of the columns that may be null."""
    blank = [column for column in meaning.about if column in _NULLABLE]
    return Phrase("not_given", {"noun": blank[0]}) if len(blank) == 1 else Phrase("no_record", {"of": meaning.about})


def _never(key: str) -> Callable[[Meaning, Row], Phrase]:
    """Nothing within the window, where the declaration does name whom it is about."""

    def say(meaning: Meaning, row: Row) -> Phrase:
        always_named = not _NULLABLE & set(meaning.about)
        declarations = f"{meaning.record}_declarations_"
        is_named = always_named or any(
            row.get(name) is not None for name in row.values if name.startswith(declarations)
        )
        return Phrase(key, _of(meaning)) if is_named else _no_record(meaning, row)

    return say


# Prices and rates against what is usual.


def _price(value: float, meaning: Meaning, row: Row) -> Phrase:
    of = {"of": meaning.about}
    ratio, quantile = row.get(f"price_ratio_{meaning.record}"), row.get(f"price_quantile_{meaning.record}")
    if ratio is not None:
        return _against("price", ratio, _EQUAL_PRICE, of)
    if quantile is not None:
        return Phrase("price_quantile", {**of, "share": quantile})
    return Phrase("price_lower" if value < 0 else "price_higher", of)


def _against(key: str, ratio: float, equal: float, values: dict[str, Any]) -> Phrase:
    difference = round(abs(ratio - 1), 6)  # without the noise of single precision
    if difference < equal:
        return Phrase(f"{key}_equal", values)
    if ratio >= _TWICE:
        return Phrase(f"{key}_times", {**values, "times": ratio})
    return Phrase(f"{key}_below" if ratio < 1 else f"{key}_above", {**values, "difference": difference})


def _no_price(meaning: Meaning, row: Row) -> Phrase:
    if "value_per_kg" not in row.values:
        return Phrase("price_unknown", {"of": meaning.about})
    if row.get("value_per_kg") is None:
        return Phrase("no_value_per_kg", {})
    return Phrase("price_few", {"of": meaning.about, "least": MIN_HISTORY, "span": YEAR_DAYS})


def _usual_rate(value: float, meaning: Meaning, row: Row) -> Phrase:
    of = {"of": meaning.about}
    gap, rate = row.get("rate_gap_hs6"), row.get("tax_rate_pct")
    if gap is None:
        return Phrase("rate_quantile", {**of, "share": value})
    if abs(gap) < _EQUAL_RATE:
        return Phrase("rate_equal", of)
    if rate is None:
        return Phrase("rate_lower" if gap < 0 else "rate_higher", of)
    return Phrase("rate_below" if gap < 0 else "rate_above", {**of, "duty_rate": rate, "usual_rate": rate - gap})


def _no_usual_rate(meaning: Meaning, row: Row) -> Phrase:
    return Phrase("no_usual_rate", {"of": meaning.about, "span": YEAR_DAYS})


# The declaration itself.


def _number(key: str, placeholder: str) -> Callable[[float, Meaning, Row], Phrase]:
    def say(value: float, meaning: Meaning, row: Row) -> Phrase:
        return Phrase(key, {placeholder: value})

    return say


def _flag(set_key: str, unset_key: str) -> Callable[[float, Meaning, Row], Phrase]:
    def say(value: float, meaning: Meaning, row: Row) -> Phrase:
        return Phrase(set_key if value else unset_key, {})

    return say


def _named(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("named" if value else "not_given", {"noun": meaning.about[0]})


def _gross_mass(value: float, meaning: Meaning, row: Row) -> Phrase:
    return _against("gross_mass", value, _EQUAL_MASS, {})


def _third_country(value: float, meaning: Meaning, row: Row) -> Phrase:
    origin, departure = row.get("origin_country"), row.get("departure_country")
    key = "third_country" if value else "direct"
    if origin is None or departure is None:
        return Phrase(key, {})
    codes = {"origin": ("origin_country", origin)}
    if value:
        codes["departure"] = ("departure_country", departure)
    return Phrase(f"{key}_named", codes)


def _hour(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("hour", {"hour": round(value), "next_hour": round(value) + 1})


def _month_end(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("month_end", {"left": round(value)}) if value else Phrase("last_of_month", {})


# The network of companies: the last of the columns is whom it is about.


def _network(key: str, placeholder: str) -> Callable[[float, Meaning, Row], Phrase]:
    def say(value: float, meaning: Meaning, row: Row) -> Phrase:
        return Phrase(key, {"noun": meaning.about[-1], placeholder: value})

    return say


def _exposure(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("network_exposure", {"noun": meaning.about[-1], "times": 10**value})


def _first_declared(value: float, meaning: Meaning, row: Row) -> Phrase:
    return Phrase("network_since", {"noun": meaning.about[-1], "since": round(value)})


def _nothing_known(meaning: Meaning, row: Row) -> Phrase:
    return Phrase("network_nothing", {"noun": meaning.about[-1]})


def _missing(key: str) -> Callable[[Meaning, Row], Phrase]:
    def say(meaning: Meaning, row: Row) -> Phrase:
        return Phrase(key, {})

    return say


_NETWORK: dict[str, Callable[[Any, Meaning, Row], Phrase]] = {
    "network_partners": _network("network_partners", "number"),
    "network_new_partners": _number("network_new_partners", "share"),
    "network_exposed": _network("network_exposed", "share"),
    "network_neighbours": _network("network_neighbours", "share"),
    "network_exposure": _exposure,
    "network_community": _number("network_community", "rate"),
    "network_others": _network("network_others", "share"),
    "network_since": _first_declared,
    "network_tied": _number("network_tied", "number"),
    "network_tied_exposed": _number("network_tied_exposed", "share"),
    "network_tied_neighbours": _number("network_tied_neighbours", "share"),
    "network_phoenix": _flag("network_phoenix", "network_no_phoenix"),
}

_STATED: dict[str, Callable[[Any, Meaning, Row], Phrase]] = {
    "declarations": _volume,
    "value": _value_declared,
    "inspection_rate": _inspection_rate,
    "hit_rate": _hits,
    "encoded": _encoded,
    "revenue": _revenue,
    "days_since_seen": _seen,
    "days_since_hit": _hit,
    "is_new": _is_new,
    "price": _price,
    "usual_rate": _usual_rate,
    "customs_value": _number("customs_value", "amount"),
    "duty": _number("duty", "amount"),
    "round_value": _flag("round_value", "no_round_value"),
    "mass": _number("mass", "number"),
    "value_per_kg": _number("value_per_kg", "amount"),
    "value_per_unit": _number("value_per_unit", "amount"),
    "unit_mass": _number("unit_mass", "number"),
    "gross_mass": _gross_mass,
    "third_country": _third_country,
    "named": _named,
    "rate": _number("rate", "duty_rate"),
    "weekday": _number("weekday", "weekday"),
    "day_of_month": _number("day_of_month", "day"),
    "days_to_month_end": _month_end,
    "hour": _hour,
    **_NETWORK,
}

_MISSING: dict[str, Callable[[Meaning, Row], Phrase]] = {
    **dict.fromkeys(("declarations", "value", "hit_rate", "encoded", "revenue", "is_new"), _no_record),
    "inspection_rate": _never("not_declared"),
    "days_since_seen": _never("not_declared"),
    "days_since_hit": _never("no_hit"),
    "price": _no_price,
    "usual_rate": _no_usual_rate,
    "value_per_kg": _missing("no_value_per_kg"),
    "value_per_unit": _missing("no_quantity"),
    "unit_mass": _missing("no_quantity"),
    "gross_mass": _missing("no_gross_mass"),
    **dict.fromkeys(_NETWORK, _nothing_known),
}
