"""Simulated declarations to rehearse on, with their truth."""

from dataclasses import replace

import polars as pl

from features import simulator
from features.contract import KEY
from features.facts import Known, kinds
from features.network import ties


def simulated(parameters: simulator.Parameters, label_delay_days: int) -> tuple[Known, pl.DataFrame]:
    """Return declarations and their truth, without the faults of files, since nothing is quarantined here."""
    tables = simulator.build(simulator.simulate(parameters), parameters.seed)
    declarations, outcomes = tables.declarations.drop("arrives").lazy(), tables.outcomes.drop("arrives")
    stands = outcomes.select(pl.struct(KEY).is_last_distinct()).to_series()  # and was not overturned by an appeal
    versions = (outcomes.filter(stands).lazy(), outcomes.filter(~stands).lazy())
    register = tables.register.drop("arrives").lazy()
    past = kinds.build(declarations, declarations.clear(), *versions, label_delay_days)
    return replace(past, told=ties.told(register, register.clear())), tables.truth.drop("arrives")
