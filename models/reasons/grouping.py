"""What each feature speaks of, by rule: the group it belongs to, and the kind of sentence that states it.

Features that say the same thing share a group: every window and measure of an importer's record, say, or all that
compares a price with what the same heading from the same origin usually costs. An officer is given one reason where the
model spread one fact over a dozen columns. The rules read a feature's family and name, so a new window, entity or
combination is covered as it comes; what no rule covers is refused, never dropped.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from features.families import calendar, declared, encodings, entities, price, relations
from features.families.feature import Feature
from features.matrix.matrix import CATALOGUE
from features.network.week import WINDOW_DAYS

REPEAT = "repeat"

# Columns that are of one kind. Chapter, heading and subheading nest, and a tariff decides its rate; an officer reads
# each lot as one. Any other column is a kind of its own.
_KINDS = {
    "importer_id": "importer",
    "seller_id": "seller",
    "declarant_id": "declarant",
    "courier_id": "courier",
    "hs2": "goods",
    "hs4": "goods",
    "hs6": "goods",
    "origin_country": "origin",
    "departure_country": "departure",
    "tax_type": "tariff",
    "tax_rate_pct": "tariff",
}
_EXACT = {"item_value", "net_mass_kg"}  # who declares these anew declares the same goods anew

# Numbers of the declaration itself: group, kind of sentence, and the column it is about.
_DECLARED: dict[str, tuple[str, str, str]] = {
    "item_value": ("value", "customs_value", "item_value"),
    "duty_at_stake": ("value", "duty", "item_value"),
    "is_round_value": ("round_value", "round_value", "item_value"),
    "net_mass_kg": ("mass", "mass", "net_mass_kg"),
    "value_per_kg": ("unit_value", "value_per_kg", "net_mass_kg"),
    "value_per_unit": ("unit_value", "value_per_unit", "quantity"),
    "mass_per_unit_kg": ("unit_mass", "unit_mass", "quantity"),
    "gross_to_net_mass": ("gross_mass", "gross_mass", "gross_mass_kg"),
    "is_via_third_country": ("third_country", "third_country", "departure_country"),
    "has_seller": ("seller", "named", "seller_id"),
    "has_courier": ("courier", "named", "courier_id"),
    "tax_rate_pct": ("tariff", "rate", "tax_rate_pct"),
    "rate_gap_hs6": ("usual_rate", "usual_rate", "hs6"),
    "rate_quantile_hs6": ("usual_rate", "usual_rate", "hs6"),
}
# What the network tells: group, kind of sentence, and the columns it is about.
_NETWORK: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "importer_sellers": ("partners", "network_partners", ("importer_id", "seller_id")),
    "importer_declarants": ("partners", "network_partners", ("importer_id", "declarant_id")),
    "importer_new_partners_share": ("partners", "network_new_partners", ("importer_id",)),
    "importer_exposed_sellers_share": ("neighbours", "network_exposed", ("importer_id", "seller_id")),
    "importer_seller_neighbours_caught": ("neighbours", "network_neighbours", ("importer_id", "seller_id")),
    "importer_declarant_neighbours_caught": ("neighbours", "network_neighbours", ("importer_id", "declarant_id")),
    "importer_exposure": ("neighbours", "network_exposure", ("importer_id",)),
    "community_hit_rate": ("neighbours", "network_community", ("importer_id",)),
    "seller_exposure": ("seller_neighbours", "network_exposure", ("seller_id",)),
    "seller_others_caught": ("seller_neighbours", "network_others", ("seller_id",)),
    "declarant_exposure": ("declarant_neighbours", "network_exposure", ("declarant_id",)),
    "declarant_others_caught": ("declarant_neighbours", "network_others", ("declarant_id",)),
    "importer_seller_days": ("importer_x_seller", "network_since", ("importer_id", "seller_id")),
    "importer_declarant_days": ("importer_x_declarant", "network_since", ("importer_id", "declarant_id")),
    "tied_values": ("company_register", "network_tied", ("importer_id",)),
    "tied_exposed_share": ("company_register", "network_tied_exposed", ("importer_id",)),
    "tied_neighbours_caught": ("company_register", "network_tied_neighbours", ("importer_id",)),
    "phoenix_score": ("phoenix", "network_phoenix", ("importer_id",)),
}
_CALENDAR = ("weekday", "day_of_month", "days_to_month_end", "hour")

_WINDOW = re.compile(r"(?P<record>\w+)_(?P<kind>declarations|value|inspection_rate|hit_rate|revenue)_(?P<days>\d+)d")
_SINCE = re.compile(r"(?P<record>\w+)_(?P<kind>days_since_seen|days_since_hit)")
_NEW = re.compile(r"(?P<kind>is_new)_(?P<record>\w+)")
_ENCODED = re.compile(r"(hit_rate|inspections)_(?P<columns>\w+)")
_PRICE = re.compile(r"price_(z|quantile|ratio)_(?P<record>\w+)")


@dataclass(frozen=True)
class Meaning:
    """What a feature speaks of.

    `group`: features of one group say the same thing. `kind`: that of the sentence. `about`: the contract's columns
    that name what it speaks of. `record`: what the names of features about the same thing have in common. `days`: the
    window, where there is one.
    """

    group: str
    kind: str
    about: tuple[str, ...] = ()
    record: str = ""
    days: int = 0


def meaning(feature: Feature) -> Meaning:
    """What `feature` speaks of; ValueError where no rule covers it.

    >>> meaning(Feature("importer_hs6_hit_rate_90d", "entities", "numeric", "", "")).group
    'importer_x_goods'
    >>> meaning(Feature("hit_rate_hs6_x_importer_id", "encodings", "numeric", "", "")).group
    'importer_x_goods'
    >>> meaning(Feature("lunar_phase", "calendar", "numeric", "", ""))
    Traceback (most recent call last):
    ...
    ValueError: feature 'lunar_phase' of family 'calendar' is covered by no rule of reasons; add one in grouping.py
    """
    found = _RULES[feature.family](feature) if feature.family in _RULES else None
    if found is None:
        raise ValueError(
            f"feature {feature.name!r} of family {feature.family!r} is covered by no rule of reasons; "
            "add one in grouping.py"
        )
    return found


@cache
def meanings(names: tuple[str, ...]) -> dict[str, Meaning]:
    """Meanings of catalogued features by name; ValueError names one that the catalogue lacks."""
    catalogued = {feature.name: feature for feature in CATALOGUE}
    unknown = [name for name in names if name not in catalogued]
    if unknown:
        raise ValueError(
            f"feature {unknown[0]!r} is not in the catalogue, so nothing tells what it means ({len(unknown)} of "
            f"{len(names)} unknown); allowed: the features of features.matrix.matrix.CATALOGUE"
        )
    return {name: meaning(catalogued[name]) for name in names}


def groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of features by group, groups in alphabetical order."""
    found: dict[str, list[str]] = {}
    for name, one in meanings(tuple(names)).items():
        found.setdefault(one.group, []).append(name)
    return dict(sorted(found.items()))


