"""The expectations asked about a few rows at once, for whoever waits for the answer.

The rules are those of features.validation.expectations, and a row fails here exactly if `judge` says so. Great
Expectations takes fifty milliseconds however few the rows; the same rules as plain comparisons take some microseconds a
row. Only rules that refuse a row are asked, since a warning is for statistics and not for the declarant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

Passes = Callable[..., bool]


@dataclass(frozen=True)
class Refused:
    """A value that breaks a rule: the number of its row, from 0, its column, and what the rule says is allowed."""

    row: int
    column: str
    value: Any
    allowed: str


@dataclass(frozen=True)
class _Rule:
    name: str
    reads: tuple[str, ...]
    about: str
    says: str
    passes: Passes


def refused(table: str, rows: pl.DataFrame) -> list[Refused]:
    """Return what is wrong with `rows` of `table` by the rules that send a row to quarantine, in the order of the rows.

    Raises ValueError for an unknown table, and ColumnNotFoundError for a column of the contract that `rows` lack.

    >>> from features import contract
    >>> row = dict.fromkeys(contract.schema("declarations")) | {"hs_code": "7799", "net_mass_kg": -3.0}
    >>> found = refused("declarations", pl.DataFrame([row], schema=contract.schema("declarations")))
    >>> [(each.column, each.value, each.allowed) for each in found if each.value is not None][:2]
    [('hs_code', '7799', 'text that matches ^\\\\d{6,12}$'), ('net_mass_kg', -3.0, 'from 0 to 1,000,000,000 kg')]
    """
    from features.validation import expectations  # seconds, for Great Expectations; nights without new files do without

    rules = _rules(table)
    judged = expectations.with_helpers(table, rows.with_columns(pl.col(pl.Float64).fill_nan(None)))
    return [
        Refused(number, rule.about, row[rule.about], rule.says)
        for number, row in enumerate(judged.iter_rows(named=True))
        for rule in rules
        if not rule.passes(*(row[column] for column in rule.reads))
    ]


@cache
def _rules(table: str) -> tuple[_Rule, ...]:
    """Return the rules of `table` that refuse a row; TypeError if one of them has no plain form here."""
    from features.validation import expectations

    helpers = expectations.helpers(table)
    rules = []
    for expectation in expectations.suite(table).expectations:
        if expectation.severity != expectations.ROW:
            continue
        arguments = expectation.configuration.kwargs
        kind, name = type(expectation).__name__, (expectation.meta or {})["name"]
        if kind not in _PLAIN or arguments.get("row_condition") is not None:
            raise TypeError(f"{name} of {table}: {kind} cannot be asked at once; without a condition: {list(_PLAIN)}")
        reads = tuple(arguments[key] for key in ("column", "column_A", "column_B") if key in arguments)
        about = helpers.get(reads[0], reads[0])
        rules.append(_Rule(name, reads, about, expectation.description or "", _PLAIN[kind](arguments)))
    return tuple(rules)


def _matches(arguments: dict[str, Any], *, wanted: bool) -> Passes:
    # As Great Expectations has it on columns of text: ASCII classes, and an end that is not before a line break.
    regex = re.compile(re.sub(r"\$$", r"\\Z", arguments["regex"]), re.ASCII)
    return lambda value: value is None or bool(regex.search(value)) == wanted


def _is_in(arguments: dict[str, Any]) -> Passes:
    allowed = frozenset(arguments["value_set"])
    return lambda value: value is None or value in allowed


def _between(arguments: dict[str, Any], measure: Callable[[Any], Any] = lambda value: value) -> Passes:
    lowest, highest = arguments.get("min_value"), arguments.get("max_value")

    def passes(value: Any) -> bool:  # noqa: ANN401
        if value is None:
            return True
        size = measure(value)
        return (lowest is None or size >= lowest) and (highest is None or size <= highest)

    return passes


# Great Expectations asks nothing about nulls, unless a value is what is asked for.
_PLAIN: dict[str, Callable[[dict[str, Any]], Passes]] = {
    "ExpectColumnValuesToNotBeNull": lambda _: lambda value: value is not None,
    "ExpectColumnValuesToBeNull": lambda _: lambda value: value is None,
    "ExpectColumnValuesToBeInSet": _is_in,
    "ExpectColumnValuesToMatchRegex": lambda arguments: _matches(arguments, wanted=True),
    "ExpectColumnValuesToNotMatchRegex": lambda arguments: _matches(arguments, wanted=False),
    "ExpectColumnValuesToBeBetween": _between,
    "ExpectColumnValueLengthsToBeBetween": lambda arguments: _between(arguments, len),
    "ExpectColumnPairValuesAToBeGreaterThanB": lambda _: lambda a, b: a is None or b is None or a >= b,
}
