"""The simulated world as the contract's tables, with `arrives`: the number of the month whose file brings the row."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from features import contract
from features.arrays import Ints
from features.simulator import geography, names, nomenclature, register
from features.simulator.days import SECONDS
from features.simulator.draws import stream
from features.simulator.goods import SECTORS, goods
from features.simulator.inspection import CHANNELS, STANDS
from features.simulator.schemes import NAMES, NONE, PROHIBITED
from features.simulator.tariff import TAX_TYPES
from features.simulator.world import World

_OWN_MARKING = 0.75  # share of items with the marking that is usual for their sector
_NAMED, _GROSS_GIVEN, _DOCUMENT_GIVEN, _CONTAINER_GIVEN = 0.94, 0.8, 0.92, 0.9
_SHORT, _CAPITALS = 0.12, 0.3  # share of descriptions cut to two words, and of those in capitals


@dataclass(frozen=True)
class Tables:
    """The contract's tables with `arrives` (Int64): one row per item; in the register one row per entry."""

    declarations: pl.DataFrame
    outcomes: pl.DataFrame
    truth: pl.DataFrame
    register: pl.DataFrame


def build(world: World, seed: int) -> Tables:
    """Return the tables as they would be if everybody wrote everything down correctly and in time."""
    key = _key(world)
    arrives = _month_of(world, world.traffic.second)
    declarations = _declarations(world, key, seed).with_columns(arrives=pl.Series(arrives))
    truth = key.with_columns(
        scheme=names.chosen(NAMES, world.declared.scheme),
        is_illicit=pl.Series(world.declared.scheme != NONE),
        is_critical=pl.Series(world.declared.scheme == PROHIBITED),
        evaded_revenue=pl.Series(world.declared.evaded),
        arrives=pl.Series(arrives),
    )
    return Tables(declarations, _outcomes(world, key), truth, register.entries(world, seed))


def companies(world: World) -> pl.DataFrame:
    """Return companies that rose again: `importer_id`, `predecessor_id`, `caught_at`, `opened_at`.

    `caught_at` is when the predecessor's last hit was known.
    """
    risen = world.register
    return pl.DataFrame(
        {
            "importer_id": names.party("I", risen.importer),
            "predecessor_id": names.party("I", risen.predecessor),
            "caught_at": _instants(world, risen.caught),
            "opened_at": _instants(world, risen.founded * SECONDS),
        }
    )


def _key(world: World) -> pl.DataFrame:
    traffic = world.traffic
    frame = pl.DataFrame(
        {
            "number": traffic.declaration + 1,
            "item_number": traffic.item,
            "accepted_at": _instants(world, traffic.second),
        }
    )
    reference = pl.concat_str(
        pl.lit("IM"), pl.col("accepted_at").dt.year().cast(pl.String), pl.col("number").cast(pl.String).str.zfill(9)
    )
    return frame.select(reference.alias("declaration_id"), pl.col("item_number").cast(pl.Int32), "accepted_at")


