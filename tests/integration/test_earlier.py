"""Today's code goes on with what earlier code left behind: it verifies, loads, scores and selects the same."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY
from flows import select as flow
from flows.settings import Settings
from models import policy
from models.ledger.keys import Keys
from models.risk.risk_model import OUTPUTS
from models.signoff import audit
from models.targeting.selection_log import SelectionLog
from models.workspace import feature_code, incumbents
from tests.support import earlier
from tests.support.prefect_server import prefect_server

NAMES = sorted(file.stem for file in earlier.FOLDER.glob("*.json"))
# The served model loads with the code that was stored with it, in a process that has imported none of today's.
LOADED = """
import sys
import mlflow, polars as pl
model = mlflow.pyfunc.load_model(sys.argv[1])
columns = [each.name for each in model.metadata.signature.inputs]
rows = pl.read_parquet(sys.argv[2], columns=columns).with_columns(pl.col(pl.Int32).cast(pl.Int64))
rows = rows.with_columns(pl.col(pl.Float32).cast(pl.Float64), pl.col(pl.Categorical, pl.Enum).cast(pl.String))
pl.from_pandas(model.predict(rows.to_pandas())).write_csv(sys.argv[3])
"""


@pytest.fixture(scope="module", params=NAMES)
def left(request, tmp_path_factory):
    """A working folder with an earlier state and the world of that time, ingested by today's code."""
    folder = tmp_path_factory.mktemp("earlier")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("TIDEWAITER_")]:
            patch.delenv(name)
        told = earlier.unpack(request.param, folder / ".tidewaiter")
        with prefect_server():
            yield SimpleNamespace(name=request.param, folder=folder, told=told, store=earlier.ingested(folder))


@pytest.fixture(scope="module")
def features(left):
    return earlier.last_days(left.store, left.folder / "features")


def kept(left, suffix):
    return earlier.FOLDER / f"{left.name}.{suffix}"


def test_evidence_and_ledger_verify(left):
    places = Settings().places
    found = audit.verify(incumbents.registry_of(places), Keys(places.signoff), policy.load().signoff)
    assert (found.faults, found.entries, found.champion) == ((), 5, 1)


def test_features_are_the_same_to_the_bit(left, features):
    before = pl.read_parquet(kept(left, "parquet"))
    assert before.height > 100
    assert_frame_equal(features.select(before.columns), before, check_exact=True)  # there may be new ones besides


def test_a_state_is_of_code_that_is_known_to_compute_the_same(left):
    assert left.told["feature_code"] in feature_code.SAME_VALUES


def test_the_model_is_loaded_by_what_was_signed_and_scores_the_same(left, features, tmp_path):
    places = Settings().places
    found = incumbents.champion(places, tmp_path)
    assert found.version == "1"
    assert found.model.training.feature_code == left.told["feature_code"]
    assert feature_code.check(found.model, "champion version 1", "simulator") is None
    assert_frame_equal(found.model.predict(features).select(OUTPUTS), pl.read_csv(kept(left, "csv")), check_exact=True)


def test_a_model_that_is_read_and_written_again_is_the_same(left, tmp_path):
    places = Settings().places
    found = incumbents.champion(places, tmp_path)
    found.model.save(tmp_path / "again")
    for file in (tmp_path / "again").iterdir():
        assert file.read_bytes() == (tmp_path / "champion" / "model" / file.name).read_bytes()


def test_mlflow_serves_it_with_the_code_that_was_stored_with_it(left, tmp_path):
    (stored,) = left.folder.glob(".tidewaiter/artifacts/*/models/*/artifacts")
    model = shutil.copytree(stored, tmp_path / "model")  # loading compiles what it loads, beside it
    command = [sys.executable, "-c", LOADED, str(model), str(kept(left, "parquet")), str(tmp_path / "served.csv")]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert_frame_equal(pl.read_csv(tmp_path / "served.csv"), pl.read_csv(kept(left, "csv")), check_exact=True)


def test_it_selects_by_the_same_scores(left, features):
    found = flow.select()
    assert (found.version, found.why_nothing, found.number) == ("1", None, 1)
    log = SelectionLog(Settings().places.selections("simulator")).read()
    assert log.height == found.declarations == left.store.rows("declarations")[left.store.days()[-1]] > 10
    scores = pl.concat([features.select(KEY), pl.read_csv(kept(left, "csv"))], how="horizontal")
    expected = log.select(KEY).join(scores, on=KEY, how="left", maintain_order="left")
    told = ("score", "critical", "expected_revenue")
    assert_frame_equal(log.select(told), expected.select(told), check_exact=True)
    listed = pl.read_csv(found.work_list, schema_overrides={"declaration_id": pl.String, "item_number": pl.Int32})
    assert listed.select(KEY).sort(KEY).equals(log.filter(pl.col("lane") != "green").select(KEY).sort(KEY))
