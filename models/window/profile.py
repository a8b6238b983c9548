"""What goes in place of a model's scores where no model can be asked: the risk profile, from the same features.

It says how often the importer and the goods were found before, and what duties are at stake. Where nothing is known of
either, nothing speaks for a place, and chance alone gives one.
"""

import polars as pl

from models.evaluation import baselines


def profiled(features: pl.DataFrame) -> pl.DataFrame:
    """Return `score`, `critical` and `revenue_if_illicit` of each row of `features`, as a model would say them."""
    return features.select(
        score=pl.Series(baselines.risk_profile(features, base_rate=0.0), dtype=pl.Float64),
        critical=pl.lit(0.0),
        revenue_if_illicit=pl.col("duty_at_stake").cast(pl.Float64).fill_nan(None).fill_null(0.0).clip(0.0),
    )
