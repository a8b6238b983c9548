"""The planted fraud: who cheats, how, and what the declaration then says.

Each scheme changes the declaration only as the trader could, and leaves the traces that it would leave: an undervalued
price is low for its goods and origin, an under-declared mass may disagree with the gross mass, a false origin with the
country of departure. The truth is kept beside it, for evaluation.
"""

from dataclasses import dataclass, fields

import numpy as np

from features.arrays import Floats, Ints
from features.simulator import tariff
from features.simulator.draws import exp_on_grid, pick_by_row
from features.simulator.entities import NOBODY, PHOENIX, Importers, tempted
from features.simulator.goods import SECTORS, goods
from features.simulator.traffic import Traffic

NONE, UNDERVALUATION, MISCLASSIFICATION, FALSE_ORIGIN, UNDERDECLARED_MASS, PHOENIX_COMPANY, PROHIBITED = range(7)
SCHEMES = (
    "none",
    "undervaluation",
    "misclassification",
    "false_origin",
    "underdeclared_mass",
    "phoenix",
    "prohibited_goods",
)
HONEST_MISTAKE = len(SCHEMES)  # nobody chooses it; see mistakes.py
NAMES = (*SCHEMES, "honest_mistake")
DUTY_SCHEMES = (UNDERVALUATION, MISCLASSIFICATION, FALSE_ORIGIN, UNDERDECLARED_MASS)

# The weight of each duty scheme at the start, midway and at the end.
_MIX = np.array([[1.0, 0.55, 0.3, 0.6], [0.8, 0.75, 1.1, 0.5], [0.55, 1.0, 1.6, 0.4]])
_FAVOURED = 5.0

# How often an importer of each kind cheats at a temptation of one, and how often it carries prohibited goods.
_CHEATS = np.array([0.062, 0.33, 0.6, 0.1, 0.6])
_SMUGGLES = np.array([0.0009, 0.002, 0.002, 0.2, 0.002])
_MOST = 0.9


@dataclass(frozen=True)
class Declared:
    """Tells what a declaration says in the fields that a scheme may change, and the truth.

    `code` is an index into the codes of the nomenclature, and `described` has the goods whose words are used.
    """

    goods: Ints
    code: Ints
    described: Ints
    origin: Ints
    departure: Ints
    seller: Ints
    rate_pct: Floats
    tax_type: Ints
    value: Floats
    mass_kg: Floats
    quantity: Floats
    gross_kg: Floats
    scheme: Ints
    evaded: Floats


def plant(rng: np.random.Generator, traffic: Traffic, importers: Importers, progress: float, changes: int) -> Declared:
    """Return declarations for `traffic`; `progress` (0 to 1 through the simulation) decides the mix of schemes.

    `changes` counts those of the tariff until then.
    """
    n = traffic.count
    swaps = tariff.cheaper_headings()[traffic.goods]
    swapped = swaps[np.arange(n), pick_by_row(rng, (swaps >= 0) + np.array([1e-9, 0, 0]))]
    scheme = _choose(rng, traffic, swapped, importers, progress, changes)
    has = [scheme == number for number in range(len(SCHEMES))]
    declared_goods = np.where(has[MISCLASSIFICATION], swapped, traffic.goods)
    saved = _saved_by_origin(traffic, changes)
    false_origin = tariff.pretended(pick_by_row(rng, saved + 1e-9))
    origin = np.where(has[FALSE_ORIGIN], false_origin, traffic.origin)
    moved = has[FALSE_ORIGIN] & (rng.random(n) < 0.62)
    departure = np.where(moved, false_origin, traffic.departure)

    size = np.abs(rng.standard_normal(n))
    low_value = has[UNDERVALUATION] | has[PHOENIX_COMPANY]
    cut = np.select([low_value, has[UNDERDECLARED_MASS]], [0.12 + 0.42 * size, 0.8 * (0.22 + 0.4 * size)], 0.0)
    value = traffic.value * exp_on_grid(-np.minimum(cut, 2.3))
    is_round = (rng.random(n) < np.where(low_value, 0.16, 0.04)) & (value > 1000)
    value = np.round(np.where(is_round, np.rint(value / 100) * 100, value), 2)
    lighter = exp_on_grid(-np.where(has[UNDERDECLARED_MASS], 0.22 + 0.4 * size, 0.0))
    hidden = exp_on_grid(np.where(has[PROHIBITED], 0.35 * np.abs(rng.standard_normal(n)), 0.0))
    mass = traffic.mass_kg * lighter * hidden
    keeps_gross = rng.random(n) < 0.4
    gross = np.where(has[UNDERDECLARED_MASS] & ~keeps_gross, traffic.gross_kg * lighter, traffic.gross_kg)
    gross = np.where(has[PROHIBITED], np.maximum(gross * hidden, mass), gross)

    claims = np.where(has[FALSE_ORIGIN], True, traffic.claims)
    # The heading that is declared may know no preference, and then the general rate is claimed.
    claims &= tariff.has_preference(changes)[declared_goods, origin]
    rules = tariff.tariff(changes)
    rate = rules.rates(declared_goods, origin, claims, traffic.is_later)
    due = traffic.value * traffic.rate_pct / 100
    evaded = np.where(scheme == NONE, 0.0, np.maximum(due - value * rate / 100, 0.0))
    evaded = np.where(has[PROHIBITED], 0.0, evaded)
    return Declared(
        goods=declared_goods,
        code=declared_goods,
        described=np.where(rng.random(n) < 0.35, traffic.goods, declared_goods),
        origin=origin,
        departure=departure,
        seller=traffic.seller,
        rate_pct=np.round(rate, 1),
        tax_type=rules.types(declared_goods, origin, claims),
        value=value,
        mass_kg=np.round(mass, 3),
        quantity=quantities(traffic, declared_goods, mass),
        gross_kg=np.round(gross, 3),
        scheme=scheme,
        evaded=np.round(evaded, 2),
    )


