"""From a source's columns to the contract's: names, types, codes, expressions, and reasons for unreadable values.

A value is never guessed. A number with an unexpected sign, a date in another format or a code outside the map becomes
null and adds a reason to `unreadable`, and a commodity code that lost its zeros is not padded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features import contract
from features.contract import Field
from features.reading import written
from features.reading.csv_dialect import ReadError
from features.reading.expressions import Expression

MOST_DIGITS_WITH_LOST_ZEROS = 5
LOST_ZEROS = rf"^\d{{1,{MOST_DIGITS_WITH_LOST_ZEROS}}}$"
ISO_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%d",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
)
WORDS = frozenset({"goods_description", "value"})  # these are texts for people; all other texts tell things apart
FLAGS = {"0": False, "1": True, "false": False, "true": True}
_MOST_CODES_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class _Written:
    """Tells how the texts are written from which a contract column is read.

    `codes` maps the source's codes to the contract's; a code that is not in it is unreadable. `date_format` is for
    instants, as in strftime; None means ISO 8601 without a zone. `decimal_comma` says that numbers are written as
    1234,5. `nulls` are words that mean that there is no value.
    """

    codes: Mapping[str, str] | None = None
    date_format: str | None = None
    decimal_comma: bool = False
    nulls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class From(_Written):
    """A contract column that is taken from column `column` of the source."""

    column: str

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.column})


@dataclass(frozen=True)
class Computed(_Written):
    """A contract column that is computed from columns of the source, row by row.

    The expression sees texts without blanks around them, and null where a text is empty or one of `nulls`.
    """

    expression: Expression

    @property
    def reads(self) -> frozenset[str]:
        return self.expression.columns


@dataclass(frozen=True)
class Constant:
    """A contract column that holds the same value in every row."""

    value: str | int | float | bool | datetime

    @property
    def reads(self) -> frozenset[str]:
        return frozenset()


How = From | Computed | Constant
Mapped = Mapping[str, How]


def check_mapped(table: str, mapped: Mapped) -> None:
    """Raise ValueError if `mapped` names a column that `table` does not have, or leaves out one that may not be null.

    >>> check_mapped("declarations", {"hs": From("HS6 Code")})
    Traceback (most recent call last):
    ...
    ValueError: 'hs' is not a column of declarations; allowed: declaration_id, item_number, ..., transport_document_id
    """
    names = contract.schema(table).names()
    for name in mapped:
        if name not in names:
            raise ValueError(f"{name!r} is not a column of {table}; allowed: {', '.join(names)}")
    left_out = [field.name for field in contract.TABLES[table] if not field.nullable and field.name not in mapped]
    if left_out:
        raise ValueError(f"columns of {table} that may not be null have no source column: {', '.join(left_out)}")


def conform(table: str, lines: pl.DataFrame, mapped: Mapped) -> pl.DataFrame:
    """Return `lines` (with `source_line`) as rows of `table`, with `source_line` and `unreadable`.

    Columns that are not mapped are null.

    >>> lines = pl.DataFrame({"source_line": [2], "hs": ["90121"]})
    >>> conform("declarations", lines, {"hs_code": From("hs")})["unreadable"][0]
    "hs_code: '90121' has 5 digits; leading zeros were probably lost"
    """
    columns: list[pl.Series] = []
    reasons: list[pl.Series] = []
    for field in contract.TABLES[table]:
        how = mapped.get(field.name)
        if isinstance(how, From | Computed):
            given, found = (lines[how.column], None) if isinstance(how, From) else computed(lines, how)
            values, faults = _read(field, given, how)
            if found is not None and found.null_count() < lines.height:
                faults.append(f"{field.name}: " + found)
            columns.append(values.alias(field.name))
            reasons.extend(fault.alias(str(len(reasons))) for fault in faults)
        else:
            value = None if how is None else how.value
            columns.append(pl.repeat(value, lines.height, dtype=field.dtype, eager=True).alias(field.name))
    return pl.DataFrame([*columns, lines["source_line"], joined(reasons, lines.height)])


def computed(lines: pl.DataFrame, how: Computed) -> tuple[pl.Series, pl.Series]:
    """Return the values of an expression, and the reason for each line without one; the reason is null for other lines.

    A reason reads "'abc' is not a number in ...". Raises ReadError if the expression cannot be computed on such columns
    at all.
    """
    expression = how.expression
    read = pl.DataFrame([cleaned(lines[name], how.nulls) for name in sorted(expression.columns)])
    try:
        found = read.select(value=expression.value, fault=expression.fault + pl.lit(f" in {expression.sql}"))
    except pl.exceptions.PolarsError as error:
        types = ", ".join(f"{name} is {dtype}" for name, dtype in read.schema.items())
        what = str(error).splitlines()[0]
        raise ReadError(f"sql {expression.sql!r} cannot be computed where {types}: {what}") from error
    return found["value"], found["fault"]


def cleaned(given: pl.Series, nulls: Collection[str]) -> pl.Series:
    """Return a column without blanks around its texts; texts that are empty or one of `nulls` become null."""
    if given.dtype == pl.String:
        given = written.seen(given, has_words=False).str.strip_chars()
        given = given.set(given == "", None)
    return _without(given, nulls)


def _without(given: pl.Series, nulls: Collection[str]) -> pl.Series:
    if not nulls:
        return given
    return given.set(given.cast(pl.String).is_in(sorted(nulls)).fill_null(value=False), None)


def joined(reasons: Sequence[pl.Series], height: int) -> pl.Series:
    """Return the column `unreadable`: the reasons of each row, joined; null if a row has none."""
    if not reasons:
        return pl.repeat(None, height, dtype=pl.String, eager=True).alias("unreadable")
    text = pl.DataFrame(reasons).select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True)).to_series()
    return text.set(text == "", None).alias("unreadable")


def _read(field: Field, given: pl.Series, how: From | Computed) -> tuple[pl.Series, list[pl.Series]]:
    """Return values in the field's type, and reasons (null for values that were read) if any cannot be read."""
    if given.dtype.is_nested() or given.dtype == pl.Binary:
        raise ReadError(f"column {given.name!r} holds {given.dtype}, which cannot become {field.name}")
    faults = []
    marks = None
    if given.dtype.is_float() and field.dtype == contract.TEXT:
        given = given.fill_nan(None)  # many tools write NaN where a number is missing
    if given.dtype == pl.String:
        is_id = field.dtype == contract.TEXT and field.name not in WORDS
        marks = written.marks(given)
        is_plain = written.are_plain(marks)
        if not is_plain:
            given = written.seen(given, has_words=not is_id)
        if marks is None or not is_plain or b" " in marks:
            given = given.str.strip_chars()
        given = _without(given.set(given == "", None), how.nulls)
        if is_id and not is_plain:
            hidden = written.unseen(given)
            faults += _faults(field, given, hidden.is_not_null(), "has a character nobody sees within it", hidden)
    elif how.nulls:
        given = _without(given, how.nulls)
    if how.codes is not None:
        coded = given.cast(pl.String).replace_strict(how.codes, default=None, return_dtype=pl.String)
        shown = [*how.codes][:_MOST_CODES_SHOWN] + ["..."] * (len(how.codes) > _MOST_CODES_SHOWN)
        faults += _unread(field, given, coded, f"is not in the code map ({', '.join(shown)})")
        given, marks = coded, None
    values, allowed = _typed(field, given, how, marks)
    faults += _unread(field, given, values, f"is not {allowed}")
    if field.name == "hs_code":
        lost = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
        if (values.str.len_bytes() <= MOST_DIGITS_WITH_LOST_ZEROS).any():
            lost = values.str.contains(LOST_ZEROS).fill_null(False)
        faults += _faults(field, given, lost, "has {digits} digits; leading zeros were probably lost")
    return values, faults


