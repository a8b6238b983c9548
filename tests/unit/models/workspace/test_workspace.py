"""The use cases agree with each other: what is stored, and what is not stored yet, is judged alike.

How the flows use them is tested in tests/integration/flows.
"""

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY, schema
from features.ingestion.batches import ingest
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource, write
from models import policy
from models.places import Places
from models.workspace import Workspace
from tests.support import looks


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    places = Places(folder / "data", folder / "state", folder / "signoff", "", "")
    made = Workspace(places, policy.load(), "simulator")
    source = SimulatorSource(Parameters(rows=3000, months=6, seed=4), folder / "simulated")
    write(source)
    ingest(source, made.store, made.policy.ingestion)
    return made


def test_declarations_of_a_day_get_the_same_features_stored_and_not(workspace):
    day = workspace.store.days()[-1]
    stored = workspace.store.scan("declarations", day, day).select(schema("declarations").names()).collect()
    assert stored.height > 5
    by_night = workspace.features().scan().filter(pl.col("accepted_at").dt.date() == day).collect()
    asked = workspace.morning(day).features(stored)
    assert_frame_equal(asked.sort(KEY), by_night.select(asked.columns).sort(KEY), check_exact=True)


def test_the_labels_are_those_known_by_the_end_of_what_is_stored(workspace):
    dataset = workspace.dataset(workspace.features()).collect()
    assert dataset.height == sum(workspace.store.rows("declarations").values())
    labelled = dataset.filter(pl.col("is_illicit").is_not_null())
    assert 0 < labelled.height < dataset.height
    assert labelled["is_illicit"].any()


def test_by_another_delay_the_features_lie_in_another_folder(workspace):
    other = workspace.policy.model_copy(update={"features": policy.Features(label_delay_days=31)})
    before = workspace.features().scan().collect()
    Workspace(workspace.places, other, workspace.source).features()
    folders = [workspace.places.features("simulator", days) for days in (7, 31)]
    assert workspace.policy.features.label_delay_days == 7
    assert all(list(folder.glob("*.parquet")) for folder in folders)
    assert_frame_equal(workspace.features().scan().collect(), before, check_exact=True)


def test_a_declaration_that_is_not_stored_is_named(workspace):
    with pytest.raises(LookupError, match=r"declaration 'nowhere' is not stored in .*/data/simulator"):
        workspace.explain(None, "nowhere", "en")


def test_a_training_allows_for_misses_only_if_the_policy_says_so_and_second_looks_tell(tmp_path):
    places, ours = Places(tmp_path / "data", tmp_path, tmp_path, "", ""), policy.load()
    training = ours.training.model_copy(update={"missed_detection_loss": True})
    wanted = Workspace(places, ours.model_copy(update={"training": training}), "files")
    later = looks.AT.date() + timedelta(days=1)
    with pytest.raises(ValueError, match="detection is not estimated before 2024-05-03: no item was looked at twice"):
        wanted.detects(later)
    wanted.second_looks.append(looks.rows([looks.FOUND] * 30 + [looks.MISSED] * 10))
    assert wanted.detects(later) == 0.75
    with pytest.raises(ValueError, match="not estimated before 2024-05-02"):
        wanted.detects(looks.AT.date())
    assert Workspace(places, ours, "files").detects(later) is None
