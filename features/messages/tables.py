"""Customs' own tables, for what a declarant leaves to customs or names by another list: offices, and rates of duty.

A folder has one or both of these files, in UTF-8, with commas and a header:

    offices.csv   element,code,office                            element is office or goods_location
    rates.csv     hs_code,origin_country,tax_type,tax_rate_pct   country and type may be empty: the rate of all

Not here: where in a message the codes stand (wco, cusdec).
"""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from features import codes, contract
from features.messages.values import shown

OFFICES, RATES = "offices.csv", "rates.csv"
OFFICE, GOODS_LOCATION = "office", "goods_location"
_FIELDS = {field.name: field for field in contract.DECLARATION}
_SHORTEST_CODE, _LONGEST_CODE = 2, 12
_RATE = re.compile(r"\d{1,4}(?:\.\d{1,10})?", re.ASCII)


@dataclass(frozen=True)
class Tables:
    """Holds customs' own offices, by element and code, and rates, by code of goods, country of origin and tariff."""

    offices: Mapping[tuple[str, str], str]
    rates: Mapping[tuple[str, str, str], float]

    @classmethod
    def of(cls, folder: Path) -> "Tables":
        """Read the files of a folder; ValueError names file, line and column, and what would be allowed."""
        if not any((folder / name).is_file() for name in (OFFICES, RATES)):
            raise ValueError(f"{folder} has no tables; allowed: a folder with {OFFICES}, {RATES} or both")
        offices, rates = _read(folder / OFFICES, _OFFICE_COLUMNS), _read(folder / RATES, _RATE_COLUMNS)
        return cls(
            {(element, code): office for (element, code), office in offices.items()},
            {(code, country, kind): float(rate) for (code, country, kind), rate in rates.items()},
        )

    @classmethod
    def from_json(cls, text: bytes) -> "Tables":
        """Read what `as_json` wrote."""
        told = json.loads(text)
        return cls(
            {(element, code): office for element, code, office in told["offices"]},
            {(code, country, kind): rate for code, country, kind, rate in told["rates"]},
        )

    @cached_property
    def as_json(self) -> bytes:
        """Return the tables as canonical JSON: the same tables give the same bytes."""
        told = {
            "offices": [[*key, office] for key, office in sorted(self.offices.items())],
            "rates": [[*key, rate] for key, rate in sorted(self.rates.items())],
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of `as_json`, in hexadecimal."""
        return hashlib.sha256(self.as_json).hexdigest()

    def office(self, element: str, code: str) -> str | None:
        """Return the office that a code of `element` stands for, OFFICE or GOODS_LOCATION; None for one not known."""
        return self.offices.get((element, code))

    def tax_rate_pct(self, hs_code: str, origin_country: str, tax_type: str) -> float | None:
        """Return the rate of goods: by the longest code there is, then that of tariff and country, of either, of all.

        Texts are empty for what a message does not say.

        >>> tables = Tables({}, {("09", "", ""): 8.0, ("0901", "", ""): 7.5, ("0901", "CO", "300"): 0.0})
        >>> tables.tax_rate_pct("090121", "CO", "100"), tables.tax_rate_pct("090121", "CO", "300")
        (7.5, 0.0)
        >>> tables.tax_rate_pct("0902", "", ""), tables.tax_rate_pct("6109", "CO", "100")
        (8.0, None)
        """
        for length in range(len(hs_code), _SHORTEST_CODE - 1, -1):
            for of in ((origin_country, tax_type), ("", tax_type), (origin_country, ""), ("", "")):
                if (found := self.rates.get((hs_code[:length], *of))) is not None:
                    return found
        return None


@dataclass(frozen=True)
class _Column:
    """A column of a table, and what it may hold."""

    name: str
    is_right: Callable[[str], object]  # is true of a value that is one
    allowed: str


def _national(name: str, *, may_be_empty: bool = False) -> _Column:
    pattern = re.compile(_FIELDS[name].pattern or "")
    told = f"text that matches {pattern.pattern}" + (", or nothing" if may_be_empty else "")
    return _Column(name, lambda given: bool(pattern.fullmatch(given)) or (may_be_empty and not given), told)


def _country(given: str) -> bool:
    return not given or given in codes.countries()


def _is_rate(given: str) -> bool:
    return bool(_RATE.fullmatch(given)) and float(given) <= (_FIELDS["tax_rate_pct"].maximum or 0)


_OFFICE_COLUMNS = (
    _Column("element", (OFFICE, GOODS_LOCATION).__contains__, f"{OFFICE} or {GOODS_LOCATION}"),
    _Column("code", re.compile(r"\S{1,64}").fullmatch, "1 to 64 characters without blanks"),
    _national("office"),
)
_RATE_COLUMNS = (
    _Column(
        "hs_code",
        re.compile(rf"[0-9]{{{_SHORTEST_CODE},{_LONGEST_CODE}}}").fullmatch,
        f"{_SHORTEST_CODE} to {_LONGEST_CODE} digits",
    ),
    _Column("origin_country", _country, "a code of ISO 3166-1 alpha-2, or nothing"),
    _national("tax_type", may_be_empty=True),
    _Column("tax_rate_pct", _is_rate, "a number from 0 to 2000, as 12.5"),
)


def _read(file: Path, columns: tuple[_Column, ...]) -> dict[tuple[str, ...], str]:
    """Return the last column of a file by the others; nothing if there is no such file."""
    if not file.is_file():
        return {}
    found: dict[tuple[str, ...], str] = {}
    for line, row in _rows(file, [column.name for column in columns]):
        for column, given in zip(columns, row, strict=True):
            if not column.is_right(given):
                raise ValueError(
                    f"{file}, line {line}, column {column.name}: {shown(given)}; allowed: {column.allowed}"
                )
        *key, value = row
        if found.setdefault(tuple(key), value) != value:
            what = f"{', '.join(filter(None, key))} has {found[tuple(key)]} already"
            raise ValueError(f"{file}, line {line}, column {columns[-1].name}: {what}; allowed: each of them once")
    return found


def _rows(file: Path, names: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Give the number of each line after the header, and the values in it."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = csv.reader(opened, strict=True)
        try:
            if (header := next(lines, [])) != names:
                raise ValueError(f"{file}, line 1: {shown(','.join(header))}; allowed: {','.join(names)}")
            for row in lines:
                if len(row) != len(names):
                    told = f"{len(row)} values; allowed: {len(names)}, one for each of {', '.join(names)}"
                    raise ValueError(f"{file}, line {lines.line_num}: {told}")
                yield lines.line_num, row
        except UnicodeDecodeError:
            raise ValueError(f"{file}: it is not UTF-8; allowed: text in UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"{file}, line {lines.line_num}: {error}; allowed: values with commas between") from None
