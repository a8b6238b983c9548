"""What a company register tells of traders: names, addresses, people, telephones, accounts, and predecessors.

Some companies belong to the owner of another one, and a company that rises again belongs to its predecessor's owner.
Such companies share some of their data, written as clerks write it: with a changed legal form, in capitals, or with two
letters swapped. Honest companies are tied too: by nominee directors who serve hundreds, people of one name, and moved
addresses.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from features import contract
from features.arrays import Flags, Ints
from features.simulator import names
from features.simulator.draws import stream
from features.simulator.entities import HABITUAL, PHOENIX, declarants_of
from features.simulator.world import World

_SECOND = 0.03  # share of importers that are a further company of an owner with one of the same kind
_SHARED = {"name": 0.45, "address": 0.4, "person": 0.45, "phone": 0.4, "bank_account": 0.3}
_GIVEN = {"name": 1.0, "address": 1.0, "person": 0.97, "phone": 0.9, "bank_account": 0.8}
_FOLLOWED = 0.08  # share of risen companies whose entry names the predecessor
_NOMINEES_PER_COMPANY = 1 / 800
_HAS_NOMINEE = {False: 0.04, True: 0.15}  # by whether the importer cheats by habit
_MOVES, _LATE, _FILLER = 0.08, 0.03, 0.004
_LATE_DAYS = 90

_FIRST = (
    "Nor",
    "Bel",
    "Kar",
    "Oster",
    "Vin",
    "Mar",
    "Tal",
    "Ros",
    "Hel",
    "Dun",
    "Ara",
    "Sil",
    "Pan",
    "Cor",
    "Lum",
    "Zan",
)
_LAST = ("vale", "mont", "dis", "port", "ham", "lund", "mere", "gard", "wick", "ana", "tex", "field", "berg", "sol")
_TRADES = (
    *("Textiles", "Foods", "Motors", "Electronics", "Chemicals", "Timber", "Metals", "Plastics", "Furniture", "Toys"),
    *("Pharma", "Machinery", "Footwear", "Fashion", "Optics", "Paper", "Ceramics", "Parts", "Beverages", "Tools"),
)
_FORMS = ("Ltd", "LLC", "Trading Co.", "Import Ltd", "& Sons", "Group", "Holding", "International Ltd")
_OTHER_FORMS = ("Limited", "L.L.C.", "Trading Company", "Imports Limited", "and Sons", "Grp", "Holdings", "Intl Ltd")
_STREETS = ("Street", "Road", "Avenue", "Quay", "Lane", "Square")
_SHORT_STREETS = ("St.", "Rd", "Ave.", "Quay", "Ln", "Sq.")
_GIVEN_NAMES = (
    *("Anna", "Boris", "Clara", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Katya", "Liam", "Maya"),
    *("Nadia", "Omar", "Petra", "Quentin", "Rosa", "Samir", "Tara", "Umar", "Vera", "Wei", "Yusuf", "Zoe", "Mei"),
)

_Text = Callable[[Ints, Flags], pl.Series]  # the text of number n, as it is or as another clerk writes it


def entries(world: World, seed: int) -> pl.DataFrame:
    """Return table `register` with `arrives`: everything recorded before the end of the simulation."""
    rng = stream(seed, 40)
    importers = _Companies.importers(world, owners(world, seed))
    declarants = _Companies.declarants(world, len(importers.owner))
    found = [_told(world, rng, companies) for companies in (importers, declarants)]
    rows = pl.concat([*found, _predecessors(world, rng)])
    end = int(world.month_starts[-1])
    rows = rows.filter(pl.col("day") < end).sort("day", "party_role", "party_id", "attribute", "version", "begins")
    # A version of an entry keeps its reference.
    first = pl.struct("party_role", "party_id", "attribute", "place").rank("dense").cast(pl.String).str.zfill(9)
    start = pl.lit(world.start).cast(contract.INSTANT)

    def instant(day: str) -> pl.Expr:
        return (start + pl.duration(days=day)).cast(contract.INSTANT)

    month = np.searchsorted(world.month_starts, rows["day"].to_numpy(), side="right") - 1
    return rows.select(
        entry_id=pl.lit("R") + first,
        recorded_at=(instant("day") + pl.duration(hours=8)).cast(contract.INSTANT),
        party_role="party_role",
        party_id="party_id",
        attribute="attribute",
        value="value",
        begins_at=instant("begins"),
        ends_at=instant("ends"),
        arrives=pl.Series(month.astype(np.int64)),
    )


def owners(world: World, seed: int) -> Ints:
    """Return, for each importer, the number of the first company of its owner."""
    rng = stream(seed, 41)
    kind = world.importers.kind
    owner = np.arange(len(kind), dtype=np.int64)
    second = rng.random(len(kind)) < _SECOND
    for each in np.unique(kind[kind != PHOENIX]):
        of_kind = np.flatnonzero(kind == each)
        firsts, others = of_kind[~second[of_kind]], of_kind[second[of_kind]]
        if len(firsts):
            owner[others] = firsts[rng.integers(0, len(firsts), len(others))]
    for new, old in zip(world.register.importer, world.register.predecessor, strict=True):  # in order of time
        owner[new] = owner[old]
    return owner


@dataclass(frozen=True)
class _Companies:
    """Companies, as arrays with one element each: day of foundation, owner, and whether it cheats by habit."""

    role: str
    party: pl.Series
    founded: Ints
    owner: Ints
    cheats: Flags

    @classmethod
    def importers(cls, world: World, owner: Ints) -> "_Companies":
        kind = world.importers.kind
        party = names.party("I", np.arange(len(kind), dtype=np.int64))
        return cls("importer", party, world.importers.birth, owner, np.isin(kind, (HABITUAL, PHOENIX)))

    @classmethod
    def declarants(cls, world: World, after: int) -> "_Companies":
        """Return the declarants, which have owners of their own, numbered after the importers."""
        count = declarants_of(world.traffic.count)
        party = names.party("D", np.arange(count, dtype=np.int64))
        nobody = np.zeros(count, np.bool_)
        return cls(
            "declarant", party, np.full(count, -1000, np.int64), after + np.arange(count, dtype=np.int64), nobody
        )


def _told(world: World, rng: np.random.Generator, companies: _Companies) -> pl.DataFrame:
    """Return entries of all attributes but the predecessor; a move ends the old address and adds the new one."""
    count = len(companies.owner)
    own = np.arange(count, dtype=np.int64) + (companies.owner[0] if companies.role == "declarant" else 0)
    recorded = np.maximum(companies.founded, 0) + np.where(
        rng.random(count) < _LATE, rng.integers(1, _LATE_DAYS, count), 0
    )
    parts = []
    for attribute, share in _GIVEN.items():
        shares = (companies.owner != own) & (rng.random(count) < _SHARED[attribute])
        number = np.where(shares, companies.owner, own)
        if attribute == "person":
            nominees = max(2, int(count * _NOMINEES_PER_COMPANY))
            chance = np.where(companies.cheats, _HAS_NOMINEE[True], _HAS_NOMINEE[False])
            number = np.where(rng.random(count) < chance, -1 - rng.integers(0, nominees, count), number)
        value = _TEXTS[attribute](number, shares & (rng.random(count) < 0.7))
        filler = pl.Series(rng.random(count) < _FILLER) & (attribute in ("phone", "bank_account"))
        parts.append(
            pl.DataFrame(
                {
                    "party_role": pl.repeat(companies.role, count, eager=True),
                    "party_id": companies.party,
                    "attribute": pl.repeat(attribute, count, eager=True),
                    "place": pl.repeat(0, count, dtype=pl.Int64, eager=True),
                    "version": pl.repeat(0, count, dtype=pl.Int64, eager=True),
                    "value": value.zip_with(~filler, pl.Series(["unknown"])),
                    "begins": companies.founded,
                    "ends": pl.repeat(None, count, dtype=pl.Int64, eager=True),
                    "day": recorded,
                }
            ).filter(pl.Series(rng.random(count) < share))
        )
    return pl.concat([*parts, *_moved(world, rng, parts[list(_GIVEN).index("address")])])


def _moved(world: World, rng: np.random.Generator, addresses: pl.DataFrame) -> list[pl.DataFrame]:
    span = int(world.month_starts[-1])
    movers = addresses.filter(pl.Series(rng.random(addresses.height) < _MOVES))
    moved = movers["day"].to_numpy() + rng.integers(20, max(21, span), movers.height)
    known = moved + rng.integers(0, 20, movers.height)
    number = 5_000_000 + rng.integers(0, 1_000_000, movers.height)
    ended = movers.with_columns(version=pl.lit(1, pl.Int64), ends=pl.Series(moved), day=pl.Series(known))
    new = movers.with_columns(
        place=pl.lit(1, pl.Int64),
        value=_address(number, np.zeros(movers.height, np.bool_)),
        begins=pl.Series(moved),
        day=pl.Series(known),
    )
    return [ended, new]


def _predecessors(world: World, rng: np.random.Generator) -> pl.DataFrame:
    """Return the entries in which the register itself tells whom a few risen companies followed."""
    risen = world.register
    told = np.flatnonzero(rng.random(len(risen.importer)) < _FOLLOWED)
    return pl.DataFrame(
        {
            "party_role": pl.repeat("importer", len(told), eager=True),
            "party_id": names.party("I", risen.importer[told]),
            "attribute": pl.repeat("predecessor", len(told), eager=True),
            "place": pl.repeat(0, len(told), dtype=pl.Int64, eager=True),
            "version": pl.repeat(0, len(told), dtype=pl.Int64, eager=True),
            "value": names.party("I", risen.predecessor[told]),
            "begins": risen.founded[told],
            "ends": pl.repeat(None, len(told), dtype=pl.Int64, eager=True),
            "day": risen.founded[told],
        }
    )


def _name(number: Ints, varied: Flags) -> pl.Series:
    at = _scattered(number, 1)
    forms = pl.when("varied").then(_of(_OTHER_FORMS, at // 7)).otherwise(_of(_FORMS, at // 7))
    text = pl.concat_str(_stem(at), pl.lit(" "), _of(_TRADES, at // 5003), pl.lit(" "), forms)
    return _written(text, at, varied)


def _address(number: Ints, varied: Flags) -> pl.Series:
    at = _scattered(number, 2)
    streets = pl.when("varied").then(_of(_SHORT_STREETS, at // 11)).otherwise(_of(_STREETS, at // 11))
    house = pl.lit(pl.Series(at % 240 + 1).cast(pl.String))
    town = _stem(at // 131)
    return _written(
        pl.concat_str(house, pl.lit(" "), _stem(at // 17), pl.lit(" "), streets, pl.lit(", "), town), at, varied
    )


def _person(number: Ints, varied: Flags) -> pl.Series:
    """Return names of persons; a nominee's number is negative."""
    at = _scattered(number, 3)
    family = pl.concat_str(
        _of(_FIRST, at // 41), _of(_LAST, at // 1009), _of(("", "ov", "son", "i", "ez"), at // 30011)
    )
    return _written(pl.concat_str(_of(_GIVEN_NAMES, at // 3), pl.lit(" "), family), at, varied)


def _phone(number: Ints, varied: Flags) -> pl.Series:
    digits = pl.lit(pl.Series(_scattered(number, 4) % 10**8).cast(pl.String).str.zfill(8))
    frame = pl.DataFrame({"varied": varied})
    grouped = pl.concat_str(pl.lit("+99 "), digits.str.slice(0, 4), pl.lit(" "), digits.str.slice(4))
    return frame.select(
        pl.when("varied").then(pl.concat_str(pl.lit("0099"), digits)).otherwise(grouped).alias("text")
    ).to_series()


def _account(number: Ints, varied: Flags) -> pl.Series:
    """Return accounts as IBANs of the user-assigned country ZZ, with check digits (ISO 7064, 97-10)."""
    account = _scattered(number, 5) % 10**14
    check = 98 - (account % 97 * (10**6 % 97) + 353500 % 97) % 97
    text = [f"ZZ{c:02d}{a:014d}" for c, a in zip(check.tolist(), account.tolist(), strict=True)]
    spaced = [" ".join(each[at : at + 4] for at in range(0, len(each), 4)) for each in text]
    return pl.Series("text", spaced).zip_with(pl.Series(varied), pl.Series(text))


_TEXTS: dict[str, _Text] = {
    "name": _name,
    "address": _address,
    "person": _person,
    "phone": _phone,
    "bank_account": _account,
}


def _scattered(number: Ints, salt: int) -> Ints:
    """Return numbers that tell nothing of their neighbours (splitmix64, Steele et al., 2014), none negative."""
    with np.errstate(over="ignore"):
        z = (number.astype(np.uint64) + np.uint64(salt << 40)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


def _of(options: tuple[str, ...], index: Ints) -> pl.Expr:
    return pl.lit(names.chosen(options, index % len(options)))


def _stem(index: Ints) -> pl.Expr:
    return pl.concat_str(_of(_FIRST, index), _of(_LAST, index // len(_FIRST)), _of(("", "a", "o", "en"), index // 229))


def _written(text: pl.Expr, at: Ints, varied: Flags) -> pl.Series:
    """Return texts, where `varied` as another clerk writes them: in capitals, with two letters swapped, or as is."""
    frame = pl.DataFrame({"varied": varied, "how": at // 3 % 3, "place": at // 13 % 6 + 1}).with_columns(text=text)
    letter = pl.col("text").str.slice(pl.col("place"), 1)
    after = pl.col("text").str.slice(pl.col("place") + 1, 1)
    head, tail = pl.col("text").str.slice(0, pl.col("place")), pl.col("text").str.slice(pl.col("place") + 2)
    swapped = pl.concat_str(head, after, letter, tail)
    as_written = (
        pl.when(pl.col("varied") & (pl.col("how") == 0))
        .then(pl.col("text").str.to_uppercase())
        .when(pl.col("varied") & (pl.col("how") == 1))
        .then(swapped)
        .otherwise("text")
    )
    return frame.select(as_written).to_series()
