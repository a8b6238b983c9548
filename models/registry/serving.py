"""The risk model as MLflow serves it: the script that MLflow runs (models from code, nothing pickled), and its schema.

Imported, it gives the signature and the input example to save the model with; registry.py saves it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema

from features.contract import KEY
from models.names import RISK_MODEL
from models.risk import Encoder, RiskModel, risk_model

EXAMPLE_ROWS = 5


class RiskModelService(PythonModel):
    """The served model: it takes key and features and gives `OUTPUTS`, row for row."""

    def load_context(self, context: PythonModelContext) -> None:
        self._model = RiskModel.load(Path(context.artifacts[RISK_MODEL]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return `OUTPUTS` for each row; ValueError names a feature that is missing or of the wrong type.

        NaN and None mean unknown.
        """
        predictions = self._model.predict(pl.from_pandas(model_input, nan_to_null=True))
        return pd.DataFrame({name: predictions[name].to_numpy() for name in risk_model.OUTPUTS})


def signature(encoder: Encoder) -> ModelSignature:
    """Return the types of the input (key and features) and of the output."""
    inputs = [ColSpec(DataType.string, KEY[0]), ColSpec(DataType.long, KEY[1])]
    for name in encoder.names:
        kind = DataType.string if name in encoder.categories else DataType.double
        # `required=False` is MLflow's word for 'may be null'. The service itself refuses a column that is missing.
        inputs.append(ColSpec(kind, name, required=False))
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, name) for name in risk_model.OUTPUTS]))


def input_example(frame: pl.DataFrame, encoder: Encoder) -> pd.DataFrame:
    """Return the first rows of a dataset, in the form that the served model takes."""
    return as_input(frame.head(EXAMPLE_ROWS), encoder)


def as_input(frame: pl.DataFrame, encoder: Encoder) -> pd.DataFrame:
    """Return rows as the served model takes them: text with None, numbers as float64 with NaN, for unknown."""
    encoder.check(frame)
    columns: dict[str, Any] = {KEY[0]: frame[KEY[0]].to_list(), KEY[1]: frame[KEY[1]].cast(pl.Int64).to_numpy()}
    for name in encoder.names:
        if name in encoder.categories:
            columns[name] = np.array(frame[name].cast(pl.String).to_list(), dtype=object)
        else:
            columns[name] = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return pd.DataFrame(columns)


set_model(RiskModelService())
