"""One spelling for values that mean the same: no invisible characters, no float's point in ids, no separators in codes.

Only what can be meant in one way alone is changed, so a value that is spelled as the contract has it stays as it is.
`features.reading.conform` decides what a column of a source means.
"""

import polars as pl

# Control characters, soft hyphens, fillers, marks of direction, byte order marks, selectors and tags, wherever they
# are.
_UNSEEN = (
    r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x{9f}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}"
    r"\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}"
    r"\x{1d173}-\x{1d17a}\x{e0000}-\x{e0fff}"
)
# In words of several scripts these join letters or choose their form; in an id they make no difference.
_JOINERS = r"\x{200c}\x{200d}\x{fe00}-\x{fe0f}"
_PRINTABLE = bytes(range(0x20, 0x7F))
_LETTERS_AND_DIGITS = bytes(octet for octet in range(0x80) if chr(octet).isalnum())

_LARGEST_EXACT = 2**53  # a float holds every whole number up to here exactly
_FLOAT_ID = r"^(\d{1,15})\.0+$"
# Many programs write one of these words if there is no value.
NOTHING = r"^(?i:null|none|nan|nil|n\.?/?a\.?|<null>|\\n|[-.?]+)$"
IF_NOTHING = "; if that stands for nothing, nulls = [...] in the mapping says so"
EXPONENT = r"^\d(?:[.,]\d+)?[eE]\+\d+$"
_SEPARATED_CODE = r"^\d{2}(?:\d{2})?(?:\d{2})?(?:[ .-]\d{2}(?:\d{2})?){1,5}$"


def seen(text: pl.Series, *, has_words: bool) -> pl.Series:
    """Return text without invisible characters, and with one form for each letter; "" if nothing is left.

    In an id they are removed at the ends only: within it nobody can tell what should be there, and `unseen` finds them.

    >>> seen(pl.Series(["\\ufeffI7\\u200b", "I\\u20607"]), has_words=False).map_elements(ascii).to_list()
    ["'I7'", "'I\\\\u20607'"]
    """
    if are_plain(marks(text)):
        return text
    whole = f"[{_UNSEEN}]" if has_words else rf"^[\s{_UNSEEN}{_JOINERS}]+|[\s{_UNSEEN}{_JOINERS}]+$"
    return text.str.replace_all(whole, "").str.normalize("NFC")


def unseen(text: pl.Series) -> pl.Series:
    """Return the first invisible character of each text, as U+2060; null if it has none."""
    if are_plain(marks(text)):
        return pl.repeat(None, len(text), dtype=pl.String, eager=True)
    found = text.str.extract(f"([{_UNSEEN}{_JOINERS}])")
    names = {character: f"U+{ord(character):04X}" for character in found.drop_nulls().unique()}
    return found.replace_strict(names, default=None, return_dtype=pl.String)


def marks(text: pl.Series) -> bytes | None:
    """Return every character of a column that is no letter or digit, repeated as found; None if not all is ASCII.

    One such scan costs a third of looking at each value, and mostly tells that there is nothing to look for.

    >>> marks(pl.Series(["I-7", "I 8", None])), marks(pl.Series(["Ü7"]))
    (b'- ', None)
    """
    whole = text.str.join("").item()
    return whole.encode().translate(None, _LETTERS_AND_DIGITS) if whole.isascii() else None


def are_plain(found: bytes | None) -> bool:
    """Whether every value of a column with such `marks` is printable ASCII, which almost all columns are."""
    return found is not None and not found.translate(None, _PRINTABLE)


def id_text(given: pl.Series) -> pl.Series:
    """Return ids and codes as text.

    A whole float becomes its whole number; a float that is not whole or has lost digits becomes null.

    >>> id_text(pl.Series([1001.0, 20523711980.0, 1.5, None])).to_list()
    ['1001', '20523711980', None, None]
    >>> id_text(pl.Series(["1001.0", "A.0"])).to_list()
    ['1001', 'A.0']
    """
    if given.dtype.is_float():
        exact = (given == given.floor()) & (given.abs() < _LARGEST_EXACT)
        return given.set(exact.not_().fill_null(value=True), None).cast(pl.Int64).cast(pl.String)
    text = given.cast(pl.String)
    if given.dtype.is_decimal():
        return text.str.replace(_FLOAT_ID, "$1")
    if given.dtype == pl.String and text.str.ends_with(".0").any():
        return text.str.replace(_FLOAT_ID, "$1")
    return text


def bare_code(code: pl.Series) -> pl.Series:
    """Return commodity codes without the points, blanks and hyphens between their pairs of digits.

    >>> bare_code(pl.Series(["6109.10.00", "0901 21", "6109.1", "901.21"])).to_list()
    ['61091000', '090121', '6109.1', '901.21']
    """
    separated = code.str.contains(_SEPARATED_CODE)
    if not separated.any():
        return code
    frame = pl.DataFrame({"code": code, "separated": separated})
    bare = pl.col("code").str.replace_all(r"[ .-]", "")
    return frame.select(pl.when("separated").then(bare).otherwise("code")).to_series()
