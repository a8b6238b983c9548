"""The places that goods come from and enter by: countries, trade agreements, offices.

The importing country is invented: it has a coast on the South China Sea, and land borders with Thailand and Viet Nam.
Countries of origin are real, so that codes and regions mean what they say.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from features.arrays import Floats, Ints
from features.simulator.goods import SECTORS

# The region of departure decides transport and seaport.
REGIONS = {
    "neighbour": "TH VN",
    "asia": "CN HK JP KR TW MY SG ID PH KH MM LA BN",
    "west_asia": "IN PK BD LK AE SA QA KW OM TR NP",
    "pacific": "AU NZ US CA MX CL PE EC CO BR AR GT",
    "europe": "DE FR IT ES NL BE GB IE DK NO SE FI CH CZ HU PL PT UA AT",
    "africa": "KE ZA ET CI GH TZ MG",
}
COUNTRIES: tuple[str, ...] = tuple(code for codes in REGIONS.values() for code in codes.split())
REGION_OF: Ints = np.array([i for i, codes in enumerate(REGIONS.values()) for _ in codes.split()], np.int64)

# The log price against the world's median for the same subheading: roughly quality and labour.
_PRICE_LEVELS = {
    "CH": 0.45, "IT": 0.3, "FR": 0.35, "DE": 0.3, "GB": 0.3, "JP": 0.3, "US": 0.25, "SE": 0.25, "AT": 0.25, "DK": 0.2,
    "IE": 0.25, "NL": 0.15, "BE": 0.15, "KR": 0.1, "CA": 0.1, "TW": 0.0, "SG": 0.1, "ES": 0.1, "CN": -0.2, "VN": -0.2,
    "IN": -0.25, "BD": -0.4, "PK": -0.35, "KH": -0.3, "MM": -0.35, "ID": -0.2, "ET": -0.3, "LA": -0.3, "TH": -0.1,
}  # fmt: skip

EU = frozenset(c for c in REGIONS["europe"].split() if c not in ("GB", "NO", "CH", "UA"))


@dataclass(frozen=True)
class Agreement:
    """A preference: its code as declared, its members, and the shares of the general duty it leaves, by goods."""

    code: str
    members: frozenset[str]
    leaves: tuple[float, ...]


def _agreement(code: str, members: str, *leaves: float) -> Agreement:
    return Agreement(code, frozenset(members.split()), leaves)


AGREEMENTS = (
    _agreement("FAS1", "TH VN MY ID PH SG BN", 0.0, 0.0, 0.0, 0.3),
    _agreement("FCN1", "CN", 0.0, 0.4, 0.65, 1.0),
    _agreement("FKR1", "KR", 0.0, 0.0, 0.5, 1.0),
    _agreement("FJP1", "JP", 0.0, 0.3, 0.7, 1.0),
    _agreement("FAU1", "AU NZ", 0.0, 0.0, 0.4),
    _agreement("FEU1", " ".join(sorted(EU)), 0.0, 0.0, 0.3, 1.0),
    _agreement("FGB1", "GB", 0.0, 0.3, 1.0),
    _agreement("FIN1", "IN", 0.5, 0.75, 1.0),
    _agreement("FCL1", "CL PE", 0.0, 0.5),
    _agreement("GSP", "BD KH MM LA NP ET TZ MG LK", 0.0, 0.0, 0.5),
)


@dataclass(frozen=True)
class Office:
    """An office: the one transport mode that it clears (UN/ECE Rec. 19), its weight there, and its pull by region."""

    code: str
    mode: str
    weight: float
    regions: tuple[float, ...]


# The pull is by region in the order of REGIONS; codes keep a leading zero.
OFFICES = (
    Office("010", "1", 5.0, (1, 3, 1, 2, 1, 1)),
    Office("011", "1", 3.0, (1, 1, 3, 1, 3, 3)),
    Office("012", "1", 1.0, (3, 1, 1, 1, 1, 1)),
    Office("015", "1", 0.6, (1, 1, 1, 1, 1, 1)),
    Office("020", "4", 6.0, (1, 1, 1, 1, 1, 1)),
    Office("021", "4", 1.5, (1, 3, 1, 0.5, 0.5, 0.5)),
    Office("030", "3", 4.0, (3, 1, 1, 1, 1, 1)),
    Office("031", "3", 2.0, (3, 1, 1, 1, 1, 1)),
    Office("032", "3", 0.7, (1, 4, 1, 1, 1, 1)),
    Office("040", "2", 1.0, (1, 1, 1, 1, 1, 1)),
    Office("050", "5", 1.0, (1, 1, 1, 1, 1, 1)),
)

MODES = ("1", "2", "3", "4", "5")
SEA, RAIL, ROAD, AIR, MAIL = range(5)

# In these places goods of other origins change ship or plane.
HUBS = ("HK", "SG", "AE", "NL", "VN")


@cache
def price_levels() -> Floats:
    """Return the log price level of each of `COUNTRIES`."""
    return np.array([_PRICE_LEVELS.get(country, 0.0) for country in COUNTRIES])


@cache
def origin_weights() -> Floats:
    """Return the weights of origins, sectors x countries."""
    return np.array([[sector.origins.get(c, 0.0) for c in COUNTRIES] for sector in SECTORS.values()])


@cache
def agreement_of() -> Ints:
    """Return the index into `AGREEMENTS` for each of `COUNTRIES`, -1 for none."""
    return np.array(
        [next((i for i, a in enumerate(AGREEMENTS) if country in a.members), -1) for country in COUNTRIES], np.int64
    )


@cache
def office_weights() -> Floats:
    """Return the weights of offices, modes x regions x offices."""
    return np.array(
        [
            [[o.weight * o.regions[r] if o.mode == mode else 0.0 for o in OFFICES] for r in range(len(REGIONS))]
            for mode in MODES
        ]
    )


def country(code: str) -> int:
    """Return the index of a country.

    >>> COUNTRIES[country("VN")]
    'VN'
    """
    return COUNTRIES.index(code)
