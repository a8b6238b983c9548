"""The traders: importers, and the lanes by which each of them trades.

A lane is a standing relation: importer, seller, origin, goods, declarant, courier, transport, office. Declarations are
drawn from lanes, so relations repeat as they do in life. Days count from the start of the simulation; an importer or
lane that existed before has a negative birth.
"""

from dataclasses import dataclass, fields

import numpy as np

from features.arrays import Flags, Floats, Ints
from features.simulator import geography
from features.simulator.draws import exp_on_grid, pick, pick_by_row
from features.simulator.geography import AIR, MAIL, RAIL, ROAD, SEA
from features.simulator.goods import SECTORS, goods

# Kinds of importers, by how often they cheat when it pays.
HONEST, OCCASIONAL, HABITUAL, SMUGGLER, PHOENIX = range(5)
_KIND_SHARES = (0.827, 0.105, 0.065, 0.003)
_OFFENDER_WEIGHT = 60.0  # the largest traders do not cheat by habit; they have too much to lose

_IMPORTERS_PER_ITEM, _DECLARANTS_PER_ITEM, _COURIERS = 0.055, 0.0014, 40
_CROOKED_DECLARANTS = 0.06  # share of declarants whom offenders seek
_FOUNDED_BEFORE = 0.55  # share of importers that exist at the start
NOBODY = -1


@dataclass(frozen=True)
class Importers:
    """The importers, as arrays with one element each."""

    birth: Ints
    death: Ints
    weight: Floats
    kind: Ints
    favourite: Ints  # the scheme an offender turns to first


@dataclass(frozen=True)
class Lanes:
    """The lanes, as arrays with one element each; countries, goods, offices by index, parties by number or `NOBODY`."""

    importer: Ints
    birth: Ints
    death: Ints
    weight: Floats
    goods: Ints
    origin: Ints
    departure: Ints
    seller: Ints
    declarant: Ints
    courier: Ints
    mode: Ints
    office: Ints
    log_value: Floats
    claims: Flags  # whether the origin's preference is claimed if there is one
    import_type: Ints
    import_use: Ints
    payment_type: Ints

    def taken(self, index: Ints) -> "Lanes":
        return Lanes(*(getattr(self, field.name)[index] for field in fields(self)))

    def joined(self, more: "Lanes") -> "Lanes":
        return Lanes(*(np.concatenate([getattr(self, f.name), getattr(more, f.name)]) for f in fields(self)))


def declarants_of(rows: int) -> int:
    """Return how many declarants serve a trade of `rows` items."""
    return max(12, int(rows * _DECLARANTS_PER_ITEM))


def found_importers(rng: np.random.Generator, rows: int, days: int, schemes: int) -> Importers:
    """Draw importers for a trade of `rows` items over `days`; `schemes` is the number an offender may favour."""
    n = max(80, int(rows * _IMPORTERS_PER_ITEM))
    founded = np.where(rng.random(n) < _FOUNDED_BEFORE, -rng.integers(1, 2000, n), rng.integers(0, days, n))
    weight = np.minimum((1 - rng.random(n)) ** (-1 / 1.15), 500.0)
    # Large traders last long; many of the small ones come once.
    life = exp_on_grid(6.4 + 0.9 * rng.standard_normal(n) + 0.25 * np.log(weight))
    life = np.where((rng.random(n) < 0.3) & (weight < 5), rng.integers(5, 60, n), life)
    kind = pick(rng, np.array(_KIND_SHARES), n)
    kind = np.where((kind != HONEST) & (weight > _OFFENDER_WEIGHT), HONEST, kind)
    # Importers from before the start are alive at the start: the dead of earlier years are not simulated.
    death = np.maximum(founded, 0) + life.astype(np.int64) + 7
    return Importers(founded, death, weight, kind, rng.integers(0, schemes, n))


