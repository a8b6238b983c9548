"""When the declaration was accepted.

As of: the instant of acceptance alone.
"""

import polars as pl

from features.families.feature import Feature
from features.families.sentences import Sentences, Words
from features.history import History

NAME = "calendar"
_OWN = "the instant of acceptance"
_AT = pl.col("accepted_at").dt

_PARTS: dict[str, tuple[pl.Expr, str]] = {
    "weekday": (_AT.weekday(), "day of the week, Monday 1"),
    "day_of_month": (_AT.day(), "day of the month"),
    "days_to_month_end": (_AT.month_end().dt.day() - _AT.day(), "days left in the month"),
    "hour": (_AT.hour(), "hour of the day"),
}

SENTENCES = {
    "weekday": Sentences(
        Words(
            en="The declaration was accepted on a {weekday}.",
            fr="La déclaration a été acceptée un {weekday}.",
            zh="海关于{weekday}接受申报。",
        )
    ),
    "day_of_month": Sentences(
        Words(
            en="The declaration was accepted on day {day} of the month.",
            fr="Jour du mois où la déclaration a été acceptée\u00a0: le {day}.",
            zh="海关于当月{day}日接受申报。",
        )
    ),
    "days_to_month_end": Sentences(
        Words(
            en="The declaration was accepted with {left} left in the month.",
            fr="La déclaration a été acceptée à {left} de la fin du mois.",
            zh="海关接受申报时距月底还有{left}。",
        ),
        zero=Words(
            en="The declaration was accepted on the last day of the month.",
            fr="La déclaration a été acceptée le dernier jour du mois.",
            zh="海关于当月最后一天接受申报。",
        ),
    ),
    "hour": Sentences(
        Words(
            en="The declaration was accepted between {hour}:00 and {next_hour}:00.",
            fr="La déclaration a été acceptée entre {hour} h et {next_hour} h.",
            zh="海关于{hour}时至{next_hour}时之间接受申报。",
        )
    ),
}

FEATURES = tuple(
    Feature(
        name,
        NAME,
        "numeric",
        meaning,
        _OWN,
        entity=("accepted_at",),
        measure=name,
        group="calendar",
        sentences=SENTENCES[name],
    )
    for name, (_, meaning) in _PARTS.items()
)

TABLES = ()


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query."""
    return history.rows.select(part.cast(pl.Float32).alias(name) for name, (part, _) in _PARTS.items())
