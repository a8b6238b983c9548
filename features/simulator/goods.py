"""The goods: a few hundred HS 2022 subheadings over nearly all chapters, with their usual price, spread and duty.

`goods.csv` has one line for each subheading: median price in USD per kg, spread (standard deviation of the log price),
general duty in %, weight in the volume of items, unit of quantity with its usual mass, sector, description. Prices and
duties are of the right order of magnitude, no more.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from features.arrays import Floats, Ints

FILE = Path(__file__).with_name("goods.csv")


@dataclass(frozen=True)
class Sector:
    """Says how goods of a kind travel: median item value (USD), share in parcels, whether in bulk, origins' weights."""

    usd: float
    parcels: float
    is_bulk: bool
    origins: dict[str, float]


def _mix(text: str) -> dict[str, float]:
    """Return weights from a text such as 'CN 50 VN 9'."""
    words = text.split()
    return {country: float(weight) for country, weight in zip(words[::2], words[1::2], strict=True)}


SECTORS = {
    "meat": Sector(32e3, 0, False, _mix("AU 22 US 18 NZ 14 BR 14 NL 7 FR 5 DK 5 AR 5 IE 4 ES 4 TH 6 VN 2")),
    "seafood": Sector(24e3, 0, False, _mix("NO 16 CN 20 VN 20 TH 10 EC 8 CL 8 IN 8 ID 8 JP 3 AR 3 PE 3")),
    "produce": Sector(
        14e3, 0, False, _mix("CN 26 TH 14 VN 16 PH 8 US 10 AU 5 NZ 5 CL 5 EC 4 NL 4 KE 3 ZA 3 ET 2 MX 3 IN 4")
    ),
    "tropical": Sector(
        18e3, 0.02, False, _mix("VN 20 BR 14 ID 12 IN 12 CO 6 ET 6 LK 7 CN 10 GT 3 KE 4 CI 3 GH 3 IT 4 US 3")
    ),
    "grain": Sector(180e3, 0, True, _mix("US 20 AU 18 BR 12 AR 10 UA 7 CA 9 TH 12 VN 8 MY 8 ID 8 IN 8 FR 4 MM 3")),
    "food": Sector(
        9e3, 0.1, False, _mix("CN 18 US 14 TH 14 VN 8 IT 9 JP 8 KR 8 DE 5 FR 6 ES 5 MY 5 SG 4 AU 4 NL 4 BE 3 TR 3")
    ),
    "drinks": Sector(
        12e3, 0.03, False, _mix("FR 20 IT 12 GB 14 CL 8 AU 8 ES 7 US 8 MX 4 NL 5 BE 4 JP 5 CN 5 TH 4 NZ 3 ZA 2")
    ),
    "mineral": Sector(
        450e3, 0, True, _mix("AU 14 ID 12 SA 12 AE 10 CN 14 QA 5 KW 5 MY 9 SG 12 VN 8 TH 8 IN 5 US 5 OM 3 TR 4")
    ),
    "chemical": Sector(
        16e3, 0.01, False, _mix("CN 34 JP 12 US 12 DE 10 KR 10 IN 7 SG 4 TW 4 FR 3 BE 3 CH 3 TH 4 NL 2 MY 3")
    ),
    "pharma": Sector(
        11e3, 0.16, False, _mix("FR 13 US 15 DE 10 CH 8 KR 10 IE 5 IN 9 CN 12 JP 8 GB 5 IT 4 BE 4 TH 3 SG 2")
    ),
    "plastic": Sector(9e3, 0.04, False, _mix("CN 44 KR 9 JP 9 TH 9 US 7 MY 6 VN 7 TW 5 SA 3 DE 5 SG 3 IT 2 ID 3")),
    "leather": Sector(5e3, 0.2, False, _mix("CN 42 IT 20 FR 9 VN 9 IN 7 ES 3 ID 4 KH 3 TR 2 BD 2 PK 2")),
    "wood": Sector(
        12e3, 0.05, False, _mix("CN 30 ID 11 VN 13 MY 9 TH 7 US 8 CA 5 FI 4 SE 4 DE 4 BR 4 CL 3 NZ 3 JP 3 GB 3")
    ),
    "fabric": Sector(12e3, 0.01, False, _mix("CN 54 IN 10 VN 7 KR 7 TW 6 JP 4 IT 4 TR 4 ID 4 PK 4 US 3 TH 3")),
    "apparel": Sector(
        6e3, 0.16, False, _mix("CN 42 VN 15 BD 12 KH 7 IN 6 ID 6 MM 3 TR 4 IT 4 PK 3 LK 2 TH 3 PT 1 ET 1")
    ),
    "ceramic": Sector(9e3, 0.01, False, _mix("CN 54 VN 8 TH 7 IN 7 IT 6 MY 5 ID 5 ES 4 DE 3 JP 3 TR 3 GB 1")),
    "luxury": Sector(14e3, 0.12, False, _mix("CH 18 CN 18 IT 14 HK 9 TH 10 IN 9 FR 7 JP 6 US 5 AE 4 BE 3 GB 3")),
    "metal": Sector(
        15e3, 0.01, False, _mix("CN 44 JP 10 KR 10 VN 6 TW 6 IN 5 DE 5 TH 5 US 4 MY 3 TR 3 ID 3 IT 3 AU 3 CL 2")
    ),
    "machine": Sector(
        14e3, 0.04, False, _mix("CN 34 JP 15 DE 13 US 10 KR 7 IT 7 TH 6 TW 4 FR 3 GB 3 SE 2 CH 2 VN 2 MY 2")
    ),
    "electronic": Sector(17e3, 0.13, False, _mix("CN 46 VN 13 TW 9 KR 9 JP 6 MY 7 TH 5 US 5 PH 3 DE 2 SG 3 MX 1")),
    "vehicle": Sector(
        22e3, 0.02, False, _mix("JP 24 CN 22 DE 13 KR 11 TH 12 US 5 ID 3 GB 3 IT 2 FR 2 IN 3 CZ 2 VN 2 HU 1")
    ),
    "instrument": Sector(
        11e3, 0.08, False, _mix("US 20 CN 22 DE 15 JP 14 KR 6 CH 4 GB 4 FR 3 MY 4 SG 4 IT 3 MX 2 IE 3")
    ),
    "consumer": Sector(7e3, 0.14, False, _mix("CN 60 VN 11 TH 5 ID 4 MY 4 JP 4 IT 3 US 4 DE 3 TW 3 KR 3 PL 2")),
}  # fmt: skip


