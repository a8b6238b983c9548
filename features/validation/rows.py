"""Validation of arriving rows: which expectation fails, in which row, and with what value.

The expectations are those of features.validation.expectations. Great Expectations copies the frame that it gets for
every metric that it computes, so it never gets the batch. Instead the expectations are grouped by the columns that they
read, and each group is asked once about the distinct combinations of values in those columns. The answer is then
brought back to the rows, and remembered if values repeat. Great Expectations is asked only for the metric of each
expectation (which rows do not meet it): its suites, batches and results around that cost three times as much. The
remaining cost is some milliseconds per expectation, however few the values, so small batches are judged together.
`check_batch` judges whole batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from features import contract
from features.reading import written
from features.validation.batches import check_batch
from features.validation.limits import Limits
from features.validation.verdicts import (
    BATCH,
    FAILURES,
    PLACE,
    BatchRejected,
    BatchVerdict,
    ExpectationResult,
    Finding,
    Severity,
    Verdict,
    failures_of,
    results_of,
)

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
    from great_expectations.validator.metric_configuration import MetricConfiguration

__all__ = [
    "BatchRejected",
    "BatchVerdict",
    "ExpectationResult",
    "Limits",
    "Verdict",
    "check_batch",
    "judge",
    "validate",
]

LONGEST_VALUE = 60
MOST_REMEMBERED = 2000  # the combinations of a group
MOST_TOGETHER = 3000  # likewise; a group with more of them is asked about by itself
_NUMBER = "__number"
_HOW_MANY, _WHICH = "unexpected_count", "unexpected_index_list"
_COMPLETE = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [_NUMBER],
    "exclude_unexpected_values": True,
}


@dataclass(frozen=True, eq=False)
class _Rule:
    """An expectation, the columns it reads, those it is about (the first above all), and what results say of it."""

    position: int
    name: str
    reads: tuple[str, ...]
    about: tuple[str, ...]
    says: str
    severity: Severity
    expectation: "ColumnMapExpectation | ColumnPairMapExpectation"


class _Group:
    """Rules that read the same columns, and the remembered answers on combinations of their values.

    Codes repeat from batch to batch, so the answers on them are remembered; for columns with many values none is.
    """

    def __init__(self, reads: tuple[str, ...]) -> None:
        self.reads = reads
        self.rules: list[_Rule] = []
        self._asked: pl.DataFrame | None = None
        self._failing: Mapping[_Rule, pl.DataFrame] = {}

    def unknown(self, combinations: pl.DataFrame) -> pl.DataFrame:
        """Return the `combinations` on which no answer is remembered."""
        if self._asked is None:
            return combinations
        return combinations.join(self._asked, on=self.reads, how="anti", nulls_equal=True)

    def failing(self, new: pl.DataFrame, found: Mapping[_Rule, pl.DataFrame]) -> Mapping[_Rule, pl.DataFrame]:
        """Return the combinations that fail rules, `found` among the `new` ones or remembered, by rule."""
        known = {rule: [of[rule] for of in (self._failing, found) if rule in of] for rule in self.rules}
        failing = {rule: pl.concat(combinations).unique() for rule, combinations in known.items() if combinations}
        asked = new.select(self.reads)
        asked = asked if self._asked is None else pl.concat([self._asked, asked])
        if asked.height <= MOST_REMEMBERED:
            self._asked, self._failing = asked, failing
        return failing


def validate(table: str, frame: pl.DataFrame) -> Verdict:
    """Judge rows of one batch, which have the contract's columns, `source_line`, and `unreadable` if any is.

    >>> row = dict.fromkeys(contract.schema("truth")) | {"source_line": 2, "evaded_revenue": -3.0}
    >>> frame = pl.DataFrame([row], schema_overrides=contract.schema("truth"))
    >>> validate("truth", frame).failures["reason"].to_list()[-2:]
    ['is_critical: empty; expected: a value', 'evaded_revenue: -3.0; expected: from 0 to 20,000,000,000,000,000']
    >>> validate("truth", frame.drop("scheme"))
    Traceback (most recent call last):
    ...
    ValueError: truth cannot be validated without scheme; there are declaration_id, item_number, ..., source_line
    """
    findings = judge(table, frame.with_columns(pl.lit(0, pl.UInt32).alias(BATCH)))
    return Verdict(failures_of(findings).select(*FAILURES), results_of(findings, {0: frame.height})[0])


def judge(table: str, rows: pl.DataFrame) -> list[Finding]:
    """Judge `rows` of any number of batches, told apart by BATCH, by every expectation on `table`.

    If the source says something about a column in `unreadable`, nothing is added to it. Raises ValueError for an
    unknown table and for a column that `rows` lack.
    """
    missing = [name for name in (*contract.schema(table), "source_line") if name not in rows.columns]
    if missing:
        there = ", ".join(name for name in rows.columns if name != BATCH)
        raise ValueError(f"{table} cannot be validated without {', '.join(missing)}; there are {there}")
    found = sorted(_judge(_prepared(table, rows), _groups(table)), key=lambda judged: judged[0].position)
    return [
        Finding(table, rule.name, rule.about[0], rule.says, rule.severity, _explained(rule, failing))
        for rule, failing in found
    ]


@cache
def _groups(table: str) -> tuple[_Group, ...]:
    """Return the rules of `table` in groups that read the same columns."""
    from features.validation import (
        expectations,  # Great Expectations takes seconds to import; a night without new files does without
    )

    severities: dict[str, Severity] = {expectations.ROW: "row", expectations.WARNING: "warning"}
    helpers = expectations.helpers(table)
    groups: dict[tuple[str, ...], _Group] = {}
    for position, expectation in enumerate(expectations.suite(table).expectations):
        arguments = expectation.configuration.kwargs
        meta = expectation.meta or {}
        named = (arguments[key] for key in ("column", "column_A", "column_B") if key in arguments)
        reads = tuple(dict.fromkeys([*named, *meta["also_reads"]]))
        rule = _Rule(
            position,
            meta["name"],
            reads,
            tuple(helpers.get(column, column) for column in reads),
            expectation.description or "",
            severities[expectation.severity],
            expectation,
        )
        groups.setdefault(reads, _Group(reads)).rules.append(rule)
    return tuple(groups.values())


def _prepared(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    from features.validation import expectations

    return expectations.with_helpers(table, frame.with_columns(pl.col(pl.Float64).fill_nan(None)))


def _judge(rows: pl.DataFrame, groups: Sequence[_Group]) -> Iterator[tuple[_Rule, pl.DataFrame]]:
    """Yield each rule with the rows that fail it, in their order."""
    rows = rows.with_row_index(_NUMBER)
    occurring = [rows.lazy().select(_NUMBER, *group.reads).unique(group.reads, keep="first") for group in groups]
    new = {group: group.unknown(each) for group, each in zip(groups, pl.collect_all(occurring), strict=True)}
    found: dict[_Rule, pl.DataFrame] = {}
    for together in _together(new):
        numbers = pl.concat(new[group][_NUMBER] for group in together).unique().sort()
        columns = dict.fromkeys(column for group in together for column in group.reads)
        failing = _ask(rows.select(_NUMBER, *columns)[numbers], [rule for group in together for rule in group.rules])
        found |= {rule: rows.select(rule.reads)[failed] for rule, failed in failing.items()}
    none = rows.clear()
    for group in groups:
        known = group.failing(new[group], found)
        for rule in group.rules:
            fails = none
            if rule in known:
                fails = rows.join(known[rule], on=group.reads, how="semi", nulls_equal=True).sort(*PLACE)
            yield rule, fails


def _together(new: Mapping[_Group, pl.DataFrame]) -> Iterator[list[_Group]]:
    """Yield groups to ask about at once: those with few new combinations together, each of the others alone."""
    few = [group for group, combinations in new.items() if 0 < combinations.height <= MOST_TOGETHER]
    if few:
        yield few
    yield from ([group] for group, combinations in new.items() if combinations.height > MOST_TOGETHER)


def _ask(rows: pl.DataFrame, rules: Sequence[_Rule]) -> dict[_Rule, list[int]]:
    """Return `_NUMBER` of the `rows` that fail a rule, by rule, as Great Expectations says."""
    from great_expectations.exceptions import MetricResolutionError
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    # Great Expectations compares all whole numbers of a column at once only if they have 64 bits.
    widened = rows.with_columns(pl.col(pl.Int8, pl.Int32).cast(pl.Int64))
    calculator = MetricsCalculator(PandasExecutionEngine(batch_data_dict={"rows": widened.to_pandas()}))

    def computed(what: str, rules: Sequence[_Rule]) -> dict[_Rule, Any]:
        metrics = {rule: _metric(rule, what) for rule in rules}
        try:
            found, _ = calculator.compute_metrics([*metrics.values()], {"catch_exceptions": False})
        except MetricResolutionError as error:
            where = {metric.metric_domain_kwargs_id for metric in error.failed_metrics}
            names = [rule.name for rule, metric in metrics.items() if metric.metric_domain_kwargs_id in where]
            raise RuntimeError(f"expectation {' or '.join(names)} could not be evaluated: {error}") from error
        return {rule: found[metric.id] for rule, metric in metrics.items()}

    # Counting the rows that fail takes half the time of listing them, and mostly none fails.
    failed = [rule for rule, count in computed(_HOW_MANY, rules).items() if count]
    indices = computed(_WHICH, failed) if failed else {}
    return {rule: [int(row) for index in found for row in index[_NUMBER]] for rule, found in indices.items()}


@cache
def _metric(rule: _Rule, what: str) -> "MetricConfiguration":
    """Return the metric by which Great Expectations evaluates an expectation: how many or which rows do not meet it."""
    from great_expectations.expectations.registry import get_metric_kwargs
    from great_expectations.validator.metric_configuration import MetricConfiguration

    name = f"{rule.expectation.map_metric}.{what}"
    arguments = get_metric_kwargs(name, rule.expectation.configuration, {"result_format": _COMPLETE})
    return MetricConfiguration(name, arguments["metric_domain_kwargs"], arguments["metric_value_kwargs"])


def _explained(rule: _Rule, rows: pl.DataFrame) -> pl.DataFrame:
    """Return why `rows` fail, in the columns of `Finding.failing`."""
    from features.validation.expectations import UNREADABLE

    if rows.is_empty():
        return pl.DataFrame(schema={**PLACE, "column": pl.String(), "reason": pl.String(), "value": pl.String()})
    column, *others = rule.about
    if column == UNREADABLE:
        text = pl.col(UNREADABLE)
        names = "|".join(rows.columns)
        name = text.str.extract(f"^({names}): ").fill_null(UNREADABLE)
        return rows.select(*PLACE, column=name, reason=text, value=text)
    is_explained = pl.col(UNREADABLE).str.contains(f"{column}: ", literal=True)
    rows = rows.filter(is_explained.fill_null(value=False).not_())
    value = _shown(rows, column)
    if others:
        context = [pl.format("{}: {}", pl.lit(other), _shown(rows, other)) for other in others]
        value = pl.format("{} ({})", value, pl.concat_str(context, separator=", "))
    reason = pl.format("{}: {}; expected: {}", pl.lit(column), value, pl.lit(rule.says))
    if rows.schema[column] == pl.String:
        is_nothing = pl.col(column).str.contains(written.NOTHING).fill_null(value=False)
        reason = reason + pl.when(is_nothing).then(pl.lit(written.IF_NOTHING)).otherwise(pl.lit(""))
    return rows.select(*PLACE, column=pl.lit(column), reason=reason, value=value)


def _shown(rows: pl.DataFrame, column: str) -> pl.Expr:
    """Return the value as text, cut to LONGEST_VALUE characters; text is in quotes."""
    text = pl.col(column).cast(pl.String)
    cut = pl.when(text.str.len_chars() > LONGEST_VALUE).then(text.str.slice(0, LONGEST_VALUE) + "...").otherwise(text)
    if rows.schema[column] == pl.String:
        cut = pl.format("'{}'", cut)
    return cut.fill_null("empty")
