"""One language: its words and sentences from `<language>.toml` and those of families, and how it writes numbers.

A sentence has placeholders, and a placeholder's name decides how its value is written, in every language the same way:
see `Language.render`.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from features.facts import asof
from models.reasons.sentences import Phrase

Name = Literal["en", "fr", "zh"]
LANGUAGES: tuple[Name, ...] = get_args(Name)

_DIGITS = 4  # digits of a number below a thousand; larger ones are written as whole numbers
_FEW_PERCENT = 10.0  # a smaller percentage has a decimal


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Numbers(_Section):
    """Tells how numbers are written. `one` holds the counts that take the singular."""

    decimal: str
    thousands: str
    percent: str
    one: tuple[int, ...]


class Together(_Section):
    """Tells how several columns are named at once: `whole` is put around the list, `item` around each noun."""

    whole: str
    item: str
    comma: str
    last: str


class Spans(_Section):
    days: str
    year: str
    years: str


class WorkListWords(_Section):
    """The words of the officers' list: its columns, lanes and reasons of choice.

    `why` heads the column of a fact. `raises` and `lowers` stand around its sentence and say which way it moved the
    score.
    """

    columns: dict[str, str]
    lanes: dict[str, str]
    reasons: dict[str, str]
    why: str
    raises: str
    lowers: str


class Language(_Section):
    """The words of the language `name`.

    `of` has phrases such as 'of this importer', by column; `measured` names numbers that are compared with what is
    usual; `counted` has pairs of singular and plural.
    """

    name: Name
    numbers: Numbers
    together: Together
    spans: Spans
    counted: dict[str, tuple[str, str]]
    weekdays: tuple[str, str, str, str, str, str, str]
    transport_modes: dict[str, str]
    nouns: dict[str, str]
    of: dict[str, str]
    measured: dict[str, str]
    sentences: dict[str, str]
    work_list: WorkListWords

    def render(self, phrase: Phrase) -> str:
        """Return the sentence of a phrase.

        >>> read("en").render(Phrase("hits", {"of": ("importer_id",), "span": 365, "rate": 0.341, "inspections": 1}))
        'Past declarations of this importer have an adjusted hit rate of 34%, with 1 inspection in the past year.'
        """
        values = {name: self._write(name, value) for name, value in phrase.values.items()}
        template = self.sentences[phrase.words] if isinstance(phrase.words, str) else getattr(phrase.words, self.name)
        text = template.format(**values)
        return text[0].upper() + text[1:]

    def _write(self, placeholder: str, value: Any) -> str:  # noqa: ANN401, what a placeholder stands for
        if placeholder in self.counted:
            singular, plural = self.counted[placeholder]
            return (singular if value in self.numbers.one else plural).format(n=self.number(value))
        match placeholder:
            case "rate" | "share" | "difference":
                return self.percent(value)
            case "duty_rate" | "usual_rate":
                return self.numbers.percent.format(n=self.number(round(value, 2)))
            case "times" | "log10_times":
                return self.number(float(f"{value:.2g}"))
            case "amount" | "number" | "day" | "hour" | "next_hour" | "least":
                return self.number(value)
            case "of":
                return self.columns(value)
            case "span":
                return self.span(value)
            case "noun":
                return self.nouns[value]
            case "measured":
                return self.measured[value]
            case "code" | "origin" | "departure":
                return self.code(*value)
            case "weekday":
                return self.weekdays[round(value) - 1]
        raise ValueError(f"placeholder {placeholder!r} is not one that a value can be written for")

    def number(self, value: float) -> str:
        """Return a number with the language's marks: four digits, and whole numbers from a thousand up.

        >>> [read("fr").number(value) for value in (12500.4, 14.375, 0.5)]
        ['12\\u202f500', '14,38', '0,5']
        """
        is_whole = abs(value) >= 10 ** (_DIGITS - 1)
        return self._marked(f"{value:,.0f}" if is_whole else _plain(float(f"{value:.{_DIGITS}g}")))

    def percent(self, share: float) -> str:
        """Return a share as a percentage. What is neither nothing nor all is never written as 0 % or 100 %.

        >>> [read("en").percent(share) for share in (0.712, 0.0712, 0.9996, 1.0)]
        ['71%', '7.1%', '99.96%', '100%']
        """
        percentage = 100 * share
        decimals = 0 if percentage >= _FEW_PERCENT else 1
        while percentage not in (0, 100) and round(percentage, decimals) in (0, 100):
            decimals += 1
        return self.numbers.percent.format(n=self._marked(_plain(round(percentage, decimals))))

    def _marked(self, text: str) -> str:
        return text.translate({ord(","): self.numbers.thousands, ord("."): self.numbers.decimal})

    def columns(self, about: Sequence[str]) -> str:
        """Return the phrase for what one column of the contract names, or several at once.

        >>> read("en").columns(("importer_id",)), read("en").columns(("hs6", "origin_country", "tax_type"))
        ('of this importer', 'with the same HS subheading, country of origin and tariff type')
        """
        if len(about) == 1:
            return self.of[about[0]]
        items = [self.together.item.format(noun=self.nouns[column]) for column in about]
        return self.together.whole.format(
            items=self.together.last.join((self.together.comma.join(items[:-1]), items[-1]))
        )

    def span(self, days: int) -> str:
        """Return the phrase for a window.

        >>> [read("en").span(days) for days in (90, 365, 1095)]
        ['the past 90 days', 'the past year', 'the past 3 years']
        """
        years, rest = divmod(days, asof.YEAR_DAYS)
        if rest:
            return self.spans.days.format(n=self.number(days))
        return self.spans.year if years == 1 else self.spans.years.format(n=self.number(years))

    def code(self, column: str, value: str) -> str:
        """Return a code as people read it: subheadings with a point, modes of transport by name, others as is."""
        if column == "transport_mode" and value in self.transport_modes:
            return self.transport_modes[value]
        return f"{value[:4]}.{value[4:]}" if column == "hs6" else value


def _plain(value: float) -> str:
    """Return a number without an exponent, and without zeros at the end."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


@cache
def read(name: str) -> Language:
    """Return a language by its name.

    >>> read("de")
    Traceback (most recent call last):
    ...
    ValueError: language is 'de'; allowed: en, fr, zh
    """
    if name not in LANGUAGES:
        raise ValueError(f"language is {name!r}; allowed: {', '.join(LANGUAGES)}")
    with Path(__file__).with_name(f"{name}.toml").open("rb") as file:
        return Language.model_validate({"name": name, **tomllib.load(file)})
