"""The search for how features are encoded and the illicit head's parameters, by Optuna, on folds by time, in a budget.

Each fold learns from outcomes known before its days and is judged on them by log loss: the head's scores are used as
probabilities, so ranking well is not enough. A trial's loss is the mean over folds. Each fold has a seed of training of
its own, the same for all trials, so that no tuning is chosen for the luck of one seed. The first trial is what was best
the last time, or the parameters as they stand. It stays unless another is better by more than chance explains: by one
standard error of the differences, fold by fold (Breiman et al., "Classification and regression trees", 1984).

The same rows, policy and previous best give the same result, as long as the budget in minutes does not end the search;
where it does, the account says so.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import get_args

import numpy as np
import optuna
import polars as pl

from features.families import Feature
from features.history import PRIOR_WEIGHT
from features.progress import Progress
from models import policy
from models.risk import Codes, Encoder, boosting, training_record
from models.training.splits import labelled, split_off, window

Fold = tuple[pl.DataFrame, pl.DataFrame]

# Lowest and highest value; whole numbers stay whole. All but the shares are searched on a logarithmic scale.
SMOOTHING = (2.0, 100.0)
BOUNDS: Mapping[str, tuple[float, float] | tuple[int, int]] = {
    "learning_rate": (0.02, 0.15),
    "num_leaves": (7, 127),
    "min_data_in_leaf": (10, 200),
    "feature_fraction": (0.2, 1.0),
    "bagging_fraction": (0.5, 1.0),
    "lambda_l2": (0.1, 50.0),
    "cat_smooth": (1.0, 200.0),
    "min_data_per_group": (10, 500),
}
CODES = get_args(Codes)
_LINEAR = ("feature_fraction", "bagging_fraction")


@dataclass(frozen=True)
class Tuning:
    """Holds what a model is trained with. `smoothing`, in inspections, and `codes` are the encoder's, see there.

    ValueError names what is missing, unknown or out of bounds.

    >>> Tuning(smoothing=500.0)
    Traceback (most recent call last):
    ...
    ValueError: smoothing is 500.0; allowed: 2.0 to 100.0
    """

    parameters: boosting.Parameters = field(default_factory=lambda: dict(boosting.PARAMETERS))
    smoothing: float = float(PRIOR_WEIGHT)
    codes: Codes = "numbers"  # benchmarks/learning.py: a higher average precision than as categories, on every world

    def __post_init__(self) -> None:
        if odd := sorted(set(self.parameters) ^ set(BOUNDS)):
            raise ValueError(f"parameter {odd[0]!r} is missing or unknown; allowed: {', '.join(BOUNDS)}")
        for name, value in (*self.parameters.items(), ("smoothing", self.smoothing)):
            low, high = BOUNDS.get(name, SMOOTHING)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
        if self.codes not in CODES:
            raise ValueError(f"codes is {self.codes!r}; allowed: {', '.join(CODES)}")


@dataclass(frozen=True)
class Found:
    """The tuning to train with, and how it was found.

    `origin` says where the first trial came from. `losses` has the losses of each trial, fold by fold; a trial that
    began badly was ended early. `kept` is the place of the trial that was kept. `ran_out` says whether the minutes
    ended the search.
    """

    tuning: Tuning
    origin: str
    folds: tuple[dict[str, str], ...] = ()
    losses: tuple[tuple[float, ...], ...] = ()
    kept: int = 0
    ran_out: bool = False

    def params(self) -> dict[str, str | int | float | bool]:
        """Return flat names to values for a run. They are not part of the model, which would be the same without."""
        mean = [float(np.mean(losses)) for losses in self.losses]
        best = {"tuning.first_loss": mean[0], "tuning.kept_loss": mean[self.kept]} if mean else {}
        days = {f"tuning.fold_{n}": f"{fold['learned']} {fold['judged']}" for n, fold in enumerate(self.folds, 1)}
        return {
            "tuning.began_with": self.origin,
            "tuning.trials": len(self.losses),
            "tuning.kept": "the first" if not self.kept else f"trial {self.kept + 1}",
            "tuning.ran_out_of_time": self.ran_out,
            **best,
            **days,
        }


def reused(record: training_record.TrainingRecord) -> Tuning:
    """Return the tuning of a trained model; ValueError where it could not be found today."""
    return Tuning(dict(record.parameters), record.smoothing, record.codes)


AS_THEY_STAND = Tuning()


def search(
    rows: pl.DataFrame,
    features: Sequence[Feature],
    training: policy.Training,
    trials: int,
    label_delay_days: int,
    first: Tuning = AS_THEY_STAND,
    origin: str = "parameters as they stand",
    on_progress: Progress | None = None,
    detects: float | None = None,
) -> Found:
    """Return the best of `trials` tunings for labelled `rows`, all known before the test part; with one trial, `first`.

    `origin` says where `first` comes from. `on_progress(done, all)` counts trials. ValueError where a fold has too few
    rows, see `folds`.
    """
    if trials < 2:
        return Found(first, origin)
    parts = folds(labelled(rows), training, label_delay_days)
    deadline = time.monotonic() + 60 * training.search.minutes
    encoders = [Encoder.fit(fitted, features) for fitted, _ in parts]
    tried: list[tuple[Tuning, tuple[float, ...]]] = []

    def objective(trial: optuna.Trial) -> float:
        tuning = _suggested(trial)
        losses: list[float] = []
        for number, (encoder, part) in enumerate(zip(encoders, parts, strict=True)):
            given, seed = encoder.giving(tuning.smoothing, tuning.codes), training.seed + number
            losses.append(_loss(given, part, tuning, training, seed, detects))
            trial.report(float(np.mean(losses)), number)
            if trial.should_prune():
                break
        tried.append((tuning, tuple(losses)))
        if on_progress:
            on_progress(len(tried), trials)
        if len(losses) < len(parts):
            raise optuna.TrialPruned
        return float(np.mean(losses))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # The seed changes with the day: with a fixed one, a night's single new trial would be the same for ever.
    seed = training.seed + window(rows)[1].toordinal()
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1),
    )
    for codes in _begun_with(first, trials):
        study.enqueue_trial({**first.parameters, "smoothing": first.smoothing, "codes": codes})
    study.optimize(objective, n_trials=1)  # `first` is judged no matter how little time there is
    study.optimize(objective, n_trials=trials - 1, timeout=max(deadline - time.monotonic(), 0.0))
    best = _better(tried)
    return Found(
        tuning=tried[best][0],
        origin=origin,
        folds=tuple({"learned": _days(fitted), "judged": _days(judged)} for fitted, judged in parts),
        losses=tuple(losses for _, losses in tried),
        kept=best,
        ran_out=len(tried) < trials,
    )


def folds(rows: pl.DataFrame, training: policy.Training, label_delay_days: int) -> list[Fold]:
    """Return labelled rows as pairs (learned from, judged on), in order of time.

    The last fold is judged on the latest `validation_share` of the days, the one before on as many days before, and so
    on. Each learns from all rows whose outcomes were known before its days. ValueError where nothing is left to learn
    from or to judge on.
    """
    first, last = window(rows)
    length = max(int(((last - first).days + 1) * training.validation_share), 1)
    found: list[Fold] = []
    for back in reversed(range(training.search.folds)):
        until = last - timedelta(days=back * length)
        found.append(split_off(rows.filter(pl.col("accepted_at").dt.date() <= until), length, label_delay_days))
    return found


def _loss(
    encoder: Encoder, part: Fold, tuning: Tuning, training: policy.Training, seed: int, detects: float | None
) -> float:
    fitted, judged = (
        boosting.Rows(encoder.table(rows), rows["is_illicit"].cast(pl.Float64).to_numpy())
        for rows in map(labelled, part)
    )
    return boosting.fit_until_best(
        boosting.illicit(fitted.target, detects),
        tuning.parameters,
        seed,
        encoder,
        fitted,
        judged,
        training.max_rounds,
        training.early_stopping_rounds,
    ).loss


def _begun_with(first: Tuning, trials: int) -> list[Codes]:
    """Return how the first trials give codes: as `first` does, and in a search with room for it in each other way too.

    >>> _begun_with(Tuning(codes="none"), 40), _begun_with(Tuning(codes="none"), 2)
    (['none', 'categories', 'numbers'], ['none'])
    """
    others = [codes for codes in CODES if codes != first.codes] if trials > len(CODES) else []
    return [first.codes, *others]


def _better(tried: Sequence[tuple[Tuning, tuple[float, ...]]]) -> int:
    """Return the place of the best of the trials judged on every fold; 0, the first, unless better beyond chance.

    >>> _better([(Tuning(), (0.30, 0.20)), (Tuning(), (0.29, 0.19)), (Tuning(), (0.20,))])
    1
    >>> _better([(Tuning(), (0.30, 0.20)), (Tuning(), (0.20, 0.29))])
    0
    """
    first = np.array(tried[0][1])
    whole = [place for place, (_, losses) in enumerate(tried) if len(losses) == len(first)]
    best = min(whole, key=lambda place: float(np.mean(tried[place][1])))
    gain = first - np.array(tried[best][1])
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else 0.0
    return best if gain.mean() > error else 0


def _suggested(trial: optuna.Trial) -> Tuning:
    parameters: boosting.Parameters = {}
    for name, (low, high) in BOUNDS.items():
        if isinstance(low, int) and isinstance(high, int):
            parameters[name] = trial.suggest_int(name, low, high, log=True)
        else:
            parameters[name] = trial.suggest_float(name, low, high, log=name not in _LINEAR)
    smoothing = trial.suggest_float("smoothing", *SMOOTHING, log=True)
    return Tuning(parameters, smoothing, trial.suggest_categorical("codes", CODES))


def _days(rows: pl.DataFrame) -> str:
    return "/".join(str(day) for day in window(rows))
