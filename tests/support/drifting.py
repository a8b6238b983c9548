"""Windows of scored rows in which nothing drifts, for the tests of the drift check."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.monitoring import drift


def window(rows: int, seed: int, labelled: float = 0.0) -> pl.DataFrame:
    """Scored rows over 28 days, all windows of one distribution; a share of them with outcomes that fit the score."""
    random = np.random.default_rng(seed)
    score = random.beta(1, 8, rows)
    known = random.random(rows) < labelled
    columns: dict[str, object] = {
        "declaration_id": [f"D{seed}-{i}" for i in range(rows)],
        "item_number": pl.Series([1] * rows, dtype=pl.Int32),
        "accepted_at": [datetime(2024, 1, 1) + timedelta(minutes=28 * 1440 * i // rows) for i in range(rows)],
        "is_illicit": pl.Series(random.random(rows) < score).zip_with(
            pl.Series(known), pl.Series([None] * rows, dtype=pl.Boolean)
        ),
    }
    columns |= {name: random.zipf(1.5, rows).clip(0, 60).astype(str) for name in drift.CATEGORICAL}
    columns |= {name: random.normal(10, 3, rows) for name in drift.LINEAR}
    columns |= {name: random.lognormal(6, 2, rows) for name in drift.LOG_SCALE}
    columns["score"] = score
    return pl.DataFrame(columns)
