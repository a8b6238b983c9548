"""Validation of arriving rows: which expectation of features.expectations fails, in which row, with what value.

Great Expectations copies the frame it is given for every metric it computes, so it is never given the batch: the
expectations are grouped by the columns they read, and each group is put to the distinct combinations of values in those
columns, once. The answer is then brought back to the rows, and remembered where values repeat. Asking costs some 10 ms
an expectation, however few the values, so small batches are put to it together. Whole batches are judged by
`check_batch`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from features import contract, written
from features.batch_checks import check_batch
from features.verdict import (
    BATCH,
    FAILURES,
    PLACE,
    BatchRejected,
    BatchVerdict,
    ExpectationResult,
    Finding,
    Limits,
    Severity,
    Verdict,
    failures_of,
    results_of,
)

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

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
MOST_REMEMBERED = 2000  # combinations of a group
_NUMBER = "__number"
_WHETHER: dict[str, object] = {"result_format": "BOOLEAN_ONLY"}
_WHICH: dict[str, object] = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [_NUMBER],
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}
_PLACE = "__place"


@dataclass(frozen=True)
class _Rule:
    """An expectation, what it reads, the columns it is about (the first above all), and what results say of it."""

    position: int
    name: str
    reads: tuple[str, ...]
    about: tuple[str, ...]
    says: str
    severity: Severity
    expectation: "Expectation"


class _Group:
    """Rules that read the same columns, and what has been said of combinations of their values.

    Asking costs some 10 ms a rule, however few the values. Codes repeat from batch to batch, so what was said of them
    is remembered; of columns with many values, nothing is.
    """

    def __init__(self, reads: tuple[str, ...]) -> None:
        self.reads = reads
        self.rules: list[_Rule] = []
        self._asked: pl.DataFrame | None = None
        self._failing: pl.DataFrame | None = None

    def failing(self, combinations: pl.DataFrame) -> pl.DataFrame:
        """Those of `combinations` (distinct) that fail, a row for each rule: `_PLACE` is its place in `rules`."""
        asked, failing = self._asked, self._failing
        if asked is None or failing is None:
            asked, failing = combinations.clear(), combinations.clear().with_columns(pl.lit(0, pl.Int32).alias(_PLACE))
        new = combinations.join(asked, on=self.reads, how="anti", nulls_equal=True)
        if new.height or self._asked is None:
            failed = _ask(new, self.rules)
            places = pl.Series(_PLACE, [place for place, _ in failed], pl.Int32)
            failing = pl.concat([failing, new[[number for _, number in failed]].with_columns(places)])
            if asked.height + new.height <= MOST_REMEMBERED:
                self._asked, self._failing = pl.concat([asked, new]), failing
        return failing.join(combinations, on=self.reads, how="semi", nulls_equal=True)


def validate(table: str, frame: pl.DataFrame) -> Verdict:
    """What `judge` says of rows of one batch: the contract's columns, `source_line`, and `unreadable` if any is.

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
    """Put every expectation on `table` to `rows` of any number of batches, which have BATCH besides.

    What the source says of a column in `unreadable` is all that is said of it. Raises ValueError for an unknown table
    and for a column that `rows` lack.
    """
    missing = [name for name in (*contract.schema(table), "source_line") if name not in rows.columns]
    if missing:
        there = ", ".join(name for name in rows.columns if name != BATCH)
        raise ValueError(f"{table} cannot be validated without {', '.join(missing)}; there are {there}")
    rows = _prepared(table, rows)
    found = [judged for group in _groups(table) for judged in _judge(rows, group)]
    found.sort(key=lambda judged: judged[0].position)
    return [
        Finding(table, rule.name, rule.about[0], rule.says, rule.severity, _explained(rule, failing))
        for rule, failing in found
    ]


@cache
def _groups(table: str) -> tuple[_Group, ...]:
    """The rules of `table`, those that read the same columns together."""
    from features import (
        expectations,
    )  # Great Expectations takes seconds to import; a night without new files needs none

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
    from features import expectations

    return expectations.with_helpers(table, frame.with_columns(pl.col(pl.Float64).fill_nan(None)))


def _judge(rows: pl.DataFrame, group: _Group) -> list[tuple[_Rule, pl.DataFrame]]:
    """Each rule of the group with the rows that fail it, in their order."""
    failing = group.failing(rows.select(group.reads).unique(maintain_order=True))
    judged = []
    for place, rule in enumerate(group.rules):
        combinations = failing.filter(pl.col(_PLACE) == place)
        found = rows.clear()
        if combinations.height:
            found = rows.join(combinations, on=group.reads, how="semi", nulls_equal=True).sort(*PLACE)
        judged.append((rule, found))
    return judged


def _ask(combinations: pl.DataFrame, rules: Sequence[_Rule]) -> list[tuple[int, int]]:
    """Which rules fail for which of `combinations`, as places in both, by Great Expectations."""
    # Of whole numbers, Great Expectations compares only those of 64 bits all at once.
    widened = combinations.with_columns(pl.col(pl.Int8, pl.Int32).cast(pl.Int64))
    batch = _everything().get_batch({"dataframe": widened.with_row_index(_NUMBER).to_pandas()})
    # Whether any row fails is known in half the time of which, and mostly none does.
    is_met = {name: bool(result.success) for name, result in _results(batch, rules, _WHETHER).items()}
    failed = [rule for rule in rules if not is_met[rule.name]]
    places: list[tuple[int, int]] = []
    for name, result in _results(batch, failed, _WHICH).items() if failed else ():
        if "unexpected_index_list" not in result.result:
            raise RuntimeError(f"expectation {name} could not be evaluated: {result.exception_info}")
        place = next(place for place, rule in enumerate(rules) if rule.name == name)
        for index in result.result["unexpected_index_list"]:
            places += [(place, int(number)) for number in index[_NUMBER]]
    return places


def _results(
    batch: "Batch", rules: Sequence[_Rule], result_format: dict[str, object]
) -> dict[str, "ExpectationValidationResult"]:
    """What Great Expectations says of each rule, by name."""
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="group", expectations=[rule.expectation for rule in rules])
    answer = batch.validate(suite, result_format=result_format)
    return {config.meta["name"]: result for result in answer.results if (config := result.expectation_config)}


@cache
def _everything() -> "BatchDefinition":
    """A Great Expectations context in memory, silent, that validates whatever frame it is handed."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all")


def _explained(rule: _Rule, rows: pl.DataFrame) -> pl.DataFrame:
    """Why `rows` fail, as `Finding.failing` has it."""
    from features.expectations import UNREADABLE

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
    """The value as text, cut to LONGEST_VALUE characters; text in quotes."""
    text = pl.col(column).cast(pl.String)
    cut = pl.when(text.str.len_chars() > LONGEST_VALUE).then(text.str.slice(0, LONGEST_VALUE) + "...").otherwise(text)
    if rows.schema[column] == pl.String:
        cut = pl.format("'{}'", cut)
    return cut.fill_null("empty")
