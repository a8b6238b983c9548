"""Honest mistakes: a wrong code, mass, origin or value that nobody means.

A mistake that pays too little infringes all the same and is planted as a scheme of its own; any other leaves a
declaration that is odd and in order. Some declarants are more careless than others.
"""

from dataclasses import replace

import numpy as np

from features.arrays import Ints
from features.simulator import geography, tariff
from features.simulator.draws import exp_on_grid, opaque, pick, pick_by_row
from features.simulator.goods import goods
from features.simulator.schemes import HONEST_MISTAKE, NONE, Declared, quantities
from features.simulator.traffic import Traffic

_RATE = 0.18  # of the items of the most careless declarants; the mean is a third of it
_CODE, _MASS, _ORIGIN, _VALUE = range(4)
_KINDS = np.array([0.3, 0.2, 0.15, 0.35])
_LEAST = 20.0  # USD; customs lets a smaller error pass
_LEAST_FREIGHT, _MOST_FREIGHT = 0.03, 0.12  # of the value: freight and insurance that were left out
_LOG_MASS = np.log(np.array([0.1, 0.4536, 1.12, 2.2046, 10.0]))  # a digit, pounds for kilograms, gross for net


def made(rng: np.random.Generator, traffic: Traffic, declared: Declared, changes: int) -> Declared:
    """Return the declarations with honest mistakes in some of those that were in order."""
    n = traffic.count
    careless = (opaque(traffic.declarant) % 1000 / 1000) ** 2
    errs = (declared.scheme == NONE) & (rng.random(n) < _RATE * careless)
    kind = pick(rng, _KINDS, n)
    has_code, has_mass, has_origin, has_value = (errs & (kind == each) for each in (_CODE, _MASS, _ORIGIN, _VALUE))
    code = declared.goods.copy()
    code[has_code] = _neighbours(rng, traffic.goods[has_code])
    origin = np.where(has_origin, _other_origin(rng, traffic), declared.origin)
    mass = np.where(has_mass, declared.mass_kg * exp_on_grid(_LOG_MASS[pick(rng, np.ones(5), n)]), declared.mass_kg)

    # Nobody has a certificate of an origin that is wrong, so a preference is claimed for the true one alone.
    claims = traffic.claims & ~has_origin & tariff.has_preference(changes)[code, origin]
    rules = tariff.tariff(changes)
    changed = has_code | has_origin
    rate = np.where(changed, np.round(rules.rates(code, origin, claims, traffic.is_later), 1), declared.rate_pct)
    left_out = np.where(has_value, _LEAST_FREIGHT + (_MOST_FREIGHT - _LEAST_FREIGHT) * rng.random(n), 0.0)
    value = np.where(has_value, np.round(declared.value * (1 - left_out), 2), declared.value)
    short = np.round((declared.value * declared.rate_pct - value * rate) / 100, 2)
    infringes = errs & (short >= _LEAST)
    return replace(
        declared,
        goods=code,
        code=code,
        described=np.where(has_code & (rng.random(n) < 0.5), code, declared.described),
        origin=origin,
        rate_pct=rate,
        tax_type=np.where(changed, rules.types(code, origin, claims), declared.tax_type),
        value=value,
        mass_kg=np.round(mass, 3),
        quantity=np.where(has_code, quantities(traffic, code, mass), declared.quantity),
        gross_kg=np.maximum(declared.gross_kg, np.where(has_mass, np.round(mass, 3), 0.0)),
        scheme=np.where(infringes, HONEST_MISTAKE, declared.scheme),
        evaded=np.where(infringes, short, declared.evaded),
    )


def _neighbours(rng: np.random.Generator, kinds: Ints) -> Ints:
    """Return other goods of the same chapter, or the same if it has no others."""
    table = goods()
    alike = table.chapter[kinds][:, None] == table.chapter
    alike[np.arange(len(kinds)), kinds] = False
    chosen = pick_by_row(rng, alike * table.weight)
    return np.where(alike.any(axis=1), chosen, kinds)


def _other_origin(rng: np.random.Generator, traffic: Traffic) -> Ints:
    """Return the country of departure, or another usual origin of the sector if that is the true one."""
    usual = pick_by_row(rng, geography.origin_weights()[goods().sector[traffic.goods]])
    return np.where(traffic.departure != traffic.origin, traffic.departure, usual)