def lay_lanes(rng: np.random.Generator, importers: Importers, rows: int, days: int) -> Lanes:
    """Draw the lanes of `importers`."""
    table, n_importers = goods(), len(importers.weight)
    per_importer = np.minimum(1 + (rng.random(n_importers) * 2.2 * importers.weight**0.6).astype(np.int64), 40)
    importer = np.repeat(np.arange(n_importers, dtype=np.int64), per_importer)
    n = len(importer)
    is_first = np.concatenate([[True], importer[1:] != importer[:-1]])
    size = importers.weight[importer]

    sector_weight = np.bincount(table.sector, table.weight, len(SECTORS)).astype(np.float64)
    home = pick(rng, sector_weight, n_importers)[importer]
    sector = np.where(rng.random(n) < 0.12, pick(rng, sector_weight, n), home)
    kinds = _goods_of(rng, sector)
    origin = pick_by_row(rng, geography.origin_weights()[sector])

    start = np.maximum(importers.birth[importer], 0)
    span = np.minimum(importers.death[importer], days) - start
    begins = np.where(rng.random(n) < 0.55, importers.birth[importer], start + (rng.random(n) * span).astype(np.int64))
    lasts = exp_on_grid(5.9 + 0.9 * rng.standard_normal(n)).astype(np.int64) + 10
    ends = np.minimum(np.maximum(begins, 0) + lasts, importers.death[importer])
    birth, death = (
        np.where(is_first, importers.birth[importer], begins),
        np.where(is_first, importers.death[importer], ends),
    )
    age = np.clip(birth / max(days, 1), 0, 1)

    mode, courier = _transport(rng, kinds, origin, sector, age)
    departure = _departures(rng, origin, mode)
    office_weights = geography.office_weights()[mode, geography.REGION_OF[departure]]
    is_parcel = courier != NOBODY
    log_value = np.log(np.array([s.usd for s in SECTORS.values()]))[sector] + 0.3 * np.log(size) - 0.3
    log_value = np.where(is_parcel | (mode == MAIL), 4.9, log_value) + 0.8 * rng.standard_normal(n)
    return Lanes(
        importer=importer,
        birth=birth,
        death=death,
        weight=size / per_importer[importer] * exp_on_grid(0.9 * rng.standard_normal(n)),
        goods=kinds,
        origin=origin,
        departure=departure,
        seller=_sellers(rng, origin, sector, age),
        declarant=_declarants(rng, importers, importer, declarants_of(rows), age),
        courier=courier,
        mode=mode,
        office=pick_by_row(rng, office_weights),
        log_value=log_value,
        claims=rng.random(n) < 0.82,
        import_type=np.where(is_parcel, 1, pick(rng, np.array([0.9, 0.0, 0.05, 0.03, 0.02]), n)),
        import_use=pick(rng, np.array([0.86, 0.09, 0.03, 0.02]), n),
        payment_type=pick(rng, np.array([0.66, 0.2, 0.08, 0.06]), n),
    )


def _goods_of(rng: np.random.Generator, sector: Ints) -> Ints:
    """Draw goods of its sector for each lane, by their weight."""
    table = goods()
    chosen = np.empty(len(sector), np.int64)
    for number in range(len(SECTORS)):
        here = np.flatnonzero(sector == number)
        chosen[here] = pick(rng, np.where(table.sector == number, table.weight, 0.0), len(here))
    return chosen


def siblings(rng: np.random.Generator, goods_index: Ints) -> Ints:
    """Draw other (or the same) goods of its sector for each item: what else a consignment holds."""
    return _goods_of(rng, goods().sector[goods_index])


