"""The exploring share does not depend on anything that customs did not know yet."""

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from models.targeting.selection_log import exploring_share
from tests.support.examples import examples
from tests.unit.models.targeting.test_selection_log import FIRST, PERIOD, POLICY, outcomes, selected

NAMES = [f"d{n}" for n in range(8)]


@st.composite
def found(draw):
    """An outcome of some declaration, known some day."""
    is_illicit = draw(st.booleans())
    return {
        "declaration_id": draw(st.sampled_from(NAMES)),
        "known_on": FIRST + timedelta(days=draw(st.integers(1, 4 * PERIOD))),
        "is_illicit": is_illicit,
        "recovered_revenue": draw(st.floats(0, 1e6)) if is_illicit else 0.0,
    }


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(found(), max_size=12), st.integers(0, 4 * PERIOD), st.randoms())
def test_later_outcomes_change_no_earlier_share(every, after, random):
    log = selected(
        *(
            {
                "declaration_id": name,
                "accepted_on": FIRST + timedelta(days=random.randrange(2 * PERIOD)),
                "reason": random.choice(["exploration", "value"]),
                "score": random.random(),
            }
            for name in NAMES
        ),
        {"declaration_id": "first"},
    )
    day = FIRST + timedelta(days=after)
    nothing = outcomes({"declaration_id": "nobody", "known_on": FIRST})
    known = pl.concat([nothing, *(outcomes(row) for row in every)], how="vertical_relaxed")
    earlier = known.filter(pl.col("known_on") < day)
    assert exploring_share(log, known, POLICY, day) == exploring_share(log, earlier, POLICY, day)
