"""The true prices of goods: log USD per kg by subheading and origin, drifting by sector over the months.

`goods.csv` has the level of a subheading. An origin shifts it by its general price level and by an amount of its own
for each subheading; a seller's quality and the deal itself spread it further. The last two share the subheading's
spread, so a repeat customer's prices are narrower than the market's.
"""

from functools import cache

import numpy as np

from features.arrays import Floats, Ints
from features.simulator import geography
from features.simulator.draws import stream
from features.simulator.goods import SECTORS, goods

_ORIGIN_SPREAD = 0.5  # the share of the subheading's spread
_SELLER_SHARE = 0.6
_DEAL_SHARE = 0.6
_MONTHLY_DRIFT = 0.012


@cache
def usual() -> Floats:
    """Return usual prices, goods x countries, in log USD per kg."""
    table = goods()
    own = stream(1, 2).standard_normal((table.count, len(geography.COUNTRIES)))
    # Raw materials cost the same everywhere: an origin's level counts only as far as the goods' prices spread.
    level = geography.price_levels()[None, :] * np.minimum(table.spread, 0.6)[:, None] / 0.6
    return np.log(table.usd_per_kg)[:, None] + level + own * table.spread[:, None] * _ORIGIN_SPREAD


def drift(seed: int, months: int) -> Floats:
    """Return a random walk of log prices, sectors x months."""
    steps = stream(seed, 3).standard_normal((len(SECTORS), months)) * _MONTHLY_DRIFT
    return np.cumsum(steps, axis=1)


def log_price(goods_index: Ints, origin: Ints, seller: Floats, deal: Floats, drifted: Floats) -> Floats:
    """Return log USD per kg of items; `seller` and `deal` are standard normal, `drifted` is the sector's drift."""
    spread = goods().spread[goods_index]
    return usual()[goods_index, origin] + spread * (_SELLER_SHARE * seller + _DEAL_SHARE * deal) + drifted
