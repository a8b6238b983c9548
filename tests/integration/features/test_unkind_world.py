"""The unkind world goes the way of every other: it is stored and known as of each day."""

from datetime import date, timedelta

import polars as pl
import pytest

from features.contract import KEY
from features.facts import asof
from features.ingestion.batches import ingest
from features.simulator import Parameters, Preset
from features.simulator.seasons import is_holiday
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from features.validation.batches import check_batch
from features.validation.verdicts import BatchRejected
from models import policy
from models.backtesting.side_by_side import log_of

WORLD = Parameters(rows=12_000, start=date(2023, 10, 1), months=6, preset=Preset.UNKIND)
POLICY = policy.load()
DELAY = POLICY.features.label_delay_days


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("unkind")
    store = Store(folder / "data")
    ingest(SimulatorSource(WORLD, folder / "simulated"), store, POLICY.ingestion, arrived_on=date.max)
    return store


@pytest.fixture(scope="module")
def versions(store: Store) -> pl.LazyFrame:
    return asof.outcome_versions(store.scan("outcomes"), store.scan("outcomes_superseded"), DELAY).collect().lazy()


def test_each_months_files_are_stored_and_next_to_nothing_is_quarantined(store: Store) -> None:
    assert len(store.batches) == 4 * WORLD.months
    assert store.quarantine().collect().height < 0.003 * WORLD.rows
    assert store.scan("declarations").select(pl.len()).collect().item() > 0.997 * WORLD.rows


def test_an_overturned_finding_is_a_hit_until_the_appeal_is_decided(store: Store, versions: pl.LazyFrame) -> None:
    overturned = store.scan("outcomes_superseded").select(KEY).collect()
    assert overturned.height > 0
    every = versions.join(overturned.lazy(), on=KEY, how="semi").sort("known_on").collect()
    for _, (first, last) in ((key, own.to_dicts()) for key, own in every.group_by(KEY)):
        assert (first["is_illicit"], last["is_illicit"]) == (True, False)
        assert first["replaced_on"] == last["known_on"]
        only = versions.filter(pl.struct(KEY) == pl.struct(*(pl.lit(first[name]).alias(name) for name in KEY)))
        before, after = (
            asof.labels(only, last["known_on"] - timedelta(days=days)).collect()["is_illicit"].item() for days in (1, 0)
        )
        assert (before, after) == (True, False)


def test_what_a_selection_is_worth_is_not_judged_where_chances_are_not_on_record(
    store: Store, versions: pl.LazyFrame
) -> None:
    labels = asof.labels(versions, WORLD.first_days()[-1])
    rows = store.scan("declarations").select(KEY).join(labels, on=KEY, how="left").collect()
    assert log_of(rows) is None
    by_lot = rows.with_columns(pl.when(pl.col("selection_probability").is_not_null()).then("is_illicit"))
    assert log_of(by_lot) is not None


def test_a_night_of_a_holiday_is_stopped_unless_the_policy_names_it(store: Store) -> None:
    rows = store.scan("declarations").group_by(pl.col("accepted_at").dt.date().alias("day")).len().collect()
    counts = dict(rows.sort("day").iter_rows())
    night = date(2023, 12, 26)
    assert is_holiday(night)
    stored = {day: count for day, count in counts.items() if day < night}
    with pytest.raises(BatchRejected, match=r"volume_not_below_usual: 1 of 1 judged days \(Tuesday 2023-12-26"):
        check_batch("night", counts[night], 0, {night: counts[night]}, stored, POLICY.ingestion)
    named = POLICY.ingestion.model_copy(update={"public_holidays": (night,)})
    assert check_batch("night", counts[night], 0, {night: counts[night]}, stored, named)
