"""Each day that waits is chosen by what was known before it, even if the data of all days were read at once."""

from datetime import date, datetime
from types import SimpleNamespace

import polars as pl
import pytest

from features.contract import KEY
from features.facts.asof import NEVER
from models import policy
from models.targeting import backlog
from models.targeting.backlog import Backlog
from models.targeting.selection_log import SCHEMA

# Item, known on, replaced on, label: B's was taken back and found again, C is known only on the third day.
VERSIONS = (
    ("A", date(2024, 3, 1), NEVER, False),
    ("B", date(2024, 3, 2), date(2024, 3, 4), True),
    ("B", date(2024, 3, 4), NEVER, None),
    ("C", date(2024, 3, 5), NEVER, True),
)


@pytest.fixture
def waiting():
    outcomes = pl.DataFrame(
        [
            {
                "declaration_id": item,
                "item_number": 1,
                "is_inspected": True,
                "is_illicit": label,
                "is_critical": False,
                "recovered_revenue": 5.0,
                "selection_probability": 0.5,
                "known_on": known_on,
                "replaced_on": replaced_on,
            }
            for item, known_on, replaced_on, label in VERSIONS
        ],
        schema_overrides={"item_number": pl.Int32},
    )
    inspected = pl.DataFrame(
        {
            "declaration_id": ["C", "A", "B"],
            "item_number": pl.Series([1, 1, 1], dtype=pl.Int32),
            "accepted_at": [datetime(2024, 2, day) for day in (1, 2, 3)],
        }
    )
    return Backlog(policy.load(), object(), pl.DataFrame(schema=SCHEMA), outcomes, inspected)


@pytest.fixture
def learned(monkeypatch):
    """The items that each choice took for familiar."""
    found = []

    def of(share, model, known):
        found.append(known)
        return SimpleNamespace(share=share)

    monkeypatch.setattr(backlog.Exploring, "of", of)
    monkeypatch.setattr(backlog.Selector, "choose", lambda self, declarations, *_: declarations.select(KEY))
    return found


def day(of):
    return pl.DataFrame(
        {"declaration_id": ["N"], "item_number": [1], "accepted_on": [of], "office": ["10"]},
        schema_overrides={"item_number": pl.Int32},
    )


@pytest.mark.parametrize(
    ("of", "familiar"),
    [
        (date(2024, 3, 2), ["A"]),
        (date(2024, 3, 3), ["A", "B"]),
        (date(2024, 3, 5), ["A", "B"]),
        (date(2024, 3, 6), ["C", "A", "B"]),
    ],
)
def test_a_day_knows_what_was_known_before_it_in_the_order_of_acceptance(waiting, learned, of, familiar):
    chosen = waiting.choose(day(of), 1)
    assert learned[0]["declaration_id"].to_list() == familiar
    assert (chosen["accepted_on"].item(), chosen["office"].item()) == (of, "10")
    assert chosen["exploring_share"].item() == waiting.policy.exploration.initial_share


def test_a_day_before_any_inspection_is_refused_by_name(waiting, learned):
    with pytest.raises(ValueError, match="no inspection was known before 2024-03-01"):
        waiting.choose(day(date(2024, 3, 1)), 1)
    assert learned == []
