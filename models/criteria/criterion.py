"""A criterion as an officer writes it: conditions on what is declared, a lane, places, and the days of its life.

All conditions hold together. What is not declared (null) meets none of them. `check` holds a criterion against the
contract before it is proposed; reading one that was proposed long ago asks for its shape alone, so that the ledger
stays readable when code lists change.
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features import contract
from models.evidence import digests
from models.policy import LANES

Operator = Literal["in", "not in", "begins with", "contains", "at least", "below"]

# The customs value of a kilogram; it is null where the mass is 0.
VALUE_PER_KG = "value_per_kg"
_CODE, _DESCRIPTION = "hs_code", "goods_description"
_PREFIX = re.compile(r"\d{2,12}")
_SHORTEST_WORD = 3  # letters; shorter ones are in most descriptions
MOST_VALUES, MOST_CONDITIONS = 1000, 12


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Record):
    """One condition: a column of COLUMNS, an operator that it allows, and what it is compared with."""

    column: str
    operator: Operator
    values: tuple[str | float, ...] = Field(min_length=1, max_length=MOST_VALUES)

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row of the contract meets it."""
        value = _value(row, self.column)
        if value is None:
            return False
        match self.operator:
            case "in":
                return value in self._listed
            case "not in":
                return value not in self._listed
            case "begins with":
                return value.startswith(self._texts)
            case "contains":
                return any(word in value.casefold() for word in self._texts)
            case "at least":
                return value >= self.values[0]
            case "below":
                return value < self.values[0]

    def __str__(self) -> str:
        return f"{self.column} {self.operator} {', '.join(map(str, self.values))}"

    @cached_property
    def _listed(self) -> frozenset[str | float]:
        return frozenset(self.values)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return tuple(str(value).casefold() for value in self.values)


class Criterion(_Record):
    """A criterion: rows that meet all `conditions` get `lane`, up to `places` items a day at each office.

    It holds from `begins_on` to `ends_on`, both included, in the administration's legal time.

    >>> ours = Criterion(name="tobacco", lane="red", places=2, begins_on="2024-05-02", ends_on="2024-05-16",
    ...     conditions=({"column": "hs_code", "operator": "begins with", "values": ("2402",)},))
    >>> ours.matches({"hs_code": "240220"}), ours.matches({"hs_code": "880240"})
    (True, False)
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    lane: Literal["red", "yellow", "blue"]
    places: int = Field(ge=1, le=10_000, strict=True)
    begins_on: date
    ends_on: date
    conditions: tuple[Condition, ...] = Field(min_length=1, max_length=MOST_CONDITIONS)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of the criterion as canonical JSON."""
        return hashlib.sha256(digests.canonical(self.model_dump(mode="json"))).hexdigest()

    @property
    def rank(self) -> tuple[int, str]:
        """Return what criteria are ordered by, where several match: the lane, from red on, and then the name."""
        return LANES.index(self.lane), self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the contract that the conditions read."""
        asked = {condition.column for condition in self.conditions}
        if VALUE_PER_KG in asked:
            asked = asked - {VALUE_PER_KG} | {"item_value", "net_mass_kg"}
        return tuple(sorted(asked))

    def holds_on(self, day: date) -> bool:
        """Say whether a day is one of its life."""
        return self.begins_on <= day <= self.ends_on

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row of the contract meets all conditions."""
        return all(condition.holds(row) for condition in self.conditions)


def _operators() -> dict[str, tuple[Operator, ...]]:
    """Return which operators each column allows."""
    found: dict[str, tuple[Operator, ...]] = {}
    for field in contract.DECLARATION:
        if field.dtype == contract.TEXT and field.name != "declaration_id":
            found[field.name] = ("in", "not in")
        elif field.dtype == contract.NUMBER:
            found[field.name] = ("at least", "below")
    found |= {_CODE: ("in", "not in", "begins with"), _DESCRIPTION: ("contains",)}
    return found | {VALUE_PER_KG: ("at least", "below")}


COLUMNS: Mapping[str, tuple[Operator, ...]] = _operators()
_FIELDS = {field.name: field for field in contract.DECLARATION}


def parse(text: bytes) -> Criterion:
    """Return the criterion that a TOML file states, checked against the contract.

    ValueError names the key, what it is, and what is allowed.

    >>> parse(b'name = "tobacco"')
    Traceback (most recent call last):
    ...
    ValueError: lane is missing; allowed are name, lane, places, begins_on, ends_on, conditions
    """
    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"this is no TOML file: {error}") from error
    return read(content)


