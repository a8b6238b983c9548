"""How usual a way is, is told as a share of what was declared alike in the year before."""

from datetime import datetime

import pytest

from features.facts import kinds
from features.families import routes
from features.history import History
from tests.support.declarations import frame

_CHINESE = {"origin_country": "CN", "departure_country": "CN", "seller_id": "S1", "courier_id": None}


def computed(**asked):
    """The features of one declaration after three from China itself and one by way of Singapore, by courier."""
    past = [_CHINESE, _CHINESE, _CHINESE, _CHINESE | {"departure_country": "SG", "courier_id": "C1"}]
    rows = [each | {"accepted_at": datetime(2024, 3, 1 + day)} for day, each in enumerate(past)]
    rows.append({**_CHINESE, "accepted_at": datetime(2024, 4, 1), **asked})
    named = frame("declarations", [row | {"declaration_id": f"D{n}"} for n, row in enumerate(rows)]).lazy()
    none = frame("outcomes", []).lazy()
    history = History(kinds.build(named, named.head(0), none, none, label_delay_days=7))
    return routes.compute(history).row(-1, named=True)


@pytest.mark.parametrize(("departure", "share"), [("CN", 0.75), ("SG", 0.25), ("HK", 0.0)])
def test_a_departure_has_its_share_of_the_origin(departure, share):
    found = computed(departure_country=departure)
    for whole in ("origin_country", "hs4_x_origin_country", "importer_id_x_origin_country", "seller_id"):
        assert found[f"share_departure_country_among_{whole}"] == share
        assert found[f"declarations_departure_country_among_{whole}"] == 4 * share


def test_what_was_declared_more_than_a_year_before_does_not_count():
    """Three declarations come from China, on 1, 2 and 3 March, and one comes from Singapore on the 4th."""
    for day, declared, share in ((3, 1, 0.5), (4, 0, 0.0), (5, 0, None)):
        found = computed(accepted_at=datetime(2025, 3, day))
        assert found["declarations_departure_country_among_seller_id"] == declared
        assert found["share_departure_country_among_seller_id"] == share


def test_a_courier_is_new_to_a_seller_or_is_not():
    assert computed(courier_id="C1")["share_courier_id_among_seller_id"] == 0.25
    assert computed(courier_id="C2")["share_courier_id_among_seller_id"] == 0


def test_where_nothing_alike_was_declared_there_is_no_share():
    found = computed(seller_id="S9")
    assert found["share_departure_country_among_seller_id"] is None
    assert found["declarations_departure_country_among_seller_id"] == 0


def test_where_nobody_is_named_nothing_is_said():
    found = computed(seller_id=None)
    named = {name for name in found if "seller_id" in name or "courier_id" in name}
    assert named
    assert {found[name] for name in named} == {None}
