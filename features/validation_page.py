"""The validation page of one batch: a single HTML file that needs no network, for people to read and to keep.

What it says comes from the verdicts; how it looks is templates/validation.html.
"""

from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from features.store import BatchRecord
from features.verdict import BatchVerdict, ExpectationResult, Verdict
from features.volume_chart import HEIGHT, WIDTH, chart


def render(record: BatchRecord | None, verdict: Verdict, batch: BatchVerdict) -> str:
    """HTML page of a batch. Without `record` the batch was rejected as a whole, and nothing of it is stored."""
    refusing = [result for result in verdict.results if result.unexpected and result.severity == "row"]
    warning = [result for result in verdict.results if result.unexpected and result.severity == "warning"]
    return _template().render(
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


def share(part: int, whole: int) -> str:
    """`part` of `whole` as people read it: never 0 % where there is something.

    >>> share(1, 200_000), share(3, 100), share(0, 0)
    ('under 0.01 %', '3.00 %', '0 %')
    """
    if not part:
        return "0 %"
    return "under 0.01 %" if part / whole < 0.0001 else f"{part / whole:.2%}".replace("%", " %")


def _most_first(results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    return sorted(results, key=lambda result: -result.unexpected)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("features"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = share
    return environment.get_template("validation.html")