@dataclass(frozen=True)
class Goods:
    """The columns of `goods.csv` as arrays; `sector` is an index in the order of `SECTORS`."""

    hs6: pl.Series
    description: pl.Series
    unit: pl.Series
    usd_per_kg: Floats
    spread: Floats
    duty_pct: Floats
    weight: Floats
    kg_per_unit: Floats  # NaN if the unit is the kilogram
    chapter: Ints
    heading: Ints
    sector: Ints

    @property
    def count(self) -> int:
        return len(self.weight)


@cache
def goods() -> Goods:
    """Return the table, which is read once."""
    table = pl.read_csv(FILE, schema_overrides={"hs6": pl.String})
    names = list(SECTORS)
    return Goods(
        hs6=table["hs6"],
        description=table["description"],
        unit=table["unit"],
        usd_per_kg=_floats(table["usd_per_kg"]),
        spread=_floats(table["spread"]),
        duty_pct=_floats(table["duty_pct"]),
        weight=_floats(table["weight"]),
        kg_per_unit=_floats(table["kg_per_unit"]),
        chapter=table["hs6"].str.slice(0, 2).cast(pl.Int64).to_numpy(),
        heading=table["hs6"].str.slice(0, 4).cast(pl.Int64).to_numpy(),
        sector=np.array([names.index(sector) for sector in table["sector"]], np.int64),
    )


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
