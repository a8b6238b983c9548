"""What truly crosses the border: items drawn from the lanes that are open, before anyone declares anything."""

from dataclasses import dataclass, fields

import numpy as np

from features.arrays import Flags, Floats, Ints
from features.simulator import entities, geography, prices, tariff
from features.simulator.days import SECONDS
from features.simulator.draws import exp_on_grid, pick
from features.simulator.entities import NOBODY, Lanes
from features.simulator.goods import goods

_HEAVIEST_KG, _HEAVIEST_AIR_KG, _HEAVIEST_PARCEL_KG = 3e8, 6e4, 60.0


@dataclass(frozen=True)
class Traffic:
    """Items as arrays with one element each, in order of acceptance; `rate_pct` is what an honest declaration pays."""

    declaration: Ints
    item: Ints
    second: Ints
    lane: Ints
    importer: Ints
    seller: Ints
    declarant: Ints
    courier: Ints
    mode: Ints
    office: Ints
    departure: Ints
    goods: Ints
    origin: Ints
    claims: Flags
    is_later: Flags
    rate_pct: Floats
    log_price: Floats
    value: Floats
    mass_kg: Floats
    quantity: Floats
    gross_kg: Floats
    import_type: Ints
    import_use: Ints
    payment_type: Ints

    @property
    def count(self) -> int:
        return len(self.item)


@dataclass(frozen=True)
class Setting:
    """Keeps what holds for the whole simulation.

    It has sellers' quality (by number), price drift (sectors x months), the day from which the later trade defence
    holds, and the month of each day.
    """

    seller_quality: Floats
    drift: Floats
    later_from: int
    month_of_day: Ints


def draw(
    rng: np.random.Generator,
    lanes: Lanes,
    setting: Setting,
    changes: int,
    first_declaration: int,
    seconds: Ints,
    items: Ints,
) -> Traffic:
    """Draw `items` items of each declaration accepted at `seconds`, from lanes open on the day of the first one.

    `changes` counts those of the tariff until then.
    """
    today = seconds[0] // SECONDS
    is_open = (lanes.birth <= today) & (lanes.death > today)
    open_lanes = np.flatnonzero(is_open)
    by_declaration = open_lanes[pick(rng, lanes.weight[open_lanes], len(seconds))]
    number = np.repeat(np.arange(len(seconds), dtype=np.int64), items)
    item = np.arange(len(number), dtype=np.int64) - np.repeat(np.cumsum(items) - items, items) + 1
    lane = by_declaration[number]
    of = lanes.taken(lane)
    kinds = np.where((item > 1) & (rng.random(len(lane)) < 0.8), entities.siblings(rng, of.goods), of.goods)
    second = seconds[number]
    day = second // SECONDS

    table = goods()
    quality = np.where(of.seller == NOBODY, 0.0, setting.seller_quality[of.seller])
    drifted = setting.drift[table.sector[kinds], setting.month_of_day[day]]
    log_price = prices.log_price(kinds, of.origin, quality, rng.standard_normal(len(lane)), drifted)
    log_value = of.log_value + 0.9 * rng.standard_normal(len(lane)) - np.where(items[number] > 1, 0.6, 0.0)
    mass, quantity = _amounts(rng, kinds, log_value - log_price, of.mode, of.courier)
    is_later = day >= setting.later_from
    claims = of.claims & tariff.has_preference(changes)[kinds, of.origin]
    packing = 1.02 + 0.03 * exp_on_grid(0.7 * rng.standard_normal(len(lane)))
    return Traffic(
        declaration=first_declaration + number,
        item=item,
        second=second,
        lane=lane,
        importer=of.importer,
        seller=of.seller,
        declarant=of.declarant,
        courier=of.courier,
        mode=of.mode,
        office=of.office,
        departure=of.departure,
        goods=kinds,
        origin=of.origin,
        claims=claims,
        is_later=is_later,
        rate_pct=tariff.tariff(changes).rates(kinds, of.origin, claims, is_later),
        log_price=log_price,
        value=np.maximum(mass * exp_on_grid(log_price), 0.5),
        mass_kg=mass,
        quantity=quantity,
        gross_kg=mass * packing,
        import_type=of.import_type,
        import_use=of.import_use,
        payment_type=of.payment_type,
    )


def _amounts(
    rng: np.random.Generator, kinds: Ints, log_mass: Floats, mode: Ints, courier: Ints
) -> tuple[Floats, Floats]:
    """Return mass in kg and quantity (NaN without a unit); counted goods are whole pieces of about their usual mass."""
    most = np.where((courier != NOBODY) | (mode == geography.MAIL), _HEAVIEST_PARCEL_KG, _HEAVIEST_KG)
    most = np.where(mode == geography.AIR, np.minimum(most, _HEAVIEST_AIR_KG), most)
    mass = np.clip(exp_on_grid(log_mass), 0.005, most)
    unit = goods().kg_per_unit[kinds] * exp_on_grid(0.12 * rng.standard_normal(len(kinds)))
    has_unit = ~np.isnan(unit)
    pieces = np.where(has_unit, np.maximum(np.rint(mass / np.where(has_unit, unit, 1.0)), 1.0), np.nan)
    return np.where(has_unit, np.maximum(pieces * np.where(has_unit, unit, 1.0), 0.001), mass), pieces


def concatenated(parts: list[Traffic]) -> Traffic:
    return Traffic(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Traffic)))


def seller_quality(rng: np.random.Generator, lanes: Lanes) -> Floats:
    """Draw a standard normal for each seller's number."""
    return rng.standard_normal(int(lanes.seller.max()) + 1)


def months_of_days(starts: Ints) -> Ints:
    """Return the month's number for each day, from the days on which months start (the last one is the end)."""
    return np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
