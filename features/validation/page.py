"""The validation page of one batch, and the index of all: HTML that needs no network, for people to read and to keep.

Their content comes from verdicts and records; templates/validation.html and validation_index.html lay it out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from features.presentation import pages
from features.store import BatchRecord
from features.validation.verdicts import BatchVerdict, ExpectationResult, Verdict
from features.validation.volume_chart import HEIGHT, WIDTH, chart


def render(record: BatchRecord | None, verdict: Verdict, batch: BatchVerdict) -> str:
    """Return the HTML page of a batch. Without `record` the batch was rejected, and nothing of it is stored."""
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


def name(file: str, ending: str) -> str:
    """Return the name of a batch's page, from its file and an ending that tells it from others of that name.

    >>> name("2024/monday.csv.gz", "ab12cd34")
    'monday.csv-ab12cd34.html'
    """
    return f"{Path(file).stem}-{ending}.html"


def name_of(record: BatchRecord) -> str:
    """Return the name of the page of a batch that was ingested."""
    return name(record.file, record.sha256[:8])


def render_index(source: str, records: Sequence[BatchRecord]) -> str:
    """Return the HTML page of all batches, those with the largest share of quarantined lines first."""
    ordered = sorted(records, key=lambda record: -record.quarantined / max(record.rows_in, 1))
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(record.quarantined_by_reason)
    return pages.template("features", "validation_index.html").render(
        source=source, records=ordered, reasons=reasons.most_common(), name_of=name_of
    )


def _most_first(results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    return sorted(results, key=lambda result: -result.unexpected)