def read(content: object) -> Criterion:
    """Return the criterion that keys and values state, checked against the contract; ValueError as `parse`."""
    try:
        found = Criterion.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("str", "float")) or "a criterion"
        if first["type"] in ("missing", "extra_forbidden"):
            fields = Condition if "conditions" in first["loc"][:-1] else Criterion
            what = "missing" if first["type"] == "missing" else "unknown"
            raise ValueError(f"{where} is {what}; allowed are {', '.join(fields.model_fields)}") from None
        given = repr(first["input"])[:100]
        raise ValueError(f"{where} is {given}: {first['msg']}") from None
    check(found)
    return found


def check(found: Criterion) -> None:
    """Raise ValueError for a criterion that the contract does not allow, or that nothing or everything can meet."""
    if found.ends_on < found.begins_on:
        raise ValueError(f"ends_on is {found.ends_on}; allowed: {found.begins_on}, which is begins_on, or later")
    asked: dict[tuple[str, str], Condition] = {}
    for condition in found.conditions:
        _check_condition(condition)
        if asked.setdefault((condition.column, condition.operator), condition) is not condition:
            raise ValueError(f"{condition.column} {condition.operator} stands twice; allowed: one list of values")
    if all(condition.operator == "not in" for condition in found.conditions):
        raise ValueError("all conditions say what is left out; allowed: at least one that says what is meant")
    for column in {condition.column for condition in found.conditions}:
        least, end = asked.get((column, "at least")), asked.get((column, "below"))
        if least and end and float(end.values[0]) <= float(least.values[0]):
            raise ValueError(f"{column} is to be {least} and {end}: no value is both")
        listed, left_out = asked.get((column, "in")), asked.get((column, "not in"))
        if listed and left_out and set(listed.values) <= set(left_out.values):
            raise ValueError(f"{column} is to be one of a list, all of which is left out: no value is both")


def _check_condition(condition: Condition) -> None:
    column, operator, values = condition.column, condition.operator, condition.values
    if column not in COLUMNS:
        raise ValueError(f"column {column!r} is none that a criterion may ask; allowed: {', '.join(COLUMNS)}")
    if operator not in COLUMNS[column]:
        raise ValueError(f"{column} {operator!r} is not asked; allowed for this column: {', '.join(COLUMNS[column])}")
    if operator in ("at least", "below"):
        _check_number(column, values)
        return
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{column} is compared with {value!r}; allowed: text")
        _check_text(column, operator, value)
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"{column} lists {twice!r} twice; allowed: each once")


def _check_number(column: str, values: tuple[str | float, ...]) -> None:
    field = _FIELDS.get(column)
    lowest = field.minimum if field and field.minimum is not None else 0.0
    highest = field.maximum if field and field.maximum is not None else math.inf
    value = values[0]
    if len(values) > 1 or isinstance(value, str) or not (lowest <= value <= highest and math.isfinite(value)):
        raise ValueError(f"{column} is compared with {values}; allowed: one number from {lowest:g} to {highest:g}")


def _check_text(column: str, operator: Operator, value: str) -> None:
    if operator == "begins with":
        if not _PREFIX.fullmatch(value):
            raise ValueError(f"{column} begins with {value!r}; allowed: 2 to 12 digits")
        return
    if operator == "contains":
        if len(value.strip()) < _SHORTEST_WORD or value != value.strip():
            raise ValueError(f"{column} contains {value!r}; allowed: {_SHORTEST_WORD} characters or more")
        return
    field = _FIELDS[column]
    if field.codes and value not in field.codes():
        raise ValueError(f"{column} lists {value!r}, which is not in its code list")
    if field.pattern and not re.fullmatch(field.pattern, value):
        raise ValueError(f"{column} lists {value!r}; allowed: {field.pattern}")
    if re.fullmatch(contract.PLACEHOLDER, value):
        raise ValueError(f"{column} lists {value!r}, which people write where nothing is known: it is nobody")


def _value(row: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401  whatever the column holds
    if column == VALUE_PER_KG:
        value, mass = row["item_value"], row["net_mass_kg"]
        return value / mass if value is not None and mass else None
    return row[column]
