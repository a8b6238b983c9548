"""Single values of a message: from JSON's types or from text to the contract's types, and how a value is shown.

A value is never guessed. What is stored here would be read by ingestion as the same value, because the same helpers
clean it.
"""

import math
import re
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from features import contract
from features.contract import Field
from features.reading import conform, written

LONGEST_SHOWN = 60
EMPTY = "empty"
_FLOAT = r"\d{1,15}\.0+"  # ingestion takes these for whole numbers that a spreadsheet wrote
_DECIMAL = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_LARGEST_WHOLE = 10**9
_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):
    """A value is not what its column can hold; the text says what would be allowed."""


def read(field: Field, given: object, *, is_text: bool) -> str | int | float | None:
    """Return the value of a column in its type; None for nothing, and for text of blanks alone.

    `is_text` says that the message's form has nothing but text, so that numbers are read from it.

    >>> mass, party = contract.DECLARATION[20], contract.DECLARATION[11]
    >>> read(mass, "12.50", is_text=True), read(party, " I7 ", is_text=False)
    (12.5, 'I7')
    >>> read(mass, "12.50", is_text=False)
    Traceback (most recent call last):
    ...
    features.messages.values.Unreadable: a finite number
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    if field.dtype == contract.TEXT:
        return _text(field, given)
    if field.dtype == contract.WHOLE:
        return _whole(given, is_text=is_text)
    return _number(given, is_text=is_text)


def added(numbers: Sequence[str]) -> str | None:
    """Return the sum of decimal numbers as text; None of none, and what was given if one of it is no number.

    >>> added(["8.5", "20"]), added(["8", "1E9"]), added([])
    ('28.5', '8, 1E9', None)
    """
    if not all(map(_DECIMAL.fullmatch, numbers)):
        return ", ".join(numbers)
    return format(sum(map(Decimal, numbers), Decimal()), "f") if numbers else None


def shown(given: object) -> str:
    """Return a value as a refusal shows it: text in quotes, cut after 60 characters, every character printable.

    >>> shown("a\\x00b"), shown(-3.0), shown([1]), shown(None)
    ("'a\\\\x00b'", '-3.0', 'a list', 'empty')
    """
    if given is None:
        return EMPTY
    if isinstance(given, str):
        cut = given[:LONGEST_SHOWN] + ("..." if len(given) > LONGEST_SHOWN else "")
        return f"'{''.join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)}'"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return str(given)[:LONGEST_SHOWN]
    return "a list" if isinstance(given, list) else "an object"


def _text(field: Field, given: object) -> str | None:
    if not isinstance(given, str):
        raise Unreadable("text")
    if given.isascii() and given.isprintable():
        text = given.strip()
    else:
        text = _cleaned(given, has_words=field.name in conform.WORDS)
    is_number = text[:1].isdigit() and (re.fullmatch(_FLOAT, text) or re.fullmatch(written.EXPONENT, text))
    if is_number and field.name not in conform.WORDS:
        raise Unreadable("text with all its digits, and without a decimal point")
    return text or None


def _cleaned(given: str, *, has_words: bool) -> str:
    if _SURROGATE.search(given):
        raise Unreadable("text of whole characters")
    series = written.seen(pl.Series([given]), has_words=has_words)
    hidden = None if has_words else written.unseen(series.str.strip_chars()).item()
    if hidden:
        raise Unreadable(f"text without characters that nobody sees ({hidden})")
    return series.str.strip_chars().item()


def _whole(given: object, *, is_text: bool) -> int:
    if is_text and isinstance(given, str) and _WHOLE.fullmatch(given.strip()):
        return int(given)
    if is_text or isinstance(given, bool) or not isinstance(given, int) or abs(given) >= _LARGEST_WHOLE:
        raise Unreadable("a whole number of at most 9 digits")
    return given


def _number(given: object, *, is_text: bool) -> float:
    if is_text and isinstance(given, str) and _DECIMAL.fullmatch(given.strip()):
        return float(given)
    if is_text or isinstance(given, bool) or not isinstance(given, int | float):
        raise Unreadable("a decimal number, as 1234.5" if is_text else "a finite number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unreadable("a finite number")
    return number
