"""Small labelled datasets in the shape that models take: key, acceptance, features, labels."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from models.policy import Search, Training, load
from tests.support.described import catalogued

TRAINING = Training(
    seed=7,
    validation_share=0.2,
    test_share=0.2,
    max_rounds=30,
    early_stopping_rounds=10,
    search=Search(trials=1, full_trials=4, folds=2, minutes=1),
)

TARGETING = load().targeting

CATEGORICAL = ("office", "hs6", "hs2", "origin_country", "departure_country", "tax_type")
NUMERIC = ("item_value", "net_mass_kg", "tax_rate_pct", "duty_at_stake", "importer_declarations_365d")
FEATURES = catalogued(*CATEGORICAL, *NUMERIC)


def dataset(rows: int = 1500, seed: int = 1, days: int = 100, first_day: date = date(2024, 1, 1)) -> pl.DataFrame:
    """Return rows spread evenly over `days`, about a third of them hits, which depend on office and value.

    Labels are known a week later.
    """
    random = np.random.default_rng(seed)
    day = np.arange(rows) * days // rows
    office = random.choice(["10", "20", "30"], rows)
    value = np.round(random.lognormal(8, 1.5, rows), 2)
    rate = random.choice([0.0, 5.0, 8.0, 13.0], rows)
    is_hit = random.random(rows) < 1 / (1 + np.exp(-(1.5 * (office == "20") + 0.8 * (np.log(value) - 8) - 1.2)))
    recovered = np.where(is_hit, value * rate / 100 * random.lognormal(-0.5, 0.8, rows), 0.0)
    accepted_at = [datetime.combine(first_day, datetime.min.time()) + timedelta(days=int(d), hours=9) for d in day]
    chapter = random.choice(["09", "61", "84"], rows)
    country = random.choice(["BR", "CN", "VN"], rows)
    return pl.DataFrame(
        {
            "declaration_id": [f"D{seed}-{i:06d}" for i in range(rows)],
            "item_number": pl.Series([1] * rows, dtype=pl.Int32),
            "accepted_at": pl.Series(accepted_at, dtype=pl.Datetime("us")),
            "office": office,
            "hs6": [c + "0121" for c in chapter],
            "hs2": chapter,
            "origin_country": country,
            "departure_country": country,
            "tax_type": random.choice(["A", "C", None], rows).tolist(),
            "item_value": pl.Series(value, dtype=pl.Float32),
            "net_mass_kg": pl.Series(np.round(random.lognormal(3, 1, rows), 1), dtype=pl.Float32),
            "tax_rate_pct": pl.Series(rate, dtype=pl.Float32),
            "duty_at_stake": pl.Series(value * rate / 100, dtype=pl.Float32),
            "importer_declarations_365d": pl.Series(random.integers(0, 50, rows), dtype=pl.Float32),
            "is_inspected": True,
            "is_illicit": is_hit,
            "is_critical": is_hit & (random.random(rows) < 0.1),
            "recovered_revenue": recovered,
            "selection_probability": pl.Series([None] * rows, dtype=pl.Float64),
            "known_on": [at.date() + timedelta(days=7) for at in accepted_at],
        }
    )
