"""What a retraining did, for the person who waits for it: as tables on a terminal, or as Markdown in Prefect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from features.ingestion import IngestReport
from features.matrix import cache
from features.store import BatchRecord
from models.evaluation import Evaluation, Gate, figures
from models.evidence import origins
from models.metrics import Estimate
from models.monitoring import DriftResult
from models.names import MODEL
from models.policy import SignoffStep
from models.registry import Registration

_SHARES = (0.05, 0.10)
Line = tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """Everything a retraining found, in the order in which it found it."""

    source: str
    ingested: IngestReport
    batches: Sequence[BatchRecord]
    data_version: str
    built: cache.Built
    features: int
    evaluation: Evaluation
    gates: Sequence[Gate]
    drift: DriftResult
    registration: Registration
    model_digest: str
    steps: Sequence[SignoffStep]

    @property
    def is_registered(self) -> bool:
        return self.registration.version is not None


@dataclass(frozen=True)
class Unchanged:
    """A retraining that did not train, since an earlier one from the same data and code tells what would come of it."""

    source: str
    ingested: IngestReport
    data_version: str
    earlier: origins.Earlier

    @property
    def is_registered(self) -> bool:
        return self.earlier.version is not None


def show(summary: Summary | Unchanged, console: Console) -> None:
    """Print the summary."""
    for title, head, rows in _tables(summary):
        # The table is narrow: five columns of figures with their intervals have to fit into 80 characters.
        table = Table(*head, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, show_header=any(head))
        for column in table.columns:
            column.overflow = "fold"  # a name that is too long for its place goes on in the next line
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print()
        console.print(title, style="bold", markup=False)
        console.print(table)
    console.print()
    console.print(_next(summary), markup=False, soft_wrap=True)


def as_markdown(summary: Summary | Unchanged) -> str:
    """Return the same as Markdown."""
    parts = []
    for title, head, rows in _tables(summary):
        cells = ([cell.replace("|", "/").replace("\n", " ") for cell in row] for row in (head, *rows))
        lines = [f"| {' | '.join(row)} |" for row in cells]
        rule = f"|{' --- |' * len(head)}"
        parts.append("\n".join([f"## {title}", "", lines[0], rule, *lines[1:]]))
    return "\n\n".join([*parts, _next(summary)]) + "\n"


def _tables(summary: Summary | Unchanged) -> Iterator[tuple[str, Line, list[Line]]]:
    if isinstance(summary, Unchanged):
        yield "Data", ("", ""), list(_data(summary))
        return
    yield "Data", ("", ""), [*_data(summary), *_made(summary)]
    scorers = (summary.evaluation.model, *summary.evaluation.baselines)
    if summary.evaluation.champion:
        scorers = (*scorers, summary.evaluation.champion.champion)
    head = ("figure", *(figures.TITLES.get(s.name, s.name) for s in scorers))
    title = (
        f"Test on {summary.evaluation.rows:,} inspected items, {summary.evaluation.hits:,} hits, "
        f"{summary.evaluation.first_day} to {summary.evaluation.last_day}; "
        f"{100 * summary.evaluation.confidence:.0f} % intervals"
    )
    yield title, head, list(_figures(scorers))
    gates: list[Line] = [
        (gate.verdict if gate.passed else "FAILED", gate.name, gate.sentence) for gate in summary.gates
    ]
    yield "Gates", ("", "gate", "finding"), gates


def _data(summary: Summary | Unchanged) -> Iterator[Line]:
    report = summary.ingested
    skipped = len(report.batches) - len(report.ingested)
    yield "source", summary.source
    yield (
        "rows ingested",
        (
            f"{report.rows_in:,} in {len(report.ingested)} batches: {report.stored:,} stored, "
            f"{report.quarantined:,} quarantined"
            + (f" ({report.in_part:,} in part)" if report.in_part else "")
            + f", {report.known:,} already known"
            + (f", {report.left_out:,} left out" if report.left_out else "")
            + (f"; {skipped} batches were ingested before" if skipped else "")
        ),
    )
    for reason, lines in report.quarantined_by_reason.items():
        yield "  quarantined", f"{lines:,} x {reason}"
    for warning in report.warnings:
        yield "  warning", warning
    yield "data version", summary.data_version


def _made(summary: Summary) -> Iterator[Line]:
    built = summary.built
    yield (
        "features",
        (
            f"{summary.features} for each declaration; computed for {built.computed_days} of {built.days} days"
            + (", the others were cached" if built.computed_days < built.days else "")
        ),
    )
    yield "model digest", summary.model_digest
    yield "drift", summary.drift.verdict


def _figures(scorers: Sequence[figures.Scorer]) -> Iterator[Line]:
    for name, label in (
        ("roc_auc", "ROC-AUC"),
        ("average_precision", "avg. precision"),
        ("brier", "Brier"),
        ("expected_calibration_error", "calibration error"),
    ):
        yield label, *(_interval(getattr(scorer, name)) for scorer in scorers)
    for by in ("score", "priority"):
        for share in _SHARES:
            for name in ("precision", "revenue"):
                at = [_at(scorer, share, by) for scorer in scorers]
                yield (
                    f"{name} {100 * share:.0f} % {by}",
                    *(_interval(getattr(each, name)) if each else "-" for each in at),
                )


def _at(scorer: figures.Scorer, share: float, by: str) -> figures.AtShare | None:
    return next((each for each in scorer.at_shares if each.share == share and each.by == by), None)


def _interval(estimate: Estimate) -> str:
    return estimate.text(".3f", "-", "{value}\n[{low}, {high}]")


def _next(summary: Summary | Unchanged) -> str:
    if isinstance(summary, Unchanged):
        return _nothing_to_do(summary.earlier)
    if not summary.is_registered:
        failed = ", ".join(gate.name for gate in summary.gates if not gate.passed)
        return f"Not registered: gates failed ({failed}). The run in MLflow has the reasons; nobody needs to sign."
    version, champion = summary.registration.version, summary.evaluation.champion
    if champion and champion.version == version:
        return f"Version {version} of {MODEL}, the champion, is this very model. Nothing to register or to sign."
    known = "" if summary.registration.is_new else " (registered before: nothing has changed since)"
    steps = ", then ".join(
        f"signoff.{step.name} by {step.signatures} {step.role}{'s' * (step.signatures > 1)}" for step in summary.steps
    )
    return (
        f"Registered as {MODEL} version {version}, alias challenger{known}. Evidence {summary.registration.digest}.\n"
        f"Next: reviewers read the version's description in MLflow (`make up` starts it) and sign: {steps}."
    )


def _nothing_to_do(earlier: origins.Earlier) -> str:
    same = "the same data, code, policy and search, and held against the same champion"
    if earlier.version is not None:
        return f"Version {earlier.version} of {MODEL} was made from {same}. Nothing to do; `--again` trains anyway."
    return (
        f"A model was made from {same}, and not registered: gates failed.\n{earlier.failures}\n"
        "Nothing to do; `--again` trains anyway."
    )
