"""The days that nobody has selected yet. Each is chosen by itself, by what was known before it, whichever others wait.

What all of these days need is read once: the versions of outcomes, and the features of all items that ever had a label.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from features.contract import KEY
from features.facts import asof
from models.policy import Policy
from models.risk import RiskModel
from models.targeting.by_criteria import Met
from models.targeting.selection_log import criteria_used, exploring_share, places_left
from models.targeting.selector import Exploring, Selector


@dataclass(frozen=True)
class Backlog:
    """Holds what the choice for a day rests on.

    `log` holds the selections before: the places that they gave away are gone, and what exploring has brought in
    decides on its share. `outcomes` holds every version of outcomes (features.facts.asof.outcome_versions). `inspected`
    holds features and `importer_id` of all items that have ever had a label, ordered by acceptance and key.
    """

    policy: Policy
    model: RiskModel
    log: pl.DataFrame
    outcomes: pl.DataFrame
    inspected: pl.DataFrame

    def choose(self, declarations: pl.DataFrame, seed: int, met: Met = ()) -> pl.DataFrame:
        """Return what the selector says of `declarations` (identity and features), all of one day, with their office.

        `met` has the criteria that each row meets, if any does; places that they gave on that day before are gone.
        Nothing that became known on that day or later counts. Raises ValueError where nothing had a label before that
        day.
        """
        day: date = declarations["accepted_on"][0]
        exploring = self.exploring(day)
        left = places_left(self.policy.targeting, self.log, day)
        today = self.policy.model_copy(update={"targeting": left})
        selector = Selector(today, self.model, exploring)
        rng = np.random.default_rng([seed, day.toordinal()])
        return selector.choose(declarations, rng, met, criteria_used(self.log, day)).with_columns(
            declarations["accepted_on"], declarations["office"], exploring_share=pl.lit(exploring.share.value)
        )

    def exploring(self, day: date) -> Exploring:
        """Return the share of places that explores on `day`, and what is familiar by then; ValueError as `choose`."""
        outcomes = self.outcomes.lazy()
        known = asof.labels(outcomes, day - timedelta(days=1)).select(KEY).collect()
        inspected = self.inspected.join(known, on=KEY, how="semi", maintain_order="left")
        if inspected.is_empty():
            raise ValueError(f"no inspection was known before {day}; there is nothing to tell the unfamiliar from")
        return Exploring.of(exploring_share(self.log, outcomes, self.policy, day), self.model, inspected)
