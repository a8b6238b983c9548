"""What a model has to beat: chance, the rule officers use today, and a straight line through the same features.

Each gives a probability for each row. None of them estimates revenue, so each weighs it in the one way that is open to
anybody: by probability times the duty at stake (for chance: the dearest first).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from features.arrays import Flags, Floats
from features.facts import asof
from features.families import Feature
from features.matrix import feature_of
from models.metrics import Scores
from models.risk import revenue

RISK_PROFILE_RATES = tuple(feature_of((column,), "hit_rate", asof.YEAR_DAYS).name for column in ("importer_id", "hs6"))
MAX_LEVELS = 50  # a categorical feature with more codes is left out; its numeric histories stand for it
_MAX_ITERATIONS = 200
_LOGISTIC_ROWS = 100_000  # a straight line through a few hundred features needs no more


def score(train: pl.DataFrame, test: pl.DataFrame, features: Sequence[Feature]) -> dict[str, Scores]:
    """Return each baseline's scores for the rows of `test`, learned from the labelled rows of `train`.

    Raises ValueError where `train` does not hold both hits and other rows.
    """
    is_hit = train["is_illicit"].to_numpy().astype(np.bool_)
    if not is_hit.any() or is_hit.all():
        raise ValueError(f"{is_hit.sum()} hits in {len(is_hit)} training rows; baselines need hits and other rows")
    base_rate = float(is_hit.mean())
    probabilities = {
        "random": np.full(test.height, base_rate),
        "risk_profile": risk_profile(test, base_rate),
        "logistic": _logistic(train, test, features, is_hit),
    }
    stake = test[revenue.STAKE].fill_nan(None).fill_null(0).cast(pl.Float64).to_numpy()
    return {name: Scores(probability, probability * stake) for name, probability in probabilities.items()}


def risk_profile(frame: pl.DataFrame, base_rate: float) -> Floats:
    """Return the mean of the importer's and the HS code's smoothed past hit rates.

    Where one rate is unknown, the other is used; where both are, the base rate.

    >>> rates = {"importer_hit_rate_365d": [0.2, None, None], "hs6_hit_rate_365d": [0.4, 0.4, None]}
    >>> risk_profile(pl.DataFrame(rates), base_rate=0.1).round(3).tolist()
    [0.3, 0.4, 0.1]
    """
    rates = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in RISK_PROFILE_RATES]
    return frame.select(pl.mean_horizontal(rates).fill_null(base_rate)).to_series().to_numpy()


def _logistic(train: pl.DataFrame, test: pl.DataFrame, features: Sequence[Feature], is_hit: Flags) -> Floats:
    numeric = [f.name for f in features if f.kind == "numeric"]
    every = -(-train.height // _LOGISTIC_ROWS)  # evenly spread over time
    train, is_hit = train.gather_every(every), is_hit[::every]
    categorical = [f.name for f in features if f.kind == "categorical" and train[f.name].n_unique() <= MAX_LEVELS]
    known = (pl.col(numeric).cast(pl.Float64).fill_nan(None), pl.col(categorical).fill_null("unknown"))
    model = _pipeline(numeric, categorical).fit(train.select(known), is_hit)
    return model.predict_proba(test.select(known))[:, 1] if test.height else np.zeros(0)


def _pipeline(numeric: list[str], categorical: list[str]) -> Pipeline:
    # Logarithms first: values, masses and volumes span many orders of magnitude.
    standardised = make_pipeline(
        FunctionTransformer(_signed_logarithm),
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
    )
    indicators = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((standardised, numeric), (indicators, categorical))
    return make_pipeline(columns, LogisticRegression(max_iter=_MAX_ITERATIONS, tol=1e-3))


def _signed_logarithm(values: pl.DataFrame) -> Floats:
    known = values.to_numpy()
    return np.sign(known) * np.log1p(np.abs(known))
