"""Any script written as words in Latin letters, in lower case, between single blanks.

Letters are those of anyascii, one by one. Chinese, Japanese and Korean writing stays as it is, because very different
names sound alike there; `latin` returns its sound. Every function takes and returns an expression over one text column.
"""

import re
from functools import partial

import polars as pl

EAST_ASIAN = "\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"  # within a class of characters
_FOREIGN = rf"[^\x00-\x7F{EAST_ASIAN}]"


def words(text: pl.Expr) -> pl.Expr:
    """Return the words of a text.

    >>> names = pl.Series(["Đặng & Söhne A.G.", "«Калина»", "㈱青空 Trading", "D'Amico"])
    >>> pl.select(words(pl.lit(names))).to_series().to_list()
    ['dang sohne ag', 'kalina', '株 青空 trading', 'damico']
    """
    return _plain(text.str.normalize("NFKC").map_batches(partial(_romanised, _FOREIGN), return_dtype=pl.String))


def latin(found: pl.Expr) -> pl.Expr:
    """Return words, all of them in Latin letters and without the blanks between them.

    >>> pl.select(latin(pl.lit(pl.Series(["上海蓝天", "lan tian"])))).to_series().to_list()
    ['shanghailantian', 'lantian']
    """
    sound = found.map_batches(partial(_romanised, rf"[{EAST_ASIAN}]"), return_dtype=pl.String)
    return _plain(sound).str.replace_all(" ", "")


def _plain(text: pl.Expr) -> pl.Expr:
    bare = text.str.to_lowercase().str.replace_all(r"[\p{M}.'\x{2019}]", "")
    return bare.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def without_umlauts(found: pl.Expr) -> pl.Expr:
    """Return words without an `e` that may stand for an umlaut: `Mueller` becomes the same as `Müller` and `Muller`."""
    return found.str.replace_all(r"([aou])e", "$1")


def _romanised(which: str, texts: pl.Series) -> pl.Series:
    """Return the texts with every letter that matches `which` written in Latin letters."""
    from anyascii import anyascii  # here, because only registers need it

    others = texts.unique().drop_nulls()
    letters = sorted(set(re.findall(which, "".join(others.filter(others.str.contains(which)).to_list()))))
    if not letters:
        return texts
    return texts.str.replace_many(letters, [re.sub("['\"`]", "", anyascii(letter)) for letter in letters])
