"""The importing country's tariff: general and preferential rates, trade-defence duties, and what schemes can abuse.

The tariff belongs to the country, not to the traders: it is the same for every seed.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from features.arrays import Flags, Floats, Ints
from features.simulator import geography, tariff_changes
from features.simulator.draws import stream
from features.simulator.goods import goods

# Tariff and preference codes as declared: general, concession, information-technology agreement, then preferences.
GENERAL, CONCESSION, IT_AGREEMENT = 0, 1, 2
TAX_TYPES = ("A", "C", "CIT", *(agreement.code for agreement in geography.AGREEMENTS))
_FIRST_PREFERENCE = 3

_CONCESSION_CHAPTERS = (25, 28, 29, 38, 48, 49, 73, 84)

# Trade defence by heading, origin and extra points. The later duties begin midway and make false origins pay.
_DEFENCE = ((6907, "CN", 22.0), (4011, "CN", 14.0), (7318, "CN", 18.0), (4412, "CN", 12.0), (7219, "ID", 11.0))
_LATER_DEFENCE = ((8712, "CN", 24.0), (7610, "CN", 20.0), (7604, "CN", 20.0), (8541, "CN", 18.0), (4011, "TH", 9.0))

# Origins that a trader may pretend: members of generous agreements near the true origin.
_PRETENDED = ("VN", "MY", "TH", "KH", "ID", "BD", "KR")
_WORTH_POINTS = 3.0  # a rate lower by so many points tempts
_CHEAPER_HEADINGS = 3


@dataclass(frozen=True)
class Tariff:
    """Rates in % (goods x countries), with trade defence as at the start and as it is later."""

    general: Floats
    later: Floats
    preferential: Floats
    later_preferential: Floats
    general_type: Ints  # by goods: index into TAX_TYPES
    preference_type: Ints  # by country: index into TAX_TYPES, GENERAL if there is none

    def rates(self, goods_index: Ints, origin: Ints, claims: Flags, is_later: Flags) -> Floats:
        """Return the rate for each item; `claims` says whether the origin's preference is claimed."""
        at = (goods_index, origin)
        plain = np.where(is_later, self.later[at], self.general[at])
        preferred = np.where(is_later, self.later_preferential[at], self.preferential[at])
        return np.where(claims, preferred, plain)

    def types(self, goods_index: Ints, origin: Ints, claims: Flags) -> Ints:
        """Return the code declared for each item, as an index into `TAX_TYPES`."""
        return np.where(claims, self.preference_type[origin], self.general_type[goods_index])


@cache
def tariff(changes: int = 0) -> Tariff:
    """Return the tariff in force after so many `changes` of it."""
    rng = stream(1, 1)
    table, countries = goods(), len(geography.COUNTRIES)
    agreement = geography.agreement_of()
    general = np.round(table.duty_pct * tariff_changes.factors(changes), 1) if changes else table.duty_pct
    duty = np.repeat(general[:, None], countries, axis=1)
    leaves = np.ones((table.count, countries))
    for i, terms in enumerate(geography.AGREEMENTS):
        # Agreements are made by chapter: all goods of a chapter leave the same share.
        by_chapter = np.array(terms.leaves)[rng.integers(0, len(terms.leaves), 100)]
        leaves[:, agreement == i] = by_chapter[table.chapter][:, None]
    defence = _extra(_DEFENCE)
    later = defence + _extra(_LATER_DEFENCE)
    preferential = np.round(duty * leaves, 1)
    is_it = (duty[:, 0] == 0) & np.isin(table.chapter, (84, 85))
    plain = np.where(np.isin(table.chapter, _CONCESSION_CHAPTERS), CONCESSION, GENERAL)
    return Tariff(
        general=duty + defence,
        later=duty + later,
        preferential=preferential + defence,
        later_preferential=preferential + later,
        general_type=np.where(is_it, IT_AGREEMENT, plain).astype(np.int64),
        preference_type=np.where(agreement >= 0, agreement + _FIRST_PREFERENCE, GENERAL).astype(np.int64),
    )


def _extra(rules: tuple[tuple[int, str, float], ...]) -> Floats:
    table = goods()
    extra = np.zeros((table.count, len(geography.COUNTRIES)))
    for heading, origin, points in rules:
        extra[table.heading == heading, geography.country(origin)] += points
    return extra


@cache
def has_preference(changes: int = 0) -> Flags:
    """Return whether a preference lowers the duty after so many changes of the tariff, goods x countries."""
    rates = tariff(changes)
    return rates.preferential < rates.general


@cache
def pretended_origins(changes: int = 0) -> tuple[Floats, Floats]:
    """Return points of duty saved, goods x true origin x `_PRETENDED`, without and with later defence; 0 if too few."""
    rates = tariff(changes)
    members = [geography.country(code) for code in _PRETENDED]
    both = []
    for own, preferred in ((rates.general, rates.preferential), (rates.later, rates.later_preferential)):
        paid = np.where(has_preference(changes), preferred, own)  # an honest trader of the true origin pays this
        saved = paid[:, :, None] - preferred[:, None, members]
        both.append(np.where(saved >= _WORTH_POINTS, saved, 0.0))
    return both[0], both[1]


def pretended(choice: Ints) -> Ints:
    """Return the country index of each of the `_PRETENDED`, by number."""
    return np.array([geography.country(code) for code in _PRETENDED], np.int64)[choice]


@cache
def cheaper_headings() -> Ints:
    """Return subheadings that look alike and pay less, goods x 3; -1 for none.

    They are in another heading of the same sector.
    """
    table = goods()
    found = np.full((table.count, _CHEAPER_HEADINGS), -1, np.int64)
    for i in range(table.count):
        gain = table.duty_pct[i] - table.duty_pct
        alike = (table.sector == table.sector[i]) & (table.heading != table.heading[i])
        distance = np.abs(np.log(table.usd_per_kg / table.usd_per_kg[i]))
        candidates = np.flatnonzero(alike & (gain >= _WORTH_POINTS) & (distance < 1.6))
        nearest = candidates[np.argsort(distance[candidates], kind="stable")][:_CHEAPER_HEADINGS]
        found[i, : len(nearest)] = nearest
    return found
