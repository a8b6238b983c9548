"""What a preview counts, and what criteria found beside the model, on days worked out by hand."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from models.criteria import Register, Step
from models.criteria.figures import Rate, beside, preview
from models.ledger import storage
from models.targeting.selection_log import SCHEMA
from tests.support.criteria import condition, criterion

DAY = date(2024, 5, 2)
OURS = criterion("watched", condition("importer_id", "in", "W"), places=2)


def declared(*rows):
    """Declare items: id, office, day, importer; each a minute after the one before."""
    start = datetime(2024, 5, 2, 8)
    return pl.DataFrame(
        [
            {
                "declaration_id": name,
                "item_number": 1,
                "office": office,
                "accepted_at": start + timedelta(days=day, minutes=minute),
                "importer_id": importer,
            }
            for minute, (name, office, day, importer) in enumerate(rows)
        ],
        schema_overrides={"item_number": pl.Int32},
    )


def labels(**found):
    return pl.DataFrame(
        [{"declaration_id": name, "item_number": 1, "is_illicit": hit} for name, hit in found.items()],
        schema={"declaration_id": pl.String, "item_number": pl.Int32, "is_illicit": pl.Boolean},
    )


def selections(*rows):
    """Select items: id, lane, reason, priority, and perhaps day, criterion."""
    return pl.DataFrame(
        [
            {
                "declaration_id": name,
                "item_number": 1,
                "lane": lane,
                "reason": reason,
                "priority": priority,
                "accepted_on": DAY + timedelta(days=more[0] if more else 0),
                "criterion": more[1] if len(more) > 1 else None,
            }
            for name, lane, reason, priority, *more in rows
        ],
        schema={
            name: SCHEMA[name]
            for name in ("declaration_id", "item_number", "accepted_on", "lane", "reason", "priority", "criterion")
        },
    )


NOTHING = selections()
WEEK = declared(
    ("a", "010", 0, "W"),
    ("b", "010", 0, "W"),
    ("c", "010", 0, "W"),
    ("d", "020", 0, "W"),
    ("e", "010", 1, "W"),
    *((f"v{number}", "010", 0, "V") for number in range(4)),
    ("v4", "020", 0, "V"),
    ("v5", "020", 1, "V"),
)


def test_it_counts_by_day_and_office_and_what_was_found():
    found = preview(OURS, WEEK, labels(a=True, b=False, v0=True, v1=False, v2=False), NOTHING)
    assert (found.begins_on, found.ends_on) == (DAY, DAY + timedelta(days=1))
    assert (found.declared, found.met, found.met_a_day) == (11, 5, 2.5)
    assert [(each.office, each.met, each.most_a_day, each.places) for each in found.offices] == [
        ("010", 4, 3, 3),
        ("020", 1, 1, 1),
    ]
    assert (found.found, found.others) == (Rate.of(1, 2), Rate.of(1, 3))
    assert (found.by_value.inspected, found.displaced) == (0, None)


def test_it_says_which_of_those_chosen_for_value_would_lose_their_places():
    chosen = selections(
        ("a", "red", "value", 0.5),  # inspected anyway, and no place is taken from it
        ("b", "green", "none", 0.1),
        ("c", "green", "none", 0.2),  # the criterion's two places are used by then
        ("d", "green", "none", 0.1),
        ("v0", "red", "value", 5.0),
        ("v1", "blue", "value", 2.0),
        ("v2", "red", "random", 0.0),
        ("v3", "green", "none", 0.0),
        ("v4", "red", "critical", 1.0),
    )
    found = preview(OURS, WEEK, labels(a=True, v0=True, v1=False), chosen)
    assert found.displaced.places == 2  # b and d
    assert found.displaced.displaced == 1  # v1 at 010; at 020 nothing was chosen for value
    assert found.displaced.found == Rate.of(0, 1)
    assert found.by_value == Rate.of(2, 3)


def test_places_of_those_who_came_first_and_of_the_least_priority():
    one = criterion("watched", condition("importer_id", "in", "W"), places=1)
    chosen = selections(
        *((name, "green", "none", 0.0) for name in "abc"), ("v0", "red", "value", 1.0), ("v1", "red", "value", 2.0)
    )
    for ours, hits in ((one, Rate.of(1, 1)), (OURS, Rate.of(1, 2))):
        assert preview(ours, WEEK, labels(v0=True, v1=False), chosen).displaced.found == hits


def test_nothing_that_meets_it_is_told_as_such():
    found = preview(criterion("nobody", condition("importer_id", "in", "X")), WEEK, labels(), NOTHING)
    assert (found.met, found.offices, found.found.rate.value) == (0, (), None)
    assert found.found.rate.reason == "no inspection has a result"


@pytest.mark.parametrize(
    ("ours", "rows", "told"),
    [
        (
            criterion("all", condition("office", "in", "010", "020")),
            WEEK,
            "all is met by 11 of 11 declared items; allowed",
        ),
        (OURS, WEEK[:0], "nothing was declared in the weeks asked about"),
    ],
)
def test_a_criterion_that_most_meet_is_none_and_without_data_there_is_no_preview(ours, rows, told):
    with pytest.raises(ValueError, match=told):
        preview(ours, rows, labels(), NOTHING)


def test_half_of_what_is_declared_is_still_a_criterion():
    half = pl.concat([WEEK, declared(("w", "010", 0, "W"))])
    assert preview(OURS, half, labels(), NOTHING).met == 6


def register(*criteria):
    made, at = Register(), storage.now()
    for each in criteria:
        made.apply(Step("propose", "pia", at, each.digest, "x", each, 90))
        made.apply(Step("confirm", "pol", at, each.digest, "x"))
    return made


def test_each_criterion_stands_beside_the_model_on_the_days_on_which_it_placed_anything():
    chosen = selections(
        ("before", "red", "value", 1.0, 0),
        ("a", "red", "criterion", 1.0, 1, "watched"),
        ("b", "red", "criterion", 1.0, 3, "watched"),
        ("c", "red", "criterion", 1.0, 3, "watched"),
        ("v1", "red", "value", 1.0, 1),
        ("v2", "red", "value", 1.0, 2),
        ("r", "red", "random", 1.0, 2),
        ("g", "green", "none", 0.0, 2),
        ("after", "red", "value", 1.0, 4),
    )
    known = labels(before=True, a=True, b=False, v1=True, v2=False, r=False, after=True)
    ours = criterion("watched", begins_on=DAY, ends_on=DAY + timedelta(days=9))
    idle = criterion("idle", begins_on=DAY, ends_on=DAY)
    found, nothing = beside(register(ours, idle), known, chosen, DAY + timedelta(days=5))
    assert (found.name, found.state, found.placed, found.waiting) == ("watched", "in force", 3, 1)
    assert (found.begins_on, found.ends_on) == (DAY + timedelta(days=1), DAY + timedelta(days=3))
    assert (found.own, found.by_value, found.by_chance) == (Rate.of(1, 2), Rate.of(1, 2), Rate.of(0, 1))
    assert (nothing.name, nothing.state, nothing.placed, nothing.begins_on) == ("idle", "expired", 0, None)
    assert nothing.by_value.rate.value is None


def test_intervals_are_wilsons():
    """For 2 of 8 the formula gives a centre of 0.331 and a half width of 0.2597."""
    rate = Rate.of(2, 8).rate
    assert (rate.value, rate.low, rate.high) == (0.25, pytest.approx(0.0715, abs=1e-4), pytest.approx(0.5907, abs=1e-4))
    assert Rate.of(0, 5).rate.low == 0.0
