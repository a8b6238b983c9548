"""How far a version that waits agrees with the one that decides, on decisions whose scores are set by hand."""

from dataclasses import dataclass, field

import msgspec
import pytest

from models.decisions.agreement import LEAST, live_agreement
from models.decisions.log import Head
from models.decisions.record import Decision, Shadow
from tests.support.decided import decision


@dataclass
class Log:
    """A log in memory; `looked_at` has the numbers after which it was read."""

    decisions: list[Decision] = field(default_factory=list)
    looked_at: list[int] = field(default_factory=list)

    def head(self):
        return Head(len(self.decisions))

    def after(self, number, most):
        self.looked_at.append(number)
        return list(enumerate(self.decisions, 1))[number : number + most]


def scored(number, decided, shadow, *, version="7", **changed):
    """Return a decision about two items, with the scores of the model that decided and of one in its shadow."""
    made = decision(number)
    items = tuple(msgspec.structs.replace(item, score=score) for item, score in zip(made.items, decided, strict=True))
    shadows = (Shadow("6", "c" * 64, (0.5, 0.5)), Shadow(version, "d" * 64, shadow))
    return msgspec.structs.replace(made, items=items, shadows=shadows, **changed)


def rising(count, shift=0):
    """Return decisions whose scores rise from item to item; those of the shadow are `shift` items ahead, in a ring."""
    whole = 2 * count
    return [
        scored(
            each + 1,
            (2 * each / whole, (2 * each + 1) / whole),
            ((2 * each + shift) % whole / whole, (2 * each + 1 + shift) % whole / whole),
        )
        for each in range(count)
    ]


def test_two_that_say_the_same_agree_and_two_that_say_the_opposite_do_not():
    alike = live_agreement(Log(rising(100)), "7")
    assert (alike.items, alike.declarations, alike.against) == (200, 100, "3")
    assert (alike.in_common, alike.rank_correlation) == (1.0, pytest.approx(1.0))
    turned = [scored(each + 1, (each, each + 0.5), (-each, -each - 0.5)) for each in range(100)]
    opposite = live_agreement(Log(turned), "7")
    assert (opposite.in_common, opposite.rank_correlation) == (0.0, pytest.approx(-1.0))


def test_of_the_highest_tenth_the_part_that_both_have_is_counted():
    """Of 200 items the tenth is 20; of a ring moved on by 5, the shadow's highest are those that stand 5 lower."""
    assert live_agreement(Log(rising(100, shift=5)), "7").in_common == 15 / 20


def test_below_the_least_number_of_items_nothing_is_judged():
    found = live_agreement(Log(rising(LEAST // 2 - 1)), "7")
    assert (found.items, found.in_common, found.rank_correlation) == (LEAST - 2, None, None)


def test_a_model_that_gives_all_the_same_score_has_no_ranks():
    flat = [scored(each + 1, (each, each + 0.5), (0.3, 0.3)) for each in range(100)]
    assert live_agreement(Log(flat), "7").rank_correlation is None


def test_a_declaration_counts_once_and_only_what_the_last_champion_decided():
    before = scored(1, (0.9, 0.1), (0.1, 0.9), model_version="2")
    first = scored(2, (0.9, 0.1), (0.1, 0.9), declaration_id="D2")
    amended = scored(3, (0.2, 0.3), (0.2, 0.3), declaration_id="D2", version=2)
    unscored = scored(4, (0.2, 0.3), (0.2, 0.3), unscored="no model is in force")
    of_another = scored(5, (0.2, 0.3), (0.2, 0.3), version="8")
    found = live_agreement(Log([before, first, amended, unscored, of_another]), "7")
    assert (found.declarations, found.items, found.against) == (1, 2, "3")


def test_where_it_has_run_in_no_shadow_there_is_nothing_to_tell():
    assert live_agreement(Log(rising(3)), "9") is None
    assert live_agreement(Log(), "7") is None


def test_it_looks_back_no_further_than_it_is_asked_to():
    log = Log(rising(100))
    assert live_agreement(log, "7", most=30).declarations == 30
    assert log.looked_at == [70]