def _choose(
    rng: np.random.Generator, traffic: Traffic, swapped: Ints, importers: Importers, progress: float, changes: int
) -> Ints:
    """Draw the scheme of each item; `swapped` are the goods as which it would be misdeclared, -1 for none."""
    kind = importers.kind[traffic.importer]
    weights = _mix(progress)[None, :] * _suitable(traffic, swapped, changes)
    weights *= np.where(np.arange(len(DUTY_SCHEMES)) == importers.favourite[traffic.importer][:, None], _FAVOURED, 1.0)
    is_possible = weights.sum(axis=1) > 0
    chosen = 1 + pick_by_row(rng, weights + np.where(is_possible, 0.0, 1.0)[:, None])
    pays = np.maximum(tempted(traffic.rate_pct), _saved_by_origin(traffic, changes).max(axis=1) / 10)
    cheats = is_possible & (rng.random(traffic.count) < np.minimum(_CHEATS[kind] * pays, _MOST))
    scheme = np.where(cheats, np.where(kind == PHOENIX, PHOENIX_COMPANY, chosen), NONE)
    is_bulk = np.array([sector.is_bulk for sector in SECTORS.values()])[goods().sector[traffic.goods]]
    # Contraband travels more in a crowd where it is not seen: in express parcels, and through hubs.
    crowd = 1 + 2.0 * (traffic.courier != NOBODY) + 2.0 * (traffic.departure != traffic.origin)
    smuggles = ~is_bulk & (rng.random(traffic.count) < _SMUGGLES[kind] * crowd)
    return np.where(smuggles, PROHIBITED, scheme)


def _mix(progress: float) -> Floats:
    at = np.array([0.0, 0.5, 1.0])
    return np.array([np.interp(progress, at, column) for column in _MIX.T])


def _suitable(traffic: Traffic, swapped: Ints, changes: int) -> Floats:
    """Return how well each scheme fits the goods, items x duty schemes; 0 if it would gain nothing."""
    pays_duty = traffic.rate_pct > 0
    claims = traffic.claims & tariff.has_preference(changes)[swapped, traffic.origin]
    swapped_pct = tariff.tariff(changes).rates(swapped, traffic.origin, claims, traffic.is_later)
    is_cheaper = (swapped >= 0) & (swapped_pct < traffic.rate_pct)
    by_weight = pays_duty & (goods().usd_per_kg[traffic.goods] < 12) & (traffic.courier == NOBODY)
    gain = _saved_by_origin(traffic, changes).max(axis=1)
    return np.stack([1.0 * pays_duty, 1.0 * is_cheaper, np.minimum(gain / 8, 2.0), 1.0 * by_weight], axis=1)


def _saved_by_origin(traffic: Traffic, changes: int) -> Floats:
    """Return points of duty saved, items x pretended origins."""
    at_start, later = tariff.pretended_origins(changes)
    at = (traffic.goods, traffic.origin)
    saved = np.where(traffic.is_later[:, None], later[at], at_start[at])
    return np.where((traffic.rate_pct > 0)[:, None], saved, 0.0)


def quantities(traffic: Traffic, declared_goods: Ints, mass: Floats) -> Floats:
    """Return quantities as counted, or computed from the mass if other goods are declared; NaN without a unit."""
    unit = goods().kg_per_unit[declared_goods]
    has_unit = ~np.isnan(unit)
    reckoned = np.where(has_unit, np.maximum(np.rint(mass / np.where(has_unit, unit, 1.0)), 1.0), np.nan)
    return np.where(declared_goods == traffic.goods, traffic.quantity, reckoned)


def concatenated(parts: list[Declared]) -> Declared:
    return Declared(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Declared)))
