"""Labelled rows in the shape of the feature matrix, with scores of known worth."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from models import policy
from models.detection import Detection
from models.dossier.card import Subject
from models.evaluation import baselines, figures, repeats
from models.evaluation.figures import Evaluation
from models.evidence.source_code import Uncommitted
from models.metrics.ranking import Scores
from models.policy import Policy
from models.risk import training_record
from tests.support.described import catalogued

FEATURES = catalogued("office", "hs6", "tax_type", "item_value", "importer_hit_rate_365d", "hs6_hit_rate_365d")
SMALL: Policy = policy.load().model_copy(
    update={"evaluation": policy.load().evaluation.model_copy(update={"bootstrap_resamples": 100})}
)


def rows(count: int, seed: int = 1) -> pl.DataFrame:
    """Return labelled rows; `risk` is the true log-odds, which no model sees."""
    generator = np.random.default_rng(seed)
    risk = generator.normal(-1.5, 1.2, count)
    is_hit = generator.random(count) < _probability(risk)
    value = generator.lognormal(8, 1.5, count).astype(np.float32)
    rate = generator.choice([0.0, 3.0, 8.0, 13.0], count).astype(np.float32)
    return pl.DataFrame(
        {
            "declaration_id": [f"{seed}-{i}" for i in range(count)],
            "item_number": np.ones(count, np.int32),
            "accepted_at": [datetime(2024, 3, 1) + timedelta(hours=i) for i in range(count)],
            "risk": risk,
            "office": generator.choice(["10", "20", "30"], count, p=[0.6, 0.3, 0.1]),
            "hs2": generator.choice(["09", "62", "85"], count),
            "hs6": generator.choice(["090121", "620342", "851712"], count),
            "origin_country": generator.choice(["CN", "DE", "BR", "ZZ"], count),
            "departure_country": generator.choice(["CN", "DE"], count),
            "tax_type": generator.choice(["A", "FEU1"], count),
            "tax_rate_pct": rate,
            "net_mass_kg": generator.lognormal(4, 1, count).astype(np.float32),
            "item_value": value,
            "duty_at_stake": value * rate / 100,
            "importer_declarations_365d": generator.poisson(1.5, count).astype(np.float32),
            "importer_hit_rate_365d": np.clip(0.2 + 0.05 * (risk + generator.normal(0, 1, count)), 0, 1).astype(
                np.float32
            ),
            "hs6_hit_rate_365d": np.full(count, 0.2, np.float32),
            "is_illicit": is_hit,
            "recovered_revenue": np.where(is_hit, value * rate / 100, 0.0),
        },
        schema_overrides={"declaration_id": pl.String, "accepted_at": pl.Datetime("us")},
    )


def scores(frame: pl.DataFrame, noise: float = 0.0, seed: int = 3) -> Scores:
    """Return the true probability, or one blurred by `noise` (log-odds)."""
    risk = frame["risk"].to_numpy() + np.random.default_rng(seed).normal(0, noise, frame.height)
    probability = _probability(risk)
    return Scores(probability, probability * frame["duty_at_stake"].cast(pl.Float64).to_numpy())


def evaluated(test: pl.DataFrame, noise: float = 0.3, champion_noise: float | None = None) -> Evaluation:
    """Return an evaluation of `test` against baselines learned from 800 other rows."""
    train = rows(800, seed=99)
    return figures.evaluate(
        test,
        scores(test, noise),
        baselines.score(train, test, FEATURES),
        repeats.has_identical_earlier_row(train, test),
        SMALL,
        champion=None if champion_noise is None else ("6", scores(test, champion_noise, seed=4)),
    )


def subject(is_simulated: bool = False, detection: Detection | None = None) -> Subject:
    """Return what a card is about, with every part filled."""
    return Subject(
        model="customs-risk",
        source="kcs",
        data_version="0f3c9a.dir",
        code_commit="99b1a27",
        uncommitted=Uncommitted(files=(), sha256=None),
        train=training_record.LearnedPart(
            first_day=date(2023, 1, 1), last_day=date(2023, 10, 31), rows=12_000, hits=2_400
        ),
        validation=training_record.LearnedPart(
            first_day=date(2023, 11, 8), last_day=date(2023, 12, 31), rows=2_000, hits=410
        ),
        final=training_record.LearnedPart(
            first_day=date(2023, 1, 1), last_day=date(2023, 12, 31), rows=14_200, hits=2_840
        ),
        features=FEATURES,
        importance={"importer_hit_rate_365d": 0.8, "office": 0.1},
        changes=("data version 0f3c9a.dir -> 1a2b3c.dir", "same features"),
        drift="within bounds: 1 of 14 columns drifted, 3 allowed",
        signoff=SMALL.signoff.steps,
        selection_share=SMALL.targeting.at_share,
        is_simulated=is_simulated,
        detection=detection,
        documents={"evaluation.json": "e" * 64, "model/model.json": "d" * 64},
    )


def _probability(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))
