"""A mass per piece is compared with what is usual in the same unit of quantity."""

from datetime import datetime

import pytest

from features.facts import kinds
from features.families import units
from features.families.usual import MIN_HISTORY
from features.history import History
from tests.support.declarations import frame

_SHOES = {"hs_code": "640399", "net_mass_kg": 90.0, "quantity": 100.0, "quantity_unit": "PR"}


def computed(**asked):
    """The features of one pair of shoes more, after others that weigh 0.9 kg, and as many that are counted in boxes."""
    past = [{**_SHOES, "quantity_unit": unit} for unit in ("PR", "NPX") for _ in range(MIN_HISTORY)]
    past = [each | {"net_mass_kg": 1200.0} if each["quantity_unit"] == "NPX" else each for each in past]
    rows = [each | {"accepted_at": datetime(2024, 3, 1 + day)} for day, each in enumerate(past)]
    rows.append({**_SHOES, "accepted_at": datetime(2024, 4, 1), **asked})
    named = frame("declarations", [row | {"declaration_id": f"D{n}"} for n, row in enumerate(rows)]).lazy()
    none = frame("outcomes", []).lazy()
    return units.compute(History(kinds.build(named, named.head(0), none, none, label_delay_days=7))).row(-1, named=True)


def test_shoes_that_are_declared_too_light_stand_out_among_shoes():
    found = computed(net_mass_kg=45.0)
    for group in units.GROUPS:
        assert found[f"unit_mass_ratio_{group}"] == pytest.approx(0.5)
        assert found[f"unit_mass_quantile_{group}"] == 0
        assert found[f"unit_mass_z_{group}"] < -10
        assert found[f"unit_value_ratio_{group}"] == pytest.approx(1)


@pytest.mark.parametrize(
    "asked", [{"quantity": 0.0}, {"quantity": None}, {"quantity_unit": None}, {"net_mass_kg": 0.0}]
)
def test_nothing_is_said_where_there_is_no_mass_per_piece(asked):
    found = computed(**asked)
    assert {found[f"unit_mass_{each}_hs6"] for each in ("z", "quantile", "ratio")} == {None}


def test_what_was_declared_more_than_a_year_before_is_not_compared_with():
    for day, ratio in ((1, pytest.approx(1)), (2, None)):  # the first of as many as are needed came on 1 March 2024
        assert computed(accepted_at=datetime(2025, 3, day))["unit_mass_ratio_hs6"] == ratio


def test_a_seller_of_whom_nothing_is_known_has_nothing_usual():
    found = computed(seller_id="S9")
    assert found["unit_mass_ratio_seller_hs6"] is None
    assert found["unit_mass_ratio_hs6"] == pytest.approx(1)
