"""The served model, through MLflow: saved, loaded from the store, and loaded by a process of its own."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pytest

from models import names
from models.registry import serving, serving_code
from models.risk.risk_model import OUTPUTS
from models.training.fitting import train
from models.training.splits import split_by_time
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset

PROJECT = Path(__file__).parents[4]
SPLIT = split_by_time(dataset(), TRAINING, 7)


@pytest.fixture(scope="module")
def model():
    return train(SPLIT.train, SPLIT.validation, FEATURES, TRAINING, TARGETING)


@pytest.fixture(scope="module")
def logged(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    model.save(folder / "model")
    code = serving_code.copy(Path(serving.__file__), PROJECT, folder / "code")
    experiment = mlflow.create_experiment("serving", artifact_location=(folder / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        info = mlflow.pyfunc.log_model(
            name="risk-model",
            python_model=serving.__file__,
            artifacts={names.RISK_MODEL: str(folder / "model")},
            code_paths=[str(each) for each in code],
            signature=serving.signature(model.encoder),
            input_example=serving.input_example(SPLIT.test, model.encoder),
            pip_requirements=[f"{name}=={version(name)}" for name in names.REQUIREMENTS],
        )
    yield mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(folder / "downloaded"))
    mlflow.set_tracking_uri(before)


def test_the_served_model_scores_as_the_model_does(model, logged):
    served = mlflow.pyfunc.load_model(logged).predict(serving.as_input(SPLIT.test, model.encoder))
    expected = model.predict(SPLIT.test)
    assert list(served.columns) == list(OUTPUTS)
    for name in served.columns:
        np.testing.assert_array_equal(served[name].to_numpy(), expected[name].to_numpy())


def test_nothing_is_pickled(logged):
    names = [path.name for path in Path(logged).rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert {"illicit.txt", "revenue.txt", "model.json", "serving.py", "input_example.json"} <= set(names)


def test_unknown_values_are_allowed_and_missing_columns_are_not(model, logged):
    served = mlflow.pyfunc.load_model(logged)
    rows = serving.as_input(SPLIT.test.head(3), model.encoder)
    unknown = rows.assign(office=[None, "never seen", "20"], item_value=[np.nan, 1.0, 2.0])
    assert np.isfinite(served.predict(unknown)["priority"]).all()
    with pytest.raises(ValueError, match="feature column 'office' is not in the frame"):
        served.predict(rows.drop(columns="office"))


def test_a_single_row_with_every_text_unknown(model, logged):
    row = serving.as_input(SPLIT.test.head(1), model.encoder).assign(tax_type=[None], office=[None])
    assert np.isfinite(mlflow.pyfunc.load_model(logged).predict(row)["score"]).all()


def test_a_process_of_its_own_runs_the_source_that_was_logged(model, logged, tmp_path):
    rows = serving.as_input(SPLIT.test.head(4), model.encoder)
    rows.to_json(tmp_path / "rows.json", orient="split", index=False)
    script = (
        "import json, sys, mlflow, pandas as pd\n"
        "served = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "rows = pd.read_json(sys.argv[2], orient='split', dtype=False, precise_float=True)\n"
        "import models\n"
        "print(json.dumps([models.__file__, served.predict(rows)['score'].tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, logged, str(tmp_path / "rows.json")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    source, scores = json.loads(done.stdout.splitlines()[-1])
    assert Path(source).is_relative_to(logged)
    np.testing.assert_allclose(scores, model.predict(SPLIT.test.head(4))["score"], rtol=1e-6)
