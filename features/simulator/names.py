"""Codes and references as a declaration writes them: parties, containers, transport documents, national codes."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.arrays import Flags, Ints
from features.simulator.draws import opaque
from features.simulator.entities import NOBODY

PROCEDURES = ("40", "40", "51", "71", "53")  # by import type
IMPORT_TYPES = ("11", "15", "21", "87", "94")  # general, express, processing, warehouse, temporary
IMPORT_USES = ("21", "11", "26", "23")
PAYMENT_TYPES = ("11", "43", "18", "14")
MARKINGS = ("G", "Y", "E", "B", "S")

_OWNERS = ("CSQU", "HLBU", "KTRU", "MORU", "NDLU", "OCGU", "PRSU", "QTAU", "SVNU", "TWRU", "VLKU", "YMAU")
_LETTER_VALUES = [value for value in range(10, 39) if value % 11]  # A is 10; ISO 6346 leaves out multiples of 11
_AIRLINES = ("176", "618", "217", "738", "160", "020")


def chosen(options: Sequence[str] | pl.Series, index: Ints) -> pl.Series:
    """Return the options at `index`."""
    return pl.Series(options, dtype=pl.String).gather(pl.Series(index, dtype=pl.Int64))


def party(prefix: str, numbers: Ints) -> pl.Series:
    """Return opaque names of parties; null for nobody.

    >>> party("I", np.array([0, NOBODY])).to_list()
    ['I27182818', None]
    """
    frame = pl.DataFrame({"n": opaque(numbers), "is_known": numbers != NOBODY})
    name = pl.concat_str(pl.lit(prefix), pl.col("n").cast(pl.String).str.zfill(8))
    return frame.select(pl.when("is_known").then(name)).to_series()


def containers(owner: Ints, serial: Ints, has: Flags) -> pl.Series:
    """Return container numbers by ISO 6346 with their check digit; null if `has` is false. Serials have 6 digits.

    >>> containers(np.array([0]), np.array([305438]), np.array([True])).to_list()
    ['CSQU3054383']
    """
    owner = owner % len(_OWNERS)
    sums = np.array(
        [sum(_LETTER_VALUES[ord(c) - ord("A")] * 2**i for i, c in enumerate(text)) for text in _OWNERS], np.int64
    )[owner]
    for place in range(6):
        sums += (serial // 10 ** (5 - place) % 10) * 2 ** (4 + place)
    frame = pl.DataFrame({"owner": chosen(_OWNERS, owner), "serial": serial, "check": sums % 11 % 10, "has": has})
    number = pl.concat_str("owner", pl.col("serial").cast(pl.String).str.zfill(6), pl.col("check").cast(pl.String))
    return frame.select(pl.when("has").then(number)).to_series()


def transport_documents(mode: Ints, serial: Ints, has: Flags) -> pl.Series:
    """Return air waybills (with check digit), bills of lading, road and rail consignment notes; null if not given."""
    frame = pl.DataFrame(
        {"mode": mode, "serial": serial, "check": serial % 7, "has": has, "line": chosen(_AIRLINES, serial % 6)}
    )
    digits = pl.col("serial").cast(pl.String).str.zfill(7)
    waybill = pl.concat_str("line", pl.lit("-"), digits, pl.col("check").cast(pl.String))
    kinds = {0: "BL", 1: "CIM", 2: "CMR", 4: "CP"}
    other = pl.concat_str(pl.col("mode").replace_strict(kinds, default="", return_dtype=pl.String), digits)
    return frame.select(pl.when("has").then(pl.when(pl.col("mode") == 3).then(waybill).otherwise(other))).to_series()
