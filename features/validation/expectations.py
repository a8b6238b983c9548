"""The expectations on every table, as Great Expectations suites. This is the file to read and to edit.

Most follow from the contract: a value where one is needed, the code list, the pattern, the bounds. The others say what
the contract cannot, in one entry each: a class of Great Expectations, a `description` in plain words (it follows
"expected:"), and a name, with the columns that its condition reads. Severity ROW sends a row that fails to quarantine.
Severity WARNING only counts it: it is for what is unusual but does occur, such as a mass of zero, in 1 % of real
declarations.

An expectation judges single rows by the columns that it names and nothing else, so features.validation.rows can put
every distinct combination of values to it only once. Expectations on a whole batch are in features.validation.batches.
"""

from collections.abc import Iterator
from typing import Final

import great_expectations as gx
import great_expectations.expectations as gxe
import polars as pl
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column, Condition

from features import codes, contract
from features.contract import Field

ROW: Final = FailureSeverity.CRITICAL
WARNING: Final = FailureSeverity.WARNING

UNREADABLE = "unreadable"  # the source's own reason why it could not read a row

FIRST_YEAR, LAST_YEAR = 1990, 2099
LONGEST_DESCRIPTION = 10_000
MOST_CODES_SHOWN = 12
HIGHEST_USUAL_RATE_PCT = 900  # the highest tariffs in force, Korea's on manioc and ginseng, are a little below
CONTAINERS_TRAVEL_BY = ("0", "1", "2", "3", "6", "8", "9")  # not by air, mail or pipeline
PIPELINE = "7"
YES, NO = True, False


def suite(table: str) -> gx.ExpectationSuite:
    """Return the expectations on `table`.

    >>> len(suite("declarations").expectations) > 60, len(suite("outcomes").expectations) > 20
    (True, True)
    >>> suite("seizures")
    Traceback (most recent call last):
    ...
    ValueError: table 'seizures' is not in the contract; allowed: declarations, outcomes, truth, register
    """
    contract.schema(table)  # refuses a table that is not in the contract
    own = {"declarations": _declarations, "outcomes": _outcomes, "truth": _truth, "register": _register}[table]
    return gx.ExpectationSuite(name=table, expectations=[_readable(), *_from_contract(table), *own()])


def year(instant: str) -> str:
    """Return the name of the helper column with the calendar year of `instant`."""
    return f"{instant}_year"


def latest(instant: str) -> str:
    """Return the name of the helper column with the latest time that `instant` may mean: midnight is its whole day."""
    return f"{instant}_latest"


def helpers(table: str) -> dict[str, str]:
    """Return the helper columns by name, with the instant that each is about."""
    instants = [field.name for field in contract.TABLES[table] if field.dtype == contract.INSTANT]
    return {helper(instant): instant for helper in (year, latest) for instant in instants}


