"""The verdicts on the gates of policy.toml: what a model must show before anyone is asked to sign it."""

from collections.abc import Iterator
from typing import Literal

from models.document import Document
from models.evaluation.figures import Evaluation
from models.evaluation.slices import IDENTICAL_EARLIER_ROW, Slice
from models.metrics import Estimate
from models.policy import Gates

_NAMED_SLICES = 3  # the card lists them all
_UNSEEN = "on goods never seen before"


class Gate(Document):
    """One gate's verdict. `observed` is null where there was nothing to measure; `sentence` says it in words."""

    name: str
    passed: bool
    observed: float | None
    bound: float | None
    sentence: str

    @property
    def verdict(self) -> Literal["passed", "failed", "not judged"]:
        """Return the verdict in words: a gate without anything to judge by, as without a champion, stops nobody."""
        if not self.passed:
            return "failed"
        return "not judged" if self.observed is None else "passed"


def judge(evaluation: Evaluation, gates: Gates) -> tuple[Gate, ...]:
    """Return every gate's verdict, failed and passed, in the policy's order.

    A figure that the test rows do not define fails its gate: what was not shown is not taken for granted. Point
    estimates are judged; the sentences give the intervals. How well the model knows fraud is judged on goods that it
    had never seen, because rows that repeat a training row flatter a model that remembers it. Comparisons use all rows,
    because these favour neither side.
    """
    unseen = next(s for s in evaluation.slices if (s.dimension, s.value) == (IDENTICAL_EARLIER_ROW, "no"))
    return (
        _at_least("test_rows", "test rows", Estimate(value=evaluation.rows), gates.min_test_rows),
        _at_least("roc_auc", f"ROC-AUC {_UNSEEN}", unseen.roc_auc, gates.min_roc_auc),
        _lift(unseen, gates.min_average_precision_lift),
        _calibration(unseen.expected_calibration_error, gates.max_expected_calibration_error),
        *_baselines(evaluation, gates.beats_baselines),
        _champion(evaluation, gates.champion_margin),
        _slices(evaluation, gates.slice_min_rows, gates.slice_min_roc_auc),
    )


def _at_least(name: str, what: str, observed: Estimate, bound: float) -> Gate:
    if observed.value is None:
        return _undefined(name, what, observed, bound)
    passed = observed.value >= bound
    verdict = "reaches" if passed else "is below"
    return entered(name, passed, observed.value, bound, f"{what} {said(observed)} {verdict} {bound:g}")


def _calibration(observed: Estimate, bound: float) -> Gate:
    name, what = "expected_calibration_error", f"expected calibration error {_UNSEEN}"
    if observed.value is None:
        return _undefined(name, what, observed, bound)
    passed = observed.value <= bound
    verdict = "is within" if passed else "exceeds"
    return entered(name, passed, observed.value, bound, f"{what} {said(observed)} {verdict} {bound:g}")


def _lift(unseen: Slice, bound: float) -> Gate:
    """Judge average precision in multiples of the base rate, which is what random choice reaches."""
    precision = lift = unseen.average_precision
    if precision.value is not None and unseen.hits:
        base_rate = unseen.hits / unseen.rows
        low, high = ((None if end is None else end / base_rate) for end in (precision.low, precision.high))
        lift = Estimate(value=precision.value / base_rate, low=low, high=high)
    return _at_least("average_precision_lift", f"average precision over the base rate {_UNSEEN}", lift, bound)


def _baselines(evaluation: Evaluation, names: tuple[str, ...]) -> Iterator[Gate]:
    known = {baseline.name: baseline.average_precision for baseline in evaluation.baselines}
    observed = evaluation.model.average_precision
    for name in names:
        if name not in known:
            raise ValueError(f"policy's beats_baselines names {name!r}; allowed: {', '.join(known)}")
        gate, what, bound = f"beats_{name}", f"average precision against {name}", known[name].value
        if observed.value is None or bound is None:
            yield _undefined(gate, what, observed, bound)
            continue
        passed = observed.value > bound
        verdict = "beats" if passed else "does not beat"
        sentence = f"average precision {said(observed)} {verdict} {name}'s {said(known[name])}"
        yield entered(gate, passed, observed.value, bound, sentence)


def _champion(evaluation: Evaluation, margin: float) -> Gate:
    comparison = evaluation.champion
    if comparison is None:
        return entered("champion", True, None, -margin, "no champion yet, so there is none to fall behind")
    difference = comparison.differences["average_precision"]
    what = f"average precision less that of champion version {comparison.version}"
    if difference.value is None:
        return _undefined("champion", what, difference, -margin)
    passed = difference.value >= -margin
    verdict = "is within the margin of" if passed else "is worse than the margin of"
    sentence = f"{what} on the same rows, {said(difference, '+.3f')}, {verdict} {-margin:g}"
    return entered("champion", passed, difference.value, -margin, sentence)


def _slices(evaluation: Evaluation, min_rows: int, bound: float) -> Gate:
    large = [part for part in evaluation.slices if part.rows >= min_rows]
    measured = [(part.roc_auc.value, part) for part in large if part.roc_auc.value is not None]
    if not measured:
        return entered(
            "slices", True, None, bound, f"no slice has {min_rows} rows with hits and other rows; none is judged"
        )
    worst, part = min(measured, key=lambda entry: entry[0])
    below = sorted((entry for entry in measured if entry[0] < bound), key=lambda entry: entry[0])
    if below:
        named = "; ".join(f"{p.dimension} {p.value}, {said(p.roc_auc)}" for _, p in below[:_NAMED_SLICES])
        sentence = f"ROC-AUC is below {bound:g} in {len(below)} of {len(measured)} slices judged, lowest first: {named}"
    else:
        weakest = f"{part.dimension} {part.value}, {said(part.roc_auc)}"
        sentence = (
            f"ROC-AUC reaches {bound:g} in all {len(measured)} slices of {min_rows} rows or more; weakest: {weakest}"
        )
    return entered("slices", not below, worst, bound, sentence)


def _undefined(name: str, what: str, observed: Estimate, bound: float | None) -> Gate:
    return entered(name, False, None, bound, f"{what} could not be measured: {observed.reason}")


def entered(name: str, passed: bool, observed: float | None, bound: float | None, sentence: str) -> Gate:
    sentence = f"{sentence[0].upper()}{sentence[1:]}."
    return Gate(name=name, passed=passed, observed=observed, bound=bound, sentence=sentence)


def said(estimate: Estimate, form: str = ".3f") -> str:
    has_interval = estimate.low is not None and estimate.high is not None
    is_whole = estimate.value is not None and estimate.value == int(estimate.value)
    return estimate.text("g" if is_whole and not has_interval else form, "unknown")