def _transport(rng: np.random.Generator, kinds: Ints, origin: Ints, sector: Ints, age: Floats) -> tuple[Ints, Ints]:
    """Draw the mode of each lane, and the courier of express parcels."""
    table, n = goods(), len(kinds)
    price, unit = table.usd_per_kg[kinds], np.nan_to_num(table.kg_per_unit[kinds], nan=1.0)
    is_near = geography.REGION_OF[origin] == 0
    is_china = origin == geography.country("CN")
    is_bulk = np.array([s.is_bulk for s in SECTORS.values()])[sector]
    by_air = np.select([is_bulk, unit > 400, price > 100, price > 25, price > 6], [0.0, 0.02, 0.88, 0.4, 0.12], 0.03)
    by_road = np.select([is_near, is_china], [0.72, 0.13], 0.0)
    by_rail = np.where(is_china & ~is_bulk, 0.03, 0.0)
    u = rng.random(n)
    overland = np.select([u < by_road, u < by_road + by_rail], [ROAD, RAIL], SEA)
    mode = np.where(rng.random(n) < by_air, AIR, overland)
    parcels = np.where(unit < 20, np.array([s.parcels for s in SECTORS.values()])[sector], 0.0)
    v = rng.random(n)
    is_express, is_post = v < parcels * 0.85, (v >= parcels * 0.85) & (v < parcels)
    courier = (_COURIERS * (0.85 * rng.random(n) ** 3 + 0.15 * age)).astype(np.int64)
    mode = np.select([is_express, is_post], [AIR, MAIL], mode)
    return mode.astype(np.int64), np.where(is_express, courier, NOBODY)


def _departures(rng: np.random.Generator, origin: Ints, mode: Ints) -> Ints:
    """Draw the country of departure: the origin, or a hub for some of what comes by sea or air."""
    hubs = np.array([geography.country(code) for code in geography.HUBS], np.int64)
    through = hubs[pick(rng, np.array([4.0, 4.0, 1.0, 1.0, 0.5]), len(origin))]
    is_through = (rng.random(len(origin)) < 0.09) & np.isin(mode, (SEA, AIR))
    return np.where(is_through, through, origin)


def _sellers(rng: np.random.Generator, origin: Ints, sector: Ints, age: Floats) -> Ints:
    """Draw sellers. They belong to an origin and a sector; a few serve many lanes, and later lanes meet newer ones."""
    _, index, lanes = np.unique(origin * len(SECTORS) + sector, return_inverse=True, return_counts=True)
    several = np.maximum(1, (lanes * 0.55).astype(np.int64))
    first = np.cumsum(several) - several
    popular = 0.75 * rng.random(len(origin)) ** 2.4 + 0.25 * rng.random(len(origin)) * age
    seller = first[index] + (popular * several[index]).astype(np.int64)
    return np.where(rng.random(len(origin)) < 0.08, NOBODY, seller)


def _declarants(rng: np.random.Generator, importers: Importers, importer: Ints, count: int, age: Floats) -> Ints:
    """Draw each importer's declarant, for some lanes a second one; offenders often find the crooked few."""
    n = len(importers.weight)
    main = (count * (0.9 * rng.random(n) ** 2.6 + 0.1 * np.clip(importers.birth / 2000, 0, 1))).astype(np.int64)
    crooked = np.flatnonzero(rng.random(count) < _CROOKED_DECLARANTS)
    seeks = np.isin(importers.kind, (OCCASIONAL, HABITUAL, SMUGGLER)) & (rng.random(n) < 0.3) & (len(crooked) > 0)
    if len(crooked):
        main = np.where(seeks, crooked[rng.integers(0, len(crooked), n)], main)
    other = (count * (0.9 * rng.random(len(importer)) ** 2.6 + 0.1 * age)).astype(np.int64)
    return np.where(rng.random(len(importer)) < 0.12, other, main[importer])


def tempted(rate_pct: Floats) -> Floats:
    """Return the temptation by the honest rate in %.

    >>> tempted(np.array([0.0, 8.0, 40.0])).tolist()
    [0.0, 0.9, 1.8]
    """
    return np.where(rate_pct > 0, np.clip(0.1 + rate_pct / 10, 0.2, 1.8), 0.0)
