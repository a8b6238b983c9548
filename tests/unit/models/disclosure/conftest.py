"""The installation of which all papers here are drawn up; none of them changes it."""

import pytest

from models.disclosure import Material
from tests.support.disclosed import Disclosed, disclosed


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Disclosed:
    return disclosed(tmp_path_factory.mktemp("disclosed"))


@pytest.fixture(scope="package")
def material(made: Disclosed) -> Material:
    return made.material()