def _declarations(world: World, key: pl.DataFrame, seed: int) -> pl.DataFrame:
    traffic, declared, table = world.traffic, world.declared, goods()
    rng = stream(seed, 20)
    n = traffic.count
    of_declaration = traffic.declaration
    serials = _by_declaration(rng, of_declaration, 10_000_000)
    boxes = _by_declaration(rng, of_declaration, 12_000_000)
    has_document = _by_declaration(rng, of_declaration, 1000) < 1000 * _DOCUMENT_GIVEN
    has_box = _by_declaration(rng, of_declaration, 1000) < 1000 * _CONTAINER_GIVEN
    is_bulk = np.array([sector.is_bulk for sector in SECTORS.values()])[table.sector[traffic.goods]]
    in_box = np.isin(traffic.mode, (geography.SEA, geography.RAIL)) & ~is_bulk & has_box
    sector_marking = table.sector[declared.goods] % len(names.MARKINGS)
    any_marking = rng.integers(0, len(names.MARKINGS), n)
    marking = np.where(rng.random(n) < _OWN_MARKING, sector_marking, any_marking)
    columns: dict[str, pl.Series] = {
        "recorded_at": pl.repeat(None, n, dtype=contract.INSTANT, eager=True),
        "office": names.chosen([office.code for office in geography.OFFICES], traffic.office),
        "procedure": names.chosen(names.PROCEDURES, traffic.import_type),
        "import_type": names.chosen(names.IMPORT_TYPES, traffic.import_type),
        "import_use": names.chosen(names.IMPORT_USES, traffic.import_use),
        "payment_type": names.chosen(names.PAYMENT_TYPES, traffic.payment_type),
        "transport_mode": names.chosen(geography.MODES, traffic.mode),
        "declarant_id": names.party("D", traffic.declarant),
        "importer_id": names.party("I", traffic.importer),
        "seller_id": names.party("S", declared.seller),
        "courier_id": names.party("C", traffic.courier),
        "hs_code": names.chosen(nomenclature.codes(), declared.code),
        "departure_country": names.chosen(geography.COUNTRIES, declared.departure),
        "origin_country": names.chosen(geography.COUNTRIES, declared.origin),
        "tax_rate_pct": pl.Series(declared.rate_pct),
        "tax_type": names.chosen(TAX_TYPES, declared.tax_type),
        "origin_marking": _given(names.chosen(names.MARKINGS, marking), rng.random(n) < 0.98),
        "net_mass_kg": pl.Series(declared.mass_kg),
        "item_value": pl.Series(declared.value),
        "currency": pl.repeat("USD", n, eager=True),
        "goods_description": _descriptions(rng, declared.described),
        "quantity": pl.Series(declared.quantity, nan_to_null=True),
        "quantity_unit": names.chosen(table.unit, declared.goods),
        "gross_mass_kg": _given(pl.Series(declared.gross_kg), rng.random(n) < _GROSS_GIVEN),
        "container_id": names.containers(boxes // 1_000_000, boxes % 1_000_000, in_box),
        "transport_document_id": names.transport_documents(traffic.mode, serials, has_document),
    }
    return (
        key.with_columns(**columns)
        .select(contract.schema("declarations").names())
        .cast(dict(contract.schema("declarations")))
    )


def _outcomes(world: World, key: pl.DataFrame) -> pl.DataFrame:
    """Return what was found, and after it what appeals made of it; what is not known by the end is left out."""
    results = world.results
    overturned = np.flatnonzero(results.overturned != STANDS)
    of = np.concatenate([np.arange(len(results.position), dtype=np.int64), overturned])
    stands = np.arange(len(of)) < len(results.position)
    known = np.concatenate([results.known, results.overturned[overturned]])
    frame = key[pl.Series(results.position[of])].with_columns(
        is_inspected=pl.repeat(True, len(of), eager=True),
        is_illicit=pl.Series(results.is_illicit[of] & stands),
        is_critical=pl.Series(results.is_critical[of]),
        recovered_revenue=pl.Series(results.recovered[of] * stands),
        inspection_channel=names.chosen(CHANNELS, results.channel[of]),
        selection_probability=pl.Series(results.probability[of], nan_to_null=True),
        known_at=_instants(world, known),
    )
    frame = frame.cast(dict(contract.schema("outcomes")))
    is_known = known < world.month_starts[-1] * SECONDS
    month = _month_of(world, np.where(is_known, known, 0))
    return frame.with_columns(arrives=pl.Series(month)).filter(pl.Series(is_known))


def _descriptions(rng: np.random.Generator, described: Ints) -> pl.Series:
    """Describe the goods as their heading does, cut short, or in capitals; some have no description."""
    text = pl.DataFrame({"whole": goods().description}).with_columns(
        short=pl.col("whole").str.split(" ").list.head(2).list.join(" "), capitals=pl.col("whole").str.to_uppercase()
    )
    n = len(described)
    style = rng.random(n)
    variant = np.select([style < _SHORT, style < _SHORT + _CAPITALS], [1, 2], 0)
    every = pl.concat([text["whole"], text["short"].alias("whole"), text["capitals"].alias("whole")])
    return _given(names.chosen(every, described + variant * goods().count), rng.random(n) < _NAMED)


def _by_declaration(rng: np.random.Generator, declaration: Ints, below: int) -> Ints:
    """Draw a whole number under `below` for each item, the same for all items of a declaration."""
    return rng.integers(0, below, int(declaration[-1]) + 1)[declaration]


def _given(values: pl.Series, is_given: np.ndarray) -> pl.Series:
    frame = pl.DataFrame({"value": values, "is_given": is_given})
    return frame.select(pl.when("is_given").then("value")).to_series()


def _instants(world: World, seconds: Ints) -> pl.Series:
    start = datetime(world.start.year, world.start.month, world.start.day)
    frame = pl.DataFrame({"seconds": seconds})
    return frame.select(
        (pl.lit(start, contract.INSTANT) + pl.duration(seconds="seconds")).cast(contract.INSTANT)
    ).to_series()


def _month_of(world: World, seconds: Ints) -> Ints:
    month = np.searchsorted(world.month_starts, seconds // SECONDS, side="right") - 1
    return month.astype(np.int64)
