"""The old way of choosing what to inspect, and the results of inspections.

A small random stratum is drawn first, from everything. The rest goes through the rules, each of which sends an item to
inspection with its probability (the highest one that applies counts). Rules see declarations and the results known by
then, never the truth. Inspectors miss things, more with some schemes than with others, and find nothing that is not
there.
"""

from dataclasses import dataclass, fields

import numpy as np

from features.arrays import Flags, Floats, Ints
from features.simulator import geography
from features.simulator.draws import exp_on_grid, pick
from features.simulator.goods import goods
from features.simulator.schemes import NONE, PROHIBITED, Declared
from features.simulator.tariff import TAX_TYPES
from features.simulator.traffic import Traffic

RANDOM_PROBABILITY = 0.02
EVERYONE, NEWCOMER, CONTROLLED, WATCHED, PREFERENCE, CHEAP, OFFENDER = 0.024, 0.1, 0.12, 0.25, 0.35, 0.4, 0.7

_WATCHED_ORIGINS = ("CN", "VN", "BD", "IN", "TR", "HK", "PK", "AE")
_WATCHED_HEADINGS = (703, 4011, 4202, 6109, 6110, 6402, 6404, 6907, 7318, 8712, 9405, 2402, 7113, 6203, 6204)
_CONTROLLED_CHAPTERS = (2, 24, 36, 93)
_DOUBTED_PREFERENCES = ("FAS1", "GSP")
_OFFENDER_DAYS, _OFFENDER_SHARE = 270, 0.15  # a hit so recent, and hits in this share of the concluded inspections
_NEWCOMER_DAYS = 60
_CHEAP_RATIO = 0.4  # the share of the reference price, which knows the heading but not the origin

NEVER = 1_000_000  # days
STANDS = -1

RED, YELLOW, BLUE = range(3)
CHANNELS = ("red", "yellow", "blue")
_CHANNEL_SHARES = np.array([0.6, 0.32, 0.08])
_LOG_DAYS = np.log(np.array([6.0, 4.5, 21.0]))  # median days until the result is known, by channel
_SPREAD_DAYS = 0.75
_MOST_DAYS = 75.0

# Probability that an inspection finds a scheme, by channel: papers show prices and origins, the goods show the rest.
_FINDS = np.array(
    [
        [0.0, 0.0, 0.0],
        [0.78, 0.74, 0.85],
        [0.9, 0.6, 0.6],
        [0.66, 0.72, 0.8],
        [0.94, 0.35, 0.3],
        [0.84, 0.8, 0.9],
        [0.94, 0.3, 0.15],
        [0.75, 0.8, 0.85],
    ]
)


@dataclass(frozen=True)
class Knowledge:
    """Holds what customs knows of each importer.

    These are the inspections concluded, the hits, and the days of the last hit and of the first declaration; what never
    happened lies far in the past or the future.
    """

    concluded: Ints
    hits: Ints
    last_hit: Ints
    first_seen: Ints


def unknown(importers: int) -> Knowledge:
    """Return what is known of importers of whom nothing is known yet."""
    none = np.zeros(importers, np.int64)
    return Knowledge(none, none.copy(), none - NEVER, none + NEVER)


def joined(known: Knowledge, more: Knowledge) -> Knowledge:
    return Knowledge(*(np.concatenate([getattr(known, f.name), getattr(more, f.name)]) for f in fields(Knowledge)))


@dataclass(frozen=True)
class Results:
    """The results of inspections, as arrays with one element each; `position` is that of the item in its traffic.

    `is_random` says whether the lot chose it. Instants are seconds since the start; `overturned` is when an appeal
    against the finding is won, `STANDS` if it is not.
    """

    position: Ints
    probability: Floats
    channel: Ints
    is_illicit: Flags
    is_critical: Flags
    recovered: Floats
    known: Ints
    is_random: Flags
    overturned: Ints


def inspect(rng: np.random.Generator, traffic: Traffic, declared: Declared, known: Knowledge, today: int) -> Results:
    """Choose items among `traffic`, inspect them, and return the results."""
    rule = rules(traffic, declared, known, today)
    is_random = rng.random(traffic.count) < RANDOM_PROBABILITY
    chosen = np.flatnonzero(is_random | (rng.random(traffic.count) < rule))
    n = len(chosen)
    channel = np.where(is_random[chosen], RED, pick(rng, _CHANNEL_SHARES, n))
    scheme, evaded = declared.scheme[chosen], declared.evaded[chosen]
    finds = _FINDS[scheme, channel]
    # The smaller the sum, the easier it passes for an error.
    is_small = (evaded < 25) & (scheme != PROHIBITED)
    is_illicit = (scheme != NONE) & (rng.random(n) < np.where(is_small, finds * 0.6, finds))
    share = np.clip(0.5 + 0.65 * rng.random(n), 0, 1)
    share = np.where(rng.random(n) < 0.1, 0.0, share)  # there is nothing left to recover from
    delay = np.minimum(exp_on_grid(_LOG_DAYS[channel] + _SPREAD_DAYS * rng.standard_normal(n)), _MOST_DAYS)
    minutes = np.ceil(delay * 24 * 60).astype(np.int64)
    return Results(
        position=chosen,
        probability=chance(rule[chosen]),
        channel=channel,
        is_illicit=is_illicit,
        is_critical=is_illicit & (scheme == PROHIBITED),
        recovered=np.round(np.where(is_illicit, evaded * share, 0.0), 2),
        known=(traffic.second[chosen] // 60 + minutes) * 60,
        is_random=is_random[chosen],
        overturned=np.full(n, STANDS, np.int64),
    )


def chance(rule: Floats) -> Floats:
    """Return the chance to be inspected at all, by lot or by a rule of probability `rule`.

    >>> chance(np.array([0.0, 0.5])).round(4).tolist()
    [0.02, 0.51]
    """
    return RANDOM_PROBABILITY + (1 - RANDOM_PROBABILITY) * rule


def rules(traffic: Traffic, declared: Declared, known: Knowledge, today: int) -> Floats:
    """Return each item's probability of being chosen by the rules, which see what is known on day `today`."""
    table = goods()
    origin = np.isin(declared.origin, [geography.country(code) for code in _WATCHED_ORIGINS])
    heading = np.isin(table.heading[declared.goods], _WATCHED_HEADINGS)
    doubted = np.isin(declared.tax_type, [TAX_TYPES.index(code) for code in _DOUBTED_PREFERENCES])
    reference = table.usd_per_kg[declared.goods] * _CHEAP_RATIO
    often = known.hits >= _OFFENDER_SHARE * known.concluded
    is_offender = often & (today - known.last_hit < _OFFENDER_DAYS)
    applies = {
        NEWCOMER: today - known.first_seen[traffic.importer] < _NEWCOMER_DAYS,
        CONTROLLED: np.isin(table.chapter[declared.goods], _CONTROLLED_CHAPTERS),
        WATCHED: heading & origin & (declared.rate_pct >= 8),
        PREFERENCE: doubted & (declared.departure != declared.origin),
        CHEAP: (declared.value < reference * declared.mass_kg) & (declared.rate_pct >= 5),
        OFFENDER: is_offender[traffic.importer],
    }
    probability = np.full(traffic.count, EVERYONE)
    for value, flags in applies.items():  # in rising order, so that the highest counts
        probability = np.where(flags, value, probability)
    return probability


def concatenated(parts: list[Results]) -> Results:
    return Results(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Results)))
