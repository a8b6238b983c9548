"""From a trained model to the evidence that people sign: figures, plots, drift, gates, card, manifest, in one folder.

Each step takes what the one before it made; manifest.py has the layout of the evidence folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from features.contract import KEY
from features.families import Feature
from models import burden
from models.backtesting import rehearsal_plots, replay, side_by_side, strategies
from models.burden import BurdenReport
from models.detection import Detection
from models.detection import measure as measure_detection
from models.dossier.dossier import POLICY, About, Dossier, Judged, validation_of, verdicts
from models.dossier.incumbent import Incumbent
from models.evaluation import Evaluation, Gate, baselines, figures, repeats, schemes
from models.evidence import manifest as evidence
from models.evidence import origins, source_code
from models.metrics import Scores, off_policy, ranking
from models.monitoring import DriftResult, Quality, drift
from models.plots import burden_plots, plots
from models.policy import Policy
from models.reasons import agreement, group_contributions
from models.registry import Candidate, serving
from models.risk import RiskModel
from models.targeting import Selector
from models.training import Dataset, Found, Split, days, splits

PLOTS, DRIFT_PAGE = "plots", "drift.html"
_SHAP_ROWS = 2000  # a picture of more would only be slower
_REASONS_ROWS, _REASONS_SHOWN = 500, 3  # rows compared between two models; as many reasons as a work list shows


@dataclass(frozen=True)
class Origin:
    """The origin of a model.

    It has the source of its rows, DVC's version of the data, how the data passed validation, the code and what of it
    was not committed (None if nobody can say), the account that asked for it, how its tuning was found, and the digest
    of what it was made from (models/evidence/origins.py). If it was made elsewhere, `imported` says which version of
    which installation it was.
    """

    source: str
    data_version: str
    validation: Mapping[str, Any]
    code: source_code.Code
    uncommitted: source_code.Uncommitted | None
    author: str
    tuning: Found
    made_from: str
    imported: str = ""


@dataclass(frozen=True)
class Measured:
    """Holds what was measured of a model on the test rows.

    `scorers` has the scores of the model, the champion and the baselines, by name, in the order of the rows.
    `importance` is the mean absolute SHAP value of each feature, in log-odds.
    """

    evaluation: Evaluation
    scorers: Mapping[str, Scores]
    importance: Mapping[str, float]


def measure(
    model: RiskModel,
    split: Split,
    dataset: Dataset,
    features: Sequence[Feature],
    policy: Policy,
    champion: Incumbent | None,
    truth: pl.DataFrame,
    folder: Path,
) -> Measured:
    """Return figures on the test rows, beside the baselines and the champion, and draw their plots in `folder`.

    `dataset` holds every declaration, inspected or not; `truth` has what a simulator planted in the test window, and no
    rows for other sources, nor for days on which the window was asked.
    """
    test = split.test
    predicted, log = _in_window(model, splits.accepted_between(dataset, split.windows["test"]))
    scores = figures.scores_of(test, predicted)
    scorers = {figures.OF_MODEL: scores} | baselines.score(split.before_test, test, features)
    challenged = (champion.version, champion.scores(test)) if champion else None
    evaluation = figures.evaluate(
        test,
        scores,
        {name: each for name, each in scorers.items() if name != figures.OF_MODEL},
        repeats.has_identical_earlier_row(split.before_test, test),
        policy,
        champion=challenged,
        schemes=_schemes(predicted, truth),
        selection=_selection(predicted, log, policy),
    )
    if challenged:
        scorers[figures.OF_CHAMPION] = challenged[1]
    rows = _sampled(test)
    contributions = model.contributions(rows).drop(KEY)
    _draw(model, test, scorers, folder / PLOTS)
    plots.shap_summary(folder / PLOTS / "shap.png", contributions.to_numpy(), rows, model.encoder.names)
    importance = contributions.drop("baseline").select(pl.all().abs().mean()).row(0, named=True)
    return Measured(evaluation, scorers, importance)


def rehearse(
    model: RiskModel,
    split: Split,
    dataset: Dataset,
    champion: Incumbent | None,
    source: str,
    truth: pl.DataFrame,
    policy: Policy,
    folder: Path,
) -> side_by_side.SideBySide | side_by_side.NotRehearsed:
    """Rehearse the model beside the champion on all declarations of the test window from which neither has learned.

    Without a champion of the same source it stands beside the risk profile, the rule of today. The picture is written
    too.
    """
    incumbent = champion.model if champion and champion.source == source else None
    if champion and incumbent:
        # It chooses by the policy that was signed with it, as it does in force, so that the effect of an edited policy
        # shows.
        in_force = Selector(champion.policy, incumbent)
        against: tuple[str, replay.Chooser] = (f"champion version {champion.version}", in_force)
        learned_until = max(_learned_until(model), _learned_until(incumbent))
    else:
        base_rate = float(split.before_test["is_illicit"].to_numpy().mean())
        against = ("the risk profile", strategies.RiskProfile(policy.targeting, base_rate))
        learned_until = _learned_until(model)
    first, last = split.windows["test"]
    rows = splits.accepted_between(dataset, (max(first, learned_until + timedelta(days=1)), last)).with_columns(
        accepted_on=pl.col("accepted_at").dt.date()
    )
    predicted = model.predict(rows)
    expected = off_policy.Expected(predicted["score"].to_numpy(), predicted["expected_revenue"].to_numpy())
    found = side_by_side.rehearse(rows, expected, Selector(policy, model), against, truth, policy)
    if isinstance(found, side_by_side.NotRehearsed):
        return found
    rehearsal_plots.loads(folder / PLOTS / "loads.png", found)
    return found.model_copy(update={"reasons": _kept_reasons(incumbent, model, rows, policy) if incumbent else None})


def _kept_reasons(before: RiskModel, after: RiskModel, rows: pl.DataFrame, policy: Policy) -> agreement.Stability:
    """Return how far the reasons of the two models agree, on rows evenly spread over the window."""
    sample = rows.gather_every(-(-rows.height // _REASONS_ROWS))
    contributions = [group_contributions(model, sample) for model in (before, after)]
    evaluation = policy.evaluation
    return agreement.stability(
        *contributions, _REASONS_SHOWN, evaluation.bootstrap_resamples, evaluation.confidence, policy.training.seed
    )


def _learned_until(model: RiskModel) -> date:
    return model.training.parts.final.last_day


def watch(dataset: Dataset, reference: RiskModel, at_training: Quality, policy: Policy, page: Path) -> DriftResult:
    """Compare the latest window with the rows that `reference` learned from, features and scores; write the report."""
    learned = reference.training.parts.final
    _, latest = days.of_data(dataset)
    seed, bounds = policy.training.seed, policy.drift
    before = drift.sample_reference(dataset, learned.first_day, learned.last_day, bounds.max_sample_rows, seed)
    now = splits.accepted_between(dataset, (latest - timedelta(days=bounds.window_days - 1), latest))
    return drift.check(
        replace(before, rows=_scored(reference, before.rows)), _scored(reference, now), bounds, seed, at_training, page
    )


def _scored(model: RiskModel, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(model.predict(rows)["score"])


def detect(
    measured: Measured, split: Split, lanes: pl.DataFrame, looked: pl.DataFrame, before: date, policy: Policy
) -> Detection:
    """Estimate what inspections find of what is there, and so what is illicit among the test rows.

    `lanes` has the key and the `lane` of inspections, `looked` the second looks (detection.looks), of which those known
    before a day count.
    """
    score = measured.scorers[figures.OF_MODEL].score
    rows = split.test.select(*KEY, pl.col("office").cast(pl.String()), "is_illicit").with_columns(
        score=pl.Series(score, dtype=pl.Float64)
    )
    judged = rows.join(lanes, on=KEY, how="left", maintain_order="left", validate="1:1")
    return measure_detection(looked, judged, before, policy.evaluation.confidence)


def assemble(
    model: RiskModel,
    split: Split,
    measured: Measured,
    champion: Incumbent | None,
    watched: DriftResult,
    rehearsed: side_by_side.SideBySide | side_by_side.NotRehearsed,
    detected: Detection,
    origin: Origin,
    policy: Policy,
    currencies: pl.DataFrame,
    folder: Path,
) -> tuple[Candidate, tuple[Gate, ...]]:
    """Judge the model and complete its evidence folder; return the candidate to register, and every gate's verdict.

    `currencies` has the key and the `currency` of each test row: features do not need it, costs do.
    """
    load = _burden(measured.scorers, split.test, policy, currencies, folder / PLOTS)
    gates = verdicts(measured.evaluation, load, origin.uncommitted, policy)
    about = About(
        source=origin.source,
        importance=dict(measured.importance),
        changes=_changes(champion, model, split, origin, policy) if champion else (),
        stray=split.stray,
        uncommitted=origin.uncommitted,
        imported=origin.imported,
    )
    judged = Judged(
        about=about,
        evaluation=measured.evaluation,
        gates=gates,
        burden=load,
        rehearsal=rehearsed,
        detection=detected,
    )
    dossier = Dossier(judged, watched, validation_of(origin.validation), policy.written, model)
    dossier.write(folder, origin.data_version, origin.code.commit)
    manifest = evidence.assemble(folder, origin.data_version, dossier.windows(), origin.code)
    manifest.write(folder)
    candidate = Candidate(
        folder=folder,
        manifest=manifest,
        author=origin.author,
        params=dossier.params() | origin.tuning.params(),
        metrics=dossier.metrics(),
        failures=tuple(gate.sentence for gate in gates if not gate.passed),
        steps=tuple(step.name for step in policy.signoff.steps),
        signature=serving.signature(model.encoder),
        input_example=serving.input_example(split.test, model.encoder),
        made_from=None if origin.tuning.ran_out else origin.made_from,
        held_against=champion.manifest.digest if champion else origins.NO_CHAMPION,
    )
    return candidate, gates


def _burden(
    measured: Mapping[str, Scores],
    test: pl.DataFrame,
    policy: Policy,
    currencies: pl.DataFrame,
    plots_folder: Path,
) -> BurdenReport:
    """Return whom the model's selection of test rows affects and what it costs, beside the champion's and chance."""
    scorers = {name: measured[name] for name in (figures.OF_MODEL, figures.OF_CHAMPION) if name in measured}
    selections = {
        name: ranking.chance_in_top(each.score if each.priority is None else each.priority, policy.targeting.at_share)
        for name, each in scorers.items()
    }
    rows = test.join(currencies, on=KEY, how="left", maintain_order="left", validate="1:1")
    report = burden.measure(rows, selections, policy)
    burden_plots.by_group(plots_folder / "burden.png", report)
    burden_plots.returns(plots_folder / "returns.png", report, figures.sample_of(test), scorers)
    return report


def _changes(champion: Incumbent, model: RiskModel, split: Split, origin: Origin, policy: Policy) -> tuple[str, ...]:
    """Return how this model's making differs from the champion's, in a few words each."""
    before = champion.manifest
    window, window_before = _windows(split)["train"], before.window["train"]
    old, new = champion.model.encoder.names, model.encoder.names
    pairs = {
        "source": (champion.source, origin.source),
        "data version": (before.data_version, origin.data_version),
        "trained on": (window_before.replace("/", " to "), window.replace("/", " to ")),
        "code": (before.code.commit[:8], origin.code.commit[:8]),
        "uncommitted source": (before.code.source_sha256[:8], origin.code.source_sha256[:8]),
        "policy": (before.files[POLICY][:8], policy.digest[:8]),
        "feature code": tuple((each.training.feature_code or "not known")[:9] for each in (champion.model, model)),
    }
    if pairs["code"][0] != pairs["code"][1]:
        del pairs["uncommitted source"]  # another commit has another source
    found = [f"{name} {was} -> {now}" for name, (was, now) in pairs.items() if was != now]
    added, removed = len(set(new) - set(old)), len(set(old) - set(new))
    return (*found, f"features: {added} added, {removed} removed" if added or removed else "same features")


def _windows(split: Split) -> dict[str, str]:
    return {name: f"{first}/{last}" for name, (first, last) in split.windows.items()}


def _in_window(model: RiskModel, rows: pl.DataFrame) -> tuple[pl.DataFrame, off_policy.Log | None]:
    """Return what the model says of all declarations of a window, and the inspections made among them."""
    return model.predict(rows), side_by_side.log_of(rows)


def _schemes(predicted: pl.DataFrame, truth: pl.DataFrame) -> tuple[schemes.SchemeRecall, ...]:
    return () if truth.is_empty() else schemes.recall(predicted, truth)


def _selection(
    predicted: pl.DataFrame, log: off_policy.Log | None, policy: Policy
) -> off_policy.SelectionEstimates | None:
    """Estimate what choosing by priority would have found in the window, by the recorded probabilities."""
    if log is None:
        return None
    expected = off_policy.Expected(predicted["score"].to_numpy(), predicted["expected_revenue"].to_numpy())
    chosen = ranking.chance_in_top(predicted["priority"].to_numpy(), policy.targeting.at_share)
    return off_policy.estimate(log, chosen, expected, policy.evaluation.confidence)


def _draw(model: RiskModel, test: pl.DataFrame, scorers: Mapping[str, Scores], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sample = figures.sample_of(test)
    plots.precision_recall(folder / "precision_recall.png", sample, scorers)
    plots.gain(folder / "gain.png", sample, scorers)
    plots.reliability(folder / "reliability.png", sample, {figures.OF_MODEL: scorers[figures.OF_MODEL]})
    plots.score_histogram(folder / "scores.png", sample, scorers[figures.OF_MODEL].score)
    curve = model.training.learning_curve
    plots.learning_curve(folder / "learning_curve.png", "log loss", curve, model.training.rounds)


def _sampled(test: pl.DataFrame) -> pl.DataFrame:
    """Return rows evenly spread over the test window."""
    return test.gather_every(-(-test.height // _SHAP_ROWS)) if test.height > _SHAP_ROWS else test
