"""Shocks to trade: a seaport that is closed for some weeks, and a route that moves for good."""

from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Flags
from features.simulator import geography
from features.simulator.draws import pick_by_row, stream
from features.simulator.entities import Lanes
from features.simulator.geography import OFFICES, REGIONS, SEA

_SHORTEST_DAYS, _LONGEST_DAYS = 21, 42  # that the port is closed
_MOVED = 0.75  # the share of the region's direct lanes by sea that change to the hub

_PORTS = ("010", "011", "012")
# Regions of origin from which ships came directly, and the hub where the goods are loaded over from then on.
_ROUTES = (("europe", "AE"), ("west_asia", "SG"), ("pacific", "HK"))


@dataclass(frozen=True)
class Shocks:
    """The shocks of one world; days count from its start, and countries and offices are indices."""

    seed: int
    port: int
    closes: int
    reopens: int
    region: int
    hub: int
    moves: int

    def travelled(self, lanes: Lanes, today: int) -> Lanes:
        """Return the lanes as they are on `today`: by other ports while theirs is closed, and through the hub."""
        if self.closes <= today < self.reopens:
            lanes = self._around_the_port(lanes)
        return self._through_the_hub(lanes) if today >= self.moves else lanes

    def _around_the_port(self, lanes: Lanes) -> Lanes:
        weights = geography.office_weights()[lanes.mode, geography.REGION_OF[lanes.departure]]
        weights[:, self.port] = 0.0
        # A lane is drawn by its number, so it keeps to one port all the time.
        other = pick_by_row(stream(self.seed, 65), weights)
        return replace(lanes, office=np.where(lanes.office == self.port, other, lanes.office))

    def _through_the_hub(self, lanes: Lanes) -> Lanes:
        changes = stream(self.seed, 66).random(len(lanes.origin)) < _MOVED
        return replace(lanes, departure=np.where(self.direct(lanes) & changes, self.hub, lanes.departure))

    def direct(self, lanes: Lanes) -> Flags:
        """Return which lanes come by sea from the region whose route moves, and have come without a stop."""
        from_there = geography.REGION_OF[lanes.origin] == self.region
        return from_there & (lanes.mode == SEA) & (lanes.departure == lanes.origin)


def drawn(seed: int, span: int) -> Shocks:
    """Draw the shocks of a world of `span` days: both begin after a quarter of it and before three quarters."""
    rng = stream(seed, 64)
    port, (region, hub) = _PORTS[rng.integers(len(_PORTS))], _ROUTES[rng.integers(len(_ROUTES))]
    closes, moves = (span * (0.25 + 0.5 * rng.random(2))).astype(np.int64).tolist()
    return Shocks(
        seed=seed,
        port=[office.code for office in OFFICES].index(port),
        closes=closes,
        reopens=closes + int(rng.integers(_SHORTEST_DAYS, _LONGEST_DAYS + 1)),
        region=list(REGIONS).index(region),
        hub=geography.country(hub),
        moves=moves,
    )
