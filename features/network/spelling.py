"""What a register writes, as it is compared: one spelling where clerks write several, and keys that forgive more."""

import polars as pl

from features.network.legal_forms import without_forms
from features.network.words import without_umlauts, words

# What names carry wherever, and other clerks write otherwise or leave out: words that say no more.
_SAY_LITTLE = (
    *("and", "the", "brothers", "bros", "sons", "group", "grp", "holding", "holdings", "international", "intl", "est"),
    *("company", "corp", "corporation", "inc", "incorporated", "limited", "llc", "llp", "ltd", "plc", "gmbh", "co"),
    *("export", "exports", "import", "imports", "trade", "traders", "trading"),
)
_SHORT = {
    **{"avenue": "ave", "av": "ave", "boulevard": "blvd", "building": "bldg", "centre": "center", "drive": "dr"},
    **{"east": "e", "floor": "fl", "highway": "hwy", "house": "hse", "lane": "ln", "north": "n", "number": "no"},
    **{"place": "pl", "road": "rd", "room": "rm", "south": "s", "square": "sq", "strasse": "str", "street": "st"},
    **{"suite": "ste", "unit": "un", "west": "w"},
}
_PHONE_DIGITS = 8  # without what leads there from abroad


def digits(text: pl.Expr) -> pl.Expr:
    """Its digits, as they stand."""
    return text.str.replace_all(r"\D", "")


def name(text: pl.Expr) -> pl.Expr:
    """A name without legal form and words that say little; all of it where it has nothing else.

    >>> pl.select(name(pl.lit(pl.Series(["Norvale Trading Co., Ltd.", "Trading Ltd"])))).to_series().to_list()
    ['norvale', 'trading']
    """
    bare = without_forms(words(text))
    telling = bare.str.split(" ").list.filter(pl.element().is_in(_SAY_LITTLE).not_()).list.join(" ")
    return without_umlauts(pl.when(telling != "").then(telling).otherwise(bare))


def _address(text: pl.Expr) -> pl.Expr:
    short = words(text).str.split(" ").list.eval(pl.element().replace(_SHORT)).list.join(" ")
    return without_umlauts(short)


# Of each attribute that is compared, its one spelling: words between blanks, or digits and letters in a row.
SPELLED = {
    "name": name,
    "address": _address,
    "person": lambda text: without_umlauts(words(text)),
    "phone": lambda text: digits(words(text)).str.strip_chars_start("0").str.tail(_PHONE_DIGITS),
    "bank_account": lambda text: words(text).str.replace_all(" ", ""),
}


def letters(text: pl.Expr) -> pl.Expr:
    """Its letters in order of the alphabet, digits as they stand: the same whatever words or letters changed places.

    >>> pl.select(letters(pl.lit("12 norvale st"))).item(), pl.select(letters(pl.lit("st 12 nrovale"))).item()
    ('12aelnorstv', '12aelnorstv')
    """
    others = text.str.replace_all(r"[\d ]", "").str.split("").list.sort().list.join("")
    return digits(text) + others


def initials(text: pl.Expr) -> pl.Expr:
    """First letters of its words, in order of the alphabet."""
    return text.str.extract_all(r"\b\w").list.sort().list.join("")
