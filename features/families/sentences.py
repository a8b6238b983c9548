"""Sentences that a family brings for its features, in each language that officers read.

A placeholder stands for the feature's value, and its name decides how the value is written
(models/reasons/language.py).

Not here: sentences that several families share, or that tell of more than one feature (models/reasons).
"""

from dataclasses import dataclass, fields
from string import Formatter

# Placeholders for the value. {rate} and {share} are written as percentages, and {duty_rate} is already in per cent.
# {since}, {left}, {items} and {inspections} are counts with their nouns. {log10_times} is a logarithm of the number.
OF_VALUE = frozenset(
    {
        "amount",
        "code",
        "day",
        "duty_rate",
        "hour",
        "inspections",
        "items",
        "left",
        "log10_times",
        "next_hour",
        "number",
        "rate",
        "share",
        "since",
        "times",
        "weekday",
    }
)
# Placeholders for the entity, such as 'importer' and 'of this importer', and for the window.
OF_FEATURE = frozenset({"noun", "of", "span"})


@dataclass(frozen=True)
class Words:
    """One sentence in each language; ValueError where their placeholders differ, or where one is not allowed.

    >>> Words(en="It rained {mm} mm.", fr="Il est tombé {mm} mm de pluie.", zh="降雨{mm}毫米。")
    Traceback (most recent call last):
    ...
    ValueError: placeholder 'mm' in 'It rained {mm} mm.'; allowed: amount, code, ...
    >>> Words(en="It rained {number} mm.", fr="Il a plu.", zh="降雨{number}毫米。")
    Traceback (most recent call last):
    ...
    ValueError: 'Il a plu.' has the placeholders none and 'It rained {number} mm.' has number; allowed: the same in all
    """

    en: str
    fr: str
    zh: str

    def __post_init__(self) -> None:
        allowed = OF_VALUE | OF_FEATURE
        if odd := sorted(self.placeholders - allowed):
            raise ValueError(f"placeholder {odd[0]!r} in {self.en!r}; allowed: {', '.join(sorted(allowed))}")
        for text in (getattr(self, each.name) for each in fields(self)):
            if placeholders(text) != self.placeholders:
                own, first = (", ".join(sorted(found)) or "none" for found in (placeholders(text), self.placeholders))
                raise ValueError(
                    f"{text!r} has the placeholders {own} and {self.en!r} has {first}; allowed: the same in all"
                )

    @property
    def placeholders(self) -> set[str]:
        """Return the names of the placeholders in the sentences."""
        return placeholders(self.en)


@dataclass(frozen=True)
class Sentences:
    """Tells what is said of a feature that has a value, of one whose value is zero, and of one that has none.

    Without words for zero, a zero is stated as any other value. Without words for none, an officer reads that the
    declaration does not give what the feature speaks of.
    """

    stated: Words
    zero: Words | None = None
    none: Words | None = None

    def of(self, value: float | str | None) -> Words | None:
        """Return the words for a value.

        The result is None where all that can be said is that the declaration does not give it.
        """
        if value is None:
            return self.none
        return self.zero if value == 0 and self.zero else self.stated


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders in a template.

    >>> sorted(placeholders("{rate} of {of}"))
    ['of', 'rate']
    """
    return {name for _, name, _, _ in Formatter().parse(text) if name}
