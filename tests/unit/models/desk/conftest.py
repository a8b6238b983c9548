import pytest

from models.policy import Desk as Rules
from models.policy import Hours
from tests.support import desks

RULES = Rules(lease_minutes=30, hours=Hours(red=10, yellow=2, blue=100))


@pytest.fixture
def rules():
    """Return the desk's part of the policy; a module that needs another has a fixture of its own."""
    return RULES


@pytest.fixture
def world(tmp_path, rules):
    world = desks.world(tmp_path, rules)
    yield world
    world.desk.close()
    world.log.close()
