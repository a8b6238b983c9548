"""Reads JSON lines: each line has one object, and its values are read as the text that is written there.

A key that a line does not have is null in it, since many exports leave out what is null. A value within an inner object
is reached by its path, `consignee.id`; a list stays JSON text.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from features.reading.csv_blocks import MAX_LINE_BYTES
from features.reading.csv_dialect import MALFORMED, Lines, ReadError

CHUNK_LINES = 50_000
DEEPEST = 8


def read_json_lines(path: Path, required: Collection[str], name: str) -> Iterator[Lines]:
    """Yield the lines of a file in chunks, with at least the `required` columns. Blank lines at the end are ignored."""
    rows: list[dict[str, str | None]] = []
    numbers: list[int] = []
    malformed: list[tuple[int, str, str]] = []
    blank: list[int] = []
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise ReadError(f"{name} line {number}: no line end within {MAX_LINE_BYTES} bytes: {line[:60]!r}")
            if not line.strip():
                blank.append(number)
                continue
            malformed += [(at, "", "the line is blank") for at in blank]
            blank.clear()
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            try:
                rows.append(_values(text))
                numbers.append(number)
            except ValueError as error:
                malformed.append((number, text.rstrip(b"\r\n").decode("utf-8", "backslashreplace"), str(error)))
            if len(rows) + len(malformed) >= CHUNK_LINES:
                yield _lines(rows, numbers, malformed, required)
                rows, numbers, malformed = [], [], []
    if rows or malformed:
        yield _lines(rows, numbers, malformed, required)


def _lines(
    rows: list[dict[str, str | None]],
    numbers: list[int],
    malformed: list[tuple[int, str, str]],
    required: Collection[str],
) -> Lines:
    names = dict.fromkeys([*(name for row in rows for name in row), *sorted(required)])
    columns = {name: [row.get(name) for row in rows] for name in names}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    numbered = frame.select(pl.Series("source_line", numbers, pl.Int64), pl.all())
    return Lines(numbered, pl.DataFrame(malformed, schema=MALFORMED, orient="row"))


def _values(line: bytes) -> dict[str, str | None]:
    """Return the columns of a line; ValueError with the reason if it is no object.

    >>> _values(b'{"id": 20523711980, "value": 1.50, "party": {"name": "A"}, "codes": [1], "paid": true, "note": null}')
    {'id': '20523711980', 'value': '1.50', 'party.name': 'A', 'codes': '["1"]', 'paid': 'true', 'note': None}
    """
    try:
        # Numbers stay as they are written, so that an id keeps its digits.
        found = json.loads(line.decode(), parse_int=str, parse_float=str, parse_constant=str)
    except UnicodeDecodeError:
        raise ValueError("the line is not utf-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("the line is nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("the line is not an object; expected: {...}")
    columns: dict[str, str | None] = {}
    _flatten(found, "", columns, 0)
    return columns


def _flatten(found: dict[str, Any], before: str, columns: dict[str, str | None], depth: int) -> None:
    for key, value in found.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and value and depth < DEEPEST:
            _flatten(value, f"{name}.", columns, depth + 1)
            continue
        text = _text(value)
        for each in (name, text or ""):
            if not each.isascii() and any("\ud800" <= character <= "\udfff" for character in each):
                raise ValueError(f"half a character in {name.encode('ascii', 'backslashreplace').decode()!r}")
        if name == "source_line":
            name = "source_line (2)"
        columns[name] = text or None


def _text(value: Any) -> str | None:  # noqa: ANN401
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)
