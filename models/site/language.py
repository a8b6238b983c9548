"""The language of a page: what its reader has chosen, or else what the browser asks for; and how it writes figures."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from babel import Locale, dates, numbers
from starlette.requests import Request

LANGUAGES: Mapping[str, str] = {"en": "English", "fr": "Français", "zh": "中文"}
COOKIE = "tidewaiter-language"
NONE = "-"  # in place of a figure or a moment that there is not


def chosen(request: Request) -> str:
    """Return one of LANGUAGES: the one that the address asks for, that was chosen last, or that the browser prefers."""
    for asked in (request.query_params.get("language", ""), request.cookies.get(COOKIE, "")):
        if asked in LANGUAGES:
            return asked
    return preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> str:
    """Return the first language of an Accept-Language header that there is; English if there is none.

    >>> preferred("de, fr-CH;q=0.9, en;q=0.8"), preferred("zh-Hans-CN"), preferred("de"), preferred("en;q=0.1, fr")
    ('fr', 'zh', 'en', 'fr')
    """
    weighed = []
    for place, each in enumerate(accepted.split(",")):
        tag, _, weight = each.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, tag.strip().lower()[:2]))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), "en")


@dataclass(frozen=True)
class Words:
    """The words of one page in one language, and how that language writes numbers and moments."""

    language: str
    words: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path, language: str) -> "Words":
        """Read `<language>.toml` of a page's folder of words, and what all pages share."""
        shared = Path(__file__).with_name("words")
        return cls(language, {**_read(shared, language), **_read(folder, language)})

    def __call__(self, key: str, **values: object) -> str:
        """Return the words with `values` put into them; KeyError if there are none."""
        return self.words[key].format(**values)

    def number(self, value: float | None, places: int = 0) -> str:
        """Return a number with this language's separators, with up to so many decimal places; NONE for None.

        >>> Words("fr", {}).number(1234.56, 1), Words("en", {}).number(1234.56, 1), Words("en", {}).number(None)
        ('1\\u202f234,6', '1,234.6', '-')
        """
        if value is None:
            return NONE
        return numbers.format_decimal(round(value, places), format=f"#,##0.{'#' * places}", locale=self._locale)

    def amount(self, value: float | None, currency: str | None) -> str:
        """Return an amount with its currency, in whole units.

        >>> Words("en", {}).amount(1234567.8, "USD"), Words("zh", {}).amount(5, "KRW")
        ('USD 1,234,568', 'KRW 5')
        """
        return self.number(value) if value is None or not currency else f"{currency} {self.number(value)}"

    def share(self, value: float | None, places: int = 1) -> str:
        """Return a share as per cent.

        >>> Words("fr", {}).share(0.125), Words("en", {}).share(0.125)
        ('12,5\\xa0%', '12.5%')
        """
        if value is None:
            return NONE
        pattern = self._locale.percent_formats[None].pattern.replace("#,##0", f"#,##0.{'#' * places}")
        return numbers.format_percent(round(value, places + 2), format=pattern, locale=self._locale)

    def day(self, day: date | None) -> str:
        """Return a day in ISO 8601, which all customs administrations read alike."""
        return NONE if day is None else day.isoformat()

    def moment(self, at: datetime | None) -> str:
        """Return a moment in UTC, in ISO 8601, to the minute."""
        return NONE if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def ago(self, at: datetime, now: datetime) -> str:
        """Return how long ago, or in how long, a moment is.

        >>> hour, two = datetime(2024, 5, 1, 12), datetime(2024, 5, 1, 14)
        >>> Words("en", {}).ago(hour, two), Words("fr", {}).ago(two, hour)
        ('2 hours ago', 'dans 2 heures')
        """
        return dates.format_timedelta(at - now, add_direction=True, locale=self._locale)

    @property
    def _locale(self) -> Locale:
        return Locale.parse(self.language)


@cache
def _read(folder: Path, language: str) -> Mapping[str, str]:
    return tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