def _group(columns: Sequence[str]) -> str:
    """The group of whatever is named by `columns`."""
    if _EXACT & set(columns):
        return REPEAT
    order = list(dict.fromkeys(_KINDS.values()))
    kinds = {_KINDS.get(column, column) for column in columns}
    return "_x_".join(sorted(kinds, key=lambda kind: (order.index(kind) if kind in order else len(order), kind)))


def _of_declared(feature: Feature) -> Meaning | None:
    if feature.kind == "categorical":
        return Meaning(_group([feature.name]), "code", (feature.name,))
    if feature.name not in _DECLARED:
        return None
    group, kind, column = _DECLARED[feature.name]
    return Meaning(group, kind, (column,))


def _of_calendar(feature: Feature) -> Meaning | None:
    return Meaning("calendar", feature.name, ("accepted_at",)) if feature.name in _CALENDAR else None


def _of_price(feature: Feature) -> Meaning | None:
    found = _PRICE.fullmatch(feature.name)
    if not found or found["record"] not in price.GROUPS:
        return None
    about = price.GROUPS[found["record"]]
    return Meaning(f"price_{_group(about)}", "price", about, found["record"])


def _of_entities(feature: Feature) -> Meaning | None:
    found = _WINDOW.fullmatch(feature.name) or _SINCE.fullmatch(feature.name) or _NEW.fullmatch(feature.name)
    if not found or found["record"] not in entities.ENTITIES:
        return None
    about = entities.ENTITIES[found["record"]]
    days = int(found.groupdict().get("days") or entities.YEAR_DAYS)
    return Meaning(_group(about), found["kind"], about, found["record"], days)


def _of_encodings(feature: Feature) -> Meaning | None:
    found = _ENCODED.fullmatch(feature.name)
    if not found:
        return None
    about = tuple(found["columns"].split("_x_"))
    return Meaning(_group(about), "encoded", about, found["columns"], encodings.LOOK_BACK_DAYS)


def _of_relations(feature: Feature) -> Meaning | None:
    name = feature.name.removeprefix("network_")
    return Meaning(*_NETWORK[name], days=WINDOW_DAYS) if name in _NETWORK else None


_RULES = {
    declared.NAME: _of_declared,
    calendar.NAME: _of_calendar,
    price.NAME: _of_price,
    entities.NAME: _of_entities,
    encodings.NAME: _of_encodings,
    relations.NAME: _of_relations,
}
