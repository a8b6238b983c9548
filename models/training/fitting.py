"""From labelled rows to a risk model.

There are two passes. The first learns from the training part alone and is judged on the validation part: it finds the
number of rounds, the calibration and the correction of the revenue's total, all on rows that the boosters have not
seen. The second fits the boosters with those numbers of rounds on everything up to the test part. Fraud drifts, so the
months that served as validation are the ones most like those the model is going to see. Leaving them out would cost
more than the calibration loses by being taken from the first pass.

The illicit head may be a bag of boosters that differ in their seed alone (models/risk/bagging.py), as many as the
policy says. In the first pass each stops by itself, and in the second each has the rounds that its seed stopped at. So
the bag's raw scores are the mean of those that its seeds give one by one. The calibration is that of the whole bag.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from features.arrays import Flags, Floats
from features.code_digest import code_version
from features.families import Feature
from features.progress import Progress
from models import policy
from models.risk import Encoder, Matrix, RiskModel, bagging, boosting, calibration, critical, revenue, training_record
from models.targeting import lanes
from models.training.splits import labelled, window
from models.training.tuning import AS_THEY_STAND, Tuning

MIN_ROWS = 100  # of each part
MIN_PER_CLASS = 10  # of hits and of other rows, in each part
_MORE = "give more declarations, or more weeks to learn from"


@dataclass(frozen=True)
class _Part:
    """Labelled rows, encoded, and the hits among them."""

    frame: pl.DataFrame
    rows: boosting.Rows
    critical: boosting.Rows
    hits: revenue.Hits

    @classmethod
    def of(cls, frame: pl.DataFrame, matrix: Matrix | pa.Table) -> "_Part":
        """Return the part of `frame`; `matrix` is `frame`, encoded."""
        target = frame["is_illicit"].cast(pl.Float64).to_numpy()
        return cls(frame, boosting.Rows(matrix, target), critical.rows_of(frame, matrix), revenue.Hits.of(frame))

    def account(self) -> training_record.LearnedPart:
        first, last = window(self.frame)
        hits = int(self.rows.target.sum())
        return training_record.LearnedPart(first_day=first, last_day=last, rows=self.frame.height, hits=hits)


@dataclass(frozen=True)
class _Learned:
    """Holds what the first pass finds, and an account of the parts in which it found it."""

    train: training_record.LearnedPart
    validation: training_record.LearnedPart
    fits: tuple[boosting.Fit, ...]
    calibration: calibration.Calibration
    revenue: revenue.RevenueModel
    revenue_rounds: int
    critical: critical.CriticalModel
    critical_rounds: int
    hit_value: float


def train(
    train_frame: pl.DataFrame,
    validation_frame: pl.DataFrame,
    features: Sequence[Feature],
    training: policy.Training,
    selection: policy.Targeting,
    on_progress: Progress | None = None,
    *,
    final_frame: pl.DataFrame | None = None,
    tuning: Tuning = AS_THEY_STAND,
    grow: boosting.Grow = boosting.alone,
    detects: float | None = None,
) -> RiskModel:
    """Return the model learned from labelled rows; the same rows and policy give the same files, byte for byte.

    `grow` grows the trees of the illicit head. The other heads learn from few rows, and their trees are grown here.

    `final_frame` holds the rows of the second pass, all known before the model is put to work (`Split.before_test`);
    without it, training and validation rows are taken together. For `tuning` see models/training/tuning.py. The order
    of rows does not matter. `detects` is the share of what is illicit that inspections find, for a loss that allows for
    the rest; the policy says whether it is one. ValueError where there are too few labelled rows or hits, a feature is
    missing or of the wrong type, an amount is not finite, or the policy's loss needs a detection that is not given.
    `on_progress(done, all)` counts rounds of boosting; early stopping skips some.
    """
    if training.missed_detection_loss and detects is None:
        raise ValueError(
            "training.missed_detection_loss of the policy is true, but no second looks are known here, which would "
            "tell what inspections miss; allowed: false"
        )
    if final_frame is None:
        final_frame = pl.concat([train_frame, validation_frame])
    fitted, held_out = _checked("training", train_frame), _checked("validation", validation_frame)
    everything = _checked("final", final_frame)

    parameters = tuning.parameters
    encoder = Encoder.fit(fitted, features).giving(tuning.smoothing, tuning.codes)
    learned = _first_pass(fitted, held_out, encoder, parameters, training, selection, grow, on_progress, detects)

    encoder = Encoder.fit(everything, features).giving(tuning.smoothing, tuning.codes)
    final = _Part.of(everything, encoder.table(everything))
    objective = boosting.illicit(final.rows.target, detects)
    fit = partial(boosting.fit_rounds, objective, parameters, encoder=encoder)
    members = [
        grow(
            partial(fit, seed=seed, rounds=first.rounds),
            final.rows,
            _progress(on_progress, training, training.bag + done),
        )
        for done, (seed, first) in enumerate(zip(_seeds(training), learned.fits, strict=True))
    ]
    return RiskModel(
        encoder=encoder,
        illicit=bagging.mean(members),
        calibration=learned.calibration,
        revenue=revenue.refit(encoder, final.hits, training.seed, learned.revenue_rounds, learned.revenue),
        critical=critical.refit(
            encoder,
            final.critical,
            final.rows.target,
            training.seed,
            learned.critical_rounds,
            learned.critical.calibration,
        ),
        critical_probability=selection.critical_probability,
        hit_value=learned.hit_value,
        training=training_record.TrainingRecord(
            feature_code=code_version(),
            parts=training_record.LearnedParts(
                train=learned.train, validation=learned.validation, final=final.account()
            ),
            seed=training.seed,
            parameters=parameters,
            smoothing=tuning.smoothing,
            codes=tuning.codes,
            detects=detects,
            rounds=learned.fits[0].rounds,
            further_rounds=tuple(each.rounds for each in learned.fits[1:]),
            revenue_rounds=learned.revenue_rounds,
            critical_rounds=learned.critical_rounds,
            validation_log_loss=learned.fits[0].loss,
            learning_curve=learned.fits[0].curve,
        ),
    )


def _first_pass(
    train_frame: pl.DataFrame,
    validation_frame: pl.DataFrame,
    encoder: Encoder,
    parameters: boosting.Parameters,
    training: policy.Training,
    selection: policy.Targeting,
    grow: boosting.Grow,
    on_progress: Progress | None,
    detects: float | None,
) -> _Learned:
    fitted = _Part.of(train_frame, encoder.table(train_frame))
    held_out = _Part.of(validation_frame, encoder.encode(validation_frame))
    until_best = partial(
        boosting.fit_until_best,
        boosting.illicit(fitted.rows.target, detects),
        parameters,
        encoder=encoder,
        validation=held_out.rows,
        max_rounds=training.max_rounds,
        patience=training.early_stopping_rounds,
    )
    fits = tuple(
        grow(partial(until_best, seed=seed), fitted.rows, _progress(on_progress, training, done))
        for done, seed in enumerate(_seeds(training))
    )
    raw = boosting.predict(bagging.mean([each.booster for each in fits]), held_out.rows.matrix)
    calibrated = calibration.calibrate(raw, held_out.rows.target > 0)
    if detects is not None and not calibrated.judged:
        raise ValueError(
            f"validation part: fewer than {calibration.MIN_PER_CLASS} labelled rows are illicit, or licit; so many are "
            "needed to lead a loss for missed detections back to what would be found"
        )
    amounts, revenue_rounds = revenue.fit(
        encoder, fitted.hits, held_out.hits, training.seed, training.max_rounds, training.early_stopping_rounds
    )
    score = calibrated(raw)
    expected = amounts(held_out.frame, held_out.rows.matrix)
    factor = revenue.correction(score * expected, held_out.hits)
    judged = revenue.bounded(replace(amounts, factor=factor), held_out.hits, encoder.encode(held_out.hits.frame))
    dangers, critical_rounds = critical.fit(
        encoder,
        fitted.critical,
        held_out.critical,
        fitted.rows.target,
        training.seed,
        training.max_rounds,
        training.early_stopping_rounds,
    )
    goes_by_value = dangers(score, held_out.rows.matrix) < selection.critical_probability
    return _Learned(
        fitted.account(),
        held_out.account(),
        fits,
        calibrated,
        judged,
        revenue_rounds,
        dangers,
        critical_rounds,
        _hit_value(score, factor * expected, goes_by_value, selection),
    )


def _seeds(training: policy.Training) -> range:
    """Return the seed of each member of the bag."""
    return range(training.seed, training.seed + training.bag)


def _hit_value(score: Floats, amount: Floats, goes_by_value: Flags, selection: policy.Targeting) -> float:
    """Return what a hit is worth beside its revenue: as little as keeps the policy's precision.

    The precision is that among the rows that compete for the places left by critical goods.
    """
    places = selection.at_share * len(score) - (~goes_by_value).sum()
    share = float(np.clip(places / max(goes_by_value.sum(), 1), 0, 1))
    return lanes.hit_value(score[goes_by_value], amount[goes_by_value], selection.kept_precision, share)


def _checked(part: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the labelled rows of `frame` in their one order; ValueError where too few to learn or judge from."""
    rows = labelled(frame)
    hits = rows["is_illicit"].sum()
    if rows.height < MIN_ROWS:
        raise ValueError(f"{part} part: {rows.height} labelled rows; at least {MIN_ROWS} are needed: {_MORE}")
    for count, kind in ((hits, "illicit"), (rows.height - hits, "licit")):
        if count < MIN_PER_CLASS:
            raise ValueError(
                f"{part} part: {count} of {rows.height} labelled rows are {kind}; at least {MIN_PER_CLASS} are needed: "
                f"{_MORE}"
            )
    return rows


def _progress(on_progress: Progress | None, training: policy.Training, fits_before: int) -> Progress | None:
    """Return a function that reports the rounds of one fit as rounds of all, of both passes."""
    if on_progress is None:
        return None

    def report(done: int, every: int) -> None:
        here = training.max_rounds * done // every
        on_progress(fits_before * training.max_rounds + here, 2 * training.bag * training.max_rounds)

    return report