def _unread(field: Field, given: pl.Series, read: pl.Series, why: str) -> list[pl.Series]:
    """Return reasons for values that could not be read. Mostly there are none, as the null counts tell."""
    return _faults(field, given, read.is_null(), why) if read.null_count() > given.null_count() else []


def _faults(
    field: Field, given: pl.Series, bad: pl.Series, why: str, which: pl.Series | None = None
) -> list[pl.Series]:
    """Return reasons for the `bad` values; `which` adds a detail to each."""
    bad = bad & given.is_not_null()
    if not bad.any():
        return []
    text = pl.col("given").cast(pl.String)
    start, _, end = why.rpartition("{digits}")
    count = text.str.len_chars().cast(pl.String) if "{digits}" in why else pl.lit("")
    parts = [pl.lit(f"{field.name}: '"), text.str.slice(0, 60), pl.lit(f"' {start}"), count, pl.lit(end)]
    frame = pl.DataFrame({"given": given, "bad": bad})
    if which is not None:
        frame = frame.with_columns(which.alias("which"))
        parts += [pl.lit(" ("), pl.col("which"), pl.lit(")")]
    parts.append(pl.when(text.str.contains(written.NOTHING)).then(pl.lit(written.IF_NOTHING)).otherwise(pl.lit("")))
    reason = pl.concat_str(parts)
    return [frame.select(pl.when("bad").then(reason)).to_series()]


