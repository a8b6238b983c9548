"""Parameters of the illicit head, by Optuna, within a budget of trials and minutes.

Trials are judged by log loss on the validation part, which is later than everything they learn from, and the first one
is the parameters as they stand: a search never ends below them. The same seed tries the same parameters in the same
order. Only the budget in minutes depends on the machine; what was found goes with the model, and the model depends on
nothing else.
"""

from dataclasses import dataclass
from typing import Any

import optuna

from models import boosting, policy
from models.boosting import Parameters, Progress, Rows
from models.encoding import Encoder


@dataclass(frozen=True)
class Found:
    """The best parameters, and each trial's log loss in order (none where nothing was searched)."""

    parameters: Parameters
    log_losses: tuple[float, ...] = ()

    def account(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return {"trials": len(self.log_losses), "log_losses": list(self.log_losses)}


def search(
    rows: Rows, validation: Rows, encoder: Encoder, training: policy.Training, on_progress: Progress | None = None
) -> Found:
    """The best parameters within `training.search`; those in models/boosting.py where it allows no trials.

    `on_progress(done, all)` counts trials as rounds of one fit: after the last, `done` is trials times `all`.
    """
    budget = training.search
    if not budget.trials:
        return Found(dict(boosting.PARAMETERS))

    def loss(trial: optuna.Trial) -> float:
        parameters = _suggested(trial)
        loss = boosting.fit_until_best(
            boosting.ILLICIT,
            parameters,
            training.seed,
            encoder,
            rows,
            validation,
            training.max_rounds,
            training.early_stopping_rounds,
        ).loss
        if on_progress:
            on_progress(trial.number + 1, 1)
        return loss

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=training.seed))
    study.enqueue_trial(boosting.PARAMETERS)
    study.optimize(loss, n_trials=budget.trials, timeout=60 * budget.minutes)
    losses = tuple(trial.value for trial in study.trials if trial.value is not None)
    return Found({**boosting.PARAMETERS, **study.best_params}, losses)


def _suggested(trial: optuna.Trial) -> Parameters:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 10, 200, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 50.0, log=True),
        "cat_smooth": trial.suggest_float("cat_smooth", 1.0, 200.0, log=True),
        "min_data_per_group": trial.suggest_int("min_data_per_group", 10, 500, log=True),
    }
