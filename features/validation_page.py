"""The validation page of one batch: a single HTML file that needs no network, for people to read and to keep.

What it says comes from the verdicts; how it looks is templates/validation.html.
"""

from collections.abc import Iterable

from features import pages
from features.store import BatchRecord
from features.verdict import BatchVerdict, ExpectationResult, Verdict
from features.volume_chart import HEIGHT, WIDTH, chart


def render(record: BatchRecord | None, verdict: Verdict, batch: BatchVerdict) -> str:
    """HTML page of a batch. Without `record` the batch was rejected as a whole, and nothing of it is stored."""
    refusing = [result for result in verdict.results if result.unexpected and result.severity == "row"]
    warning = [result for result in verdict.results if result.unexpected and result.severity == "warning"]
    return pages.template("features", "validation.html").render(
        record=record,
        batch=batch,
        is_rejected=not all(check.passed or check.is_warning for check in batch.checks),
        groups=(
            ("Not met: the lines are quarantined", "bad", _most_first(refusing)),
            ("Not met: warnings, the lines are stored", "warn", _most_first(warning)),
        ),
        met=[result for result in verdict.results if not result.unexpected],
        expectations=len(verdict.results),
        chart=chart(batch.days) if batch.days else None,
        width=WIDTH,
        height=HEIGHT,
    )


def _most_first(results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    return sorted(results, key=lambda result: -result.unexpected)