def _typed(field: Field, given: pl.Series, how: From | Computed, marks: bytes | None) -> tuple[pl.Series, str]:
    """Return `given` in the field's type, null where that is impossible, and a text that says what is allowed.

    `marks` are those of `given` if it is text, see `written.marks`; None if they are not known.
    """
    if field.dtype == contract.INSTANT:
        return _instants(given, how.date_format)
    if given.dtype in (pl.Date, pl.Datetime) and field.dtype != contract.TEXT:
        return pl.repeat(None, given.len(), dtype=field.dtype, eager=True), "of a type that can be a number"
    if field.dtype == contract.FLAG:
        flags = given.cast(pl.String).str.to_lowercase().replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
        return flags, f"one of {', '.join(FLAGS)}"
    if field.dtype == contract.NUMBER:
        if given.dtype == pl.String and how.decimal_comma:
            given = given.set(given.str.contains(".", literal=True), "?").str.replace(",", ".", literal=True)
        numbers = given.cast(pl.Float64, strict=False)
        form = "a number with a decimal comma" if how.decimal_comma else "a number"
        return numbers.set(numbers.is_finite().not_(), None), form
    if field.dtype == contract.WHOLE:
        whole = given.cast(pl.Int32, strict=False)
        if given.dtype.is_float():
            whole = whole.set(whole.cast(pl.Float64) != given, None)
        return whole, "a whole number"
    if field.name in WORDS:
        return given.cast(pl.String), "text"
    return _id(field, given, marks), "text or a whole number with all its digits"


def _id(field: Field, given: pl.Series, marks: bytes | None) -> pl.Series:
    """Return ids and codes in the contract's spelling; a change is tried only if `marks` has a sign that needs it."""

    def may_have(*signs: bytes) -> bool:
        return marks is None or any(sign in marks for sign in signs)

    text = written.id_text(given) if may_have(b".") else given
    if may_have(b"+"):
        text = text.set(text.str.contains(written.EXPONENT), None)
    if field.name == "hs_code" and may_have(b".", b" ", b"-"):
        text = written.bare_code(text)
    return text


def _instants(given: pl.Series, date_format: str | None) -> tuple[pl.Series, str]:
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is not None:
        return pl.repeat(None, given.len(), dtype=contract.INSTANT, eager=True), "in legal time, without a zone"
    if given.dtype in (pl.Date, pl.Datetime):
        return given.cast(contract.INSTANT), "an instant"
    text = given.cast(pl.String)
    if date_format is not None:
        return _parsed(text, date_format), f"a date as {date_format}"
    # A text fits at most one of the formats, so the format of the first value is tried first.
    sample = text.drop_nulls().head(1)
    first = next((form for form in ISO_FORMATS if not _parsed(sample, form).null_count()), ISO_FORMATS[0])
    values = _parsed(text, first)
    for form in ISO_FORMATS:
        if form != first and values.null_count() > text.null_count():
            values = values.fill_null(_parsed(text, form))
    return values, "a date as 2024-02-29, 2024-02-29T13:05 or 20240229T130500 (ISO 8601, without a zone)"


def _parsed(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, time_unit="us", strict=False)