def with_helpers(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` with what expectations read beyond the contract: two helpers an instant, and `unreadable`."""
    if UNREADABLE not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(UNREADABLE))
    instants = [pl.col(field.name) for field in contract.TABLES[table] if field.dtype == contract.INSTANT]
    is_day = [at.dt.truncate("1d") == at for at in instants]
    ends = [at + pl.duration(days=1, microseconds=-1) for at in instants]
    return frame.with_columns(at.dt.year().name.map(year) for at in instants).with_columns(
        pl.when(whole).then(end).otherwise(at).name.map(latest)
        for at, whole, end in zip(instants, is_day, ends, strict=True)
    )


def _named(name: str, *also_reads: str) -> dict[str, object]:
    """Return an expectation's `meta`; `also_reads` has the columns of its `row_condition`, which its class hides."""
    return {"name": name, "also_reads": list(also_reads)}


def _readable() -> Expectation:
    return gxe.ExpectColumnValuesToBeNull(
        column=UNREADABLE,
        description="a line that the source could read in full",
        severity=ROW,
        meta=_named("readable"),
    )


def _from_contract(table: str) -> Iterator[Expectation]:
    for field in contract.TABLES[table]:
        if not field.nullable:
            yield gxe.ExpectColumnValuesToNotBeNull(
                column=field.name, description="a value", severity=ROW, meta=_named(f"{field.name}_given")
            )
        if field.codes is not None:
            yield gxe.ExpectColumnValuesToBeInSet(
                column=field.name,
                value_set=sorted(field.codes()),
                description=_codes_shown(field, sorted(field.codes())),
                severity=ROW,
                meta=_named(f"{field.name}_in_code_list"),
            )
        if field.pattern is not None:
            yield gxe.ExpectColumnValuesToMatchRegex(
                column=field.name,
                regex=field.pattern,
                description=f"text that matches {field.pattern}",
                severity=ROW,
                meta=_named(f"{field.name}_as_patterned"),
            )
        if field.minimum is not None or field.maximum is not None:
            yield gxe.ExpectColumnValuesToBeBetween(
                column=field.name,
                min_value=field.minimum,
                max_value=field.maximum,
                description=_bounds_shown(field),
                severity=ROW,
                meta=_named(f"{field.name}_within_bounds"),
            )
        if field.dtype == contract.INSTANT:
            yield gxe.ExpectColumnValuesToBeBetween(
                column=year(field.name),
                min_value=FIRST_YEAR,
                max_value=LAST_YEAR,
                description=f"a year from {FIRST_YEAR} to {LAST_YEAR}",
                severity=ROW,
                meta=_named(f"{field.name}_plausible"),
            )


def _codes_shown(field: Field, allowed: list[str]) -> str:
    if len(allowed) <= MOST_CODES_SHOWN:
        return f"one of {', '.join(allowed)}"
    return f"a code for the {field.meaning}"


def _bounds_shown(field: Field) -> str:
    unit = f" {field.unit}" if field.unit and field.unit != "currency" else ""
    if field.maximum is None:
        return f"{field.minimum:,.0f}{unit} or more"
    return f"from {field.minimum:,.0f} to {field.maximum:,.0f}{unit}"


def _declarations() -> Iterator[Expectation]:
    yield gxe.ExpectColumnValuesToNotMatchRegex(
        column="hs_code",
        regex=r"^\d{1,5}$",
        description="6 digits or more; were leading zeros lost?",
        severity=ROW,
        meta=_named("hs_code_keeps_leading_zeros"),
    )
    yield gxe.ExpectColumnValuesToNotMatchRegex(
        column="hs_code",
        regex=r"^(?:\d{7}|\d{9}|\d{11})$",  # nine digits are right in Japan, so this is no reason to refuse a row
        description="an even number of digits; was a leading zero lost?",
        severity=WARNING,
        meta=_named("hs_code_of_even_length"),
    )
    yield gxe.ExpectColumnValuesToMatchRegex(
        column="hs_code",
        regex=f"^(?:{'|'.join(sorted(codes.section_of_chapter()))})",
        description="a chapter of the Harmonized System: 01 to 97 without 77, or 98 and 99 for national use",
        severity=ROW,
        meta=_named("hs_code_chapter_exists"),
    )
    yield gxe.ExpectColumnValuesToNotMatchRegex(
        column="hs_code",
        regex=r"^(?:[0-8]\d|9[0-7])00",
        description="a heading numbered from 01 within its chapter",
        severity=WARNING,
        meta=_named("hs_code_heading_numbered"),
    )
    yield _at_least(
        latest("recorded_at"), "accepted_at", "an instant not before accepted_at", "recorded_at_not_before_acceptance"
    )
    yield _at_least("gross_mass_kg", "net_mass_kg", "a gross mass not below net_mass_kg", "gross_mass_kg_not_below_net")
    yield gxe.ExpectColumnValuesToNotBeInSet(
        column="net_mass_kg",
        value_set=[0.0],
        description="more than zero",
        severity=WARNING,
        meta=_named("net_mass_kg_not_zero"),
    )
    yield gxe.ExpectColumnValuesToNotBeInSet(
        column="item_value",
        value_set=[0.0],
        description="more than zero",
        severity=WARNING,
        meta=_named("item_value_not_zero"),
    )
    yield gxe.ExpectColumnValuesToBeBetween(
        column="tax_rate_pct",
        max_value=HIGHEST_USUAL_RATE_PCT,
        description=f"a plausible rate, at most {HIGHEST_USUAL_RATE_PCT} %",
        severity=WARNING,
        meta=_named("tax_rate_pct_plausible"),
    )
    for party in ("importer_id", "declarant_id", "seller_id"):
        yield _no_filler(party, "a party")  # one name for many parties gives all of them one history
    yield gxe.ExpectColumnValuesToBeNull(
        column="courier_id",
        row_condition=Column("transport_mode") == PIPELINE,
        description=f"no courier where transport_mode is {PIPELINE} (fixed installation)",
        severity=WARNING,
        meta=_named("courier_id_not_by_pipeline", "transport_mode"),
    )
    yield gxe.ExpectColumnValuesToBeInSet(
        column="transport_mode",
        value_set=list(CONTAINERS_TRAVEL_BY),
        row_condition=Column("container_id").is_not_null(),
        description="a mode that carries containers, where container_id is given",
        severity=WARNING,
        meta=_named("transport_mode_carries_container", "container_id"),
    )
    yield gxe.ExpectColumnValuesToNotBeNull(
        column="quantity_unit",
        row_condition=Column("quantity").is_not_null(),
        description="a unit, where quantity is given",
        severity=WARNING,
        meta=_named("quantity_unit_where_quantity", "quantity"),
    )
    yield gxe.ExpectColumnValueLengthsToBeBetween(
        column="goods_description",
        max_value=LONGEST_DESCRIPTION,
        description=f"at most {LONGEST_DESCRIPTION:,} characters",
        severity=ROW,
        meta=_named("goods_description_of_sane_length"),
    )


def _outcomes() -> Iterator[Expectation]:
    yield from _critical_is_illicit()
    for finding in ("is_illicit", "is_critical"):
        yield gxe.ExpectColumnValuesToBeNull(
            column=finding,
            row_condition=Column("is_inspected") == NO,
            description="no finding, where is_inspected is false",
            severity=ROW,
            meta=_named(f"{finding}_only_where_inspected", "is_inspected"),
        )
    yield gxe.ExpectColumnValuesToBeInSet(
        column="recovered_revenue",
        value_set=[0.0],
        row_condition=Column("is_inspected") == NO,
        description="nothing or 0, where is_inspected is false",
        severity=ROW,
        meta=_named("recovered_revenue_only_where_inspected", "is_inspected"),
    )
    yield gxe.ExpectColumnValuesToBeInSet(
        column="recovered_revenue",
        value_set=[0.0],
        row_condition=Column("is_illicit") == NO,  # an error in good faith may be charged too
        description="nothing or 0, where is_illicit is false",
        severity=WARNING,
        meta=_named("recovered_revenue_only_where_illicit", "is_illicit"),
    )
    yield gxe.ExpectColumnValuesToNotBeNull(
        column="is_illicit",
        row_condition=Column("is_inspected") == YES,
        description="a finding, where is_inspected is true; without one the row is no label",
        severity=WARNING,
        meta=_named("is_illicit_where_inspected", "is_inspected"),
    )
    yield gxe.ExpectColumnValuesToNotBeInSet(
        column="inspection_channel",
        value_set=["green"],
        row_condition=Column("is_inspected") == YES,
        description="another lane than green (release), where is_inspected is true",
        severity=WARNING,
        meta=_named("inspection_channel_not_green_where_inspected", "is_inspected"),
    )
    yield gxe.ExpectColumnValuesToNotBeInSet(
        column="selection_probability",
        value_set=[0.0],
        row_condition=Column("is_inspected") == YES,
        description="more than 0, where is_inspected is true: what cannot be chosen is not inspected",
        severity=ROW,
        meta=_named("selection_probability_above_zero", "is_inspected"),
    )
    yield _at_least(
        latest("known_at"), "accepted_at", "an instant not before accepted_at", "known_at_not_before_acceptance"
    )


def _truth() -> Iterator[Expectation]:
    return _critical_is_illicit()


def _register() -> Iterator[Expectation]:
    yield _at_least(latest("ends_at"), "begins_at", "an instant not before begins_at", "ends_at_not_before_beginning")
    # A filler would tie strangers to each other; the network leaves it out. A share may be 0.
    yield _no_filler("value", "a value", Column("attribute") != "share", "attribute")
    for attribute, regex, description in (
        ("predecessor", contract.PARTY, "the party_id of a company"),
        ("parent", contract.PARTY, "the party_id of a company, or another reference to it"),
        ("share", contract.SHARE, "per cent up to 100, as 75 or 25-50"),
    ):
        yield gxe.ExpectColumnValuesToMatchRegex(
            column="value",
            regex=regex,
            row_condition=Column("attribute") == attribute,
            description=f"{description}, where attribute is {attribute}",
            severity=ROW,
            meta=_named(f"value_names_{attribute}", "attribute"),
        )


def _no_filler(column: str, what: str, only: Condition | None = None, *also_reads: str) -> Expectation:
    return gxe.ExpectColumnValuesToNotMatchRegex(
        column=column,
        regex=contract.PLACEHOLDER,
        row_condition=only,
        description=f"{what}, not a filler such as 0, 9999, XXX or UNKNOWN",
        severity=WARNING,
        meta=_named(f"{column}_no_filler", *also_reads),
    )


def _at_least(column: str, other: str, description: str, name: str) -> Expectation:
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=column,
        column_B=other,
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        description=description,
        severity=ROW,
        meta=_named(name),
    )


def _critical_is_illicit() -> Iterator[Expectation]:
    yield gxe.ExpectColumnValuesToBeInSet(
        column="is_illicit",
        value_set=[True],
        row_condition=Column("is_critical") == YES,
        description="true, where is_critical is true",
        severity=ROW,
        meta=_named("is_illicit_where_critical", "is_critical"),
    )
    # The expectation of a set passes nulls.
    yield gxe.ExpectColumnValuesToNotBeNull(
        column="is_illicit",
        row_condition=Column("is_critical") == YES,
        description="a finding, where is_critical is true",
        severity=ROW,
        meta=_named("is_illicit_known_where_critical", "is_critical"),
    )
