"""What a register writes, as it is compared: one spelling where clerks write several, and keys that forgive more.

Expressions over one text column each. Scripts are left as they are: nothing is transliterated.
"""

import polars as pl

# What many names carry and other clerks write otherwise or leave out: legal forms, and words that say no more.
_FORMS = (
    *("ab", "ag", "as", "bv", "co", "company", "corp", "corporation", "est", "fze", "gmbh", "inc", "incorporated"),
    *("kg", "limited", "llc", "llp", "lp", "ltd", "ltda", "nv", "oy", "plc", "pte", "pty", "pvt", "private", "public"),
    *("sa", "sarl", "sas", "sl", "spa", "srl", "and", "brothers", "bros", "sons", "the", "group", "grp", "holding"),
    *("holdings", "export", "exports", "import", "imports", "international", "intl", "trade", "traders", "trading"),
)
_SHORT = {
    **{"avenue": "ave", "av": "ave", "boulevard": "blvd", "building": "bldg", "centre": "center", "drive": "dr"},
    **{"east": "e", "floor": "fl", "highway": "hwy", "house": "hse", "lane": "ln", "north": "n", "number": "no"},
    **{"place": "pl", "road": "rd", "room": "rm", "south": "s", "square": "sq", "strasse": "str", "street": "st"},
    **{"suite": "ste", "unit": "un", "west": "w"},
}
_PHONE_DIGITS = 8  # without what leads there from abroad


def _words(text: pl.Expr) -> pl.Expr:
    bare = text.str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[\p{M}.'\x{2019}]", "")
    return bare.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def digits(text: pl.Expr) -> pl.Expr:
    """Its digits, as they stand."""
    return text.str.replace_all(r"\D", "")


# Of each attribute that is compared, its one spelling: words between blanks, or digits and letters in a row.
SPELLED = {
    "name": _words,
    "address": lambda text: _words(text).str.split(" ").list.eval(pl.element().replace(_SHORT)).list.join(" "),
    "person": _words,
    "phone": lambda text: digits(text.str.normalize("NFKC")).str.strip_chars_start("0").str.tail(_PHONE_DIGITS),
    "bank_account": lambda text: _words(text).str.replace_all(" ", ""),
}


def stem(name: pl.Expr) -> pl.Expr:
    """A spelled name without legal form and the like; all of it where it has nothing else."""
    words = name.str.split(" ")
    telling = words.list.filter(pl.element().is_in(_FORMS).not_())
    return pl.when(telling.list.len() > 0).then(telling).otherwise(words).list.join(" ")


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
