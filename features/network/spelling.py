"""How register values are compared: one spelling where clerks write several, and keys that forgive more."""

import polars as pl

from features.network.legal_forms import without_forms
from features.network.words import without_umlauts, words

# Words that names everywhere carry and that other clerks write differently or leave out. They say little.
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
_PHONE_DIGITS = 8  # the last ones, without the codes dialled from abroad


def digits(text: pl.Expr) -> pl.Expr:
    """Return an expression for the digits of a text, in their order."""
    return text.str.replace_all(r"\D", "")


def name(text: pl.Expr) -> pl.Expr:
    """Return a name without its legal form and words that say little; a name that has nothing else stays whole.

    >>> pl.select(name(pl.lit(pl.Series(["Norvale Trading Co., Ltd.", "Trading Ltd"])))).to_series().to_list()
    ['norvale', 'trading']
    """
    bare = without_forms(words(text))
    telling = bare.str.split(" ").list.filter(pl.element().is_in(_SAY_LITTLE).not_()).list.join(" ")
    return without_umlauts(pl.when(telling != "").then(telling).otherwise(bare))


def _address(text: pl.Expr) -> pl.Expr:
    short = words(text).str.split(" ").list.eval(pl.element().replace(_SHORT)).list.join(" ")
    return without_umlauts(short)


# The one spelling of each attribute that is compared: words between blanks, or digits and letters without blanks.
SPELLED = {
    "name": name,
    "address": _address,
    "person": lambda text: without_umlauts(words(text)),
    "phone": lambda text: digits(words(text)).str.strip_chars_start("0").str.tail(_PHONE_DIGITS),
    "bank_account": lambda text: words(text).str.replace_all(" ", ""),
}


def letters(text: pl.Expr) -> pl.Expr:
    """Return the letters of a text in alphabetical order, after its digits as they stand.

    The result is the same if words or letters have changed places.

    >>> pl.select(letters(pl.lit("12 norvale st"))).item(), pl.select(letters(pl.lit("st 12 nrovale"))).item()
    ('12aelnorstv', '12aelnorstv')
    """
    others = text.str.replace_all(r"[\d ]", "").str.split("").list.sort().list.join("")
    return digits(text) + others


def initials(text: pl.Expr) -> pl.Expr:
    """Return the first letters of a text's words, in alphabetical order."""
    return text.str.extract_all(r"\b\w").list.sort().list.join("")
