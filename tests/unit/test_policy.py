import tomllib

import pytest
from pydantic import ValidationError

from models.policy import POLICY_FILE, Policy


def changed(section: str, **values: object) -> Policy:
    """The delivered policy with other values in one section."""
    delivered = tomllib.loads(POLICY_FILE.read_text())
    return Policy.model_validate(delivered | {section: delivered[section] | values})


def test_shares_of_exploration_out_of_order_are_refused():
    assert changed("exploration", initial_share=0.02, min_share=0.02).exploration.initial_share == 0.02
    with pytest.raises(
        ValidationError, match=r"initial_share is 0\.5; allowed: from min_share, 0\.02, to max_share, 0\.3"
    ):
        changed("exploration", initial_share=0.5)


def test_a_key_that_nobody_reads_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        changed("targeting", random_shares=0.02)
