"""False origins that are less plain.

More of them depart from where they claim to come from, their price lies between both origins', and most are invoiced by
a company that the trader has set up there, so the seller does not give the true origin away.
"""

from dataclasses import replace

import numpy as np

from features.simulator import prices
from features.simulator.draws import exp_on_grid, opaque
from features.simulator.geography import COUNTRIES
from features.simulator.schemes import FALSE_ORIGIN, Declared
from features.simulator.traffic import Traffic

_FITS = 0.75  # the share of departures that did not fit and now do
_SHELL = 0.75  # the share of pairs of a trader and an origin with a company there
_FIRST_SHELL = 50_000_000  # above the numbers of all other sellers
_NEARER = 0.5  # the share of the way, in log price, from the true origin's usual price to the claimed one's


def blended(rng: np.random.Generator, traffic: Traffic, declared: Declared) -> Declared:
    """Return the declarations with false origins that fit better."""
    is_false = declared.scheme == FALSE_ORIGIN
    fits = is_false & (rng.random(traffic.count) < _FITS)
    shell = traffic.importer * len(COUNTRIES) + declared.origin
    has_shell = is_false & (opaque(shell) % 1000 < 1000 * _SHELL)
    usual = prices.usual()
    apart = usual[declared.goods, declared.origin] - usual[declared.goods, traffic.origin]
    value = np.where(is_false, np.round(declared.value * exp_on_grid(_NEARER * apart), 2), declared.value)
    due = traffic.value * traffic.rate_pct / 100
    evaded = np.round(np.maximum(due - value * declared.rate_pct / 100, 0.0), 2)
    return replace(
        declared,
        departure=np.where(fits, declared.origin, declared.departure),
        seller=np.where(has_shell, _FIRST_SHELL + shell, declared.seller),
        value=value,
        evaded=np.where(is_false, evaded, declared.evaded),
    )
