"""The registry of sources."""

import pytest

from features.sources import names, open_source


def test_every_module_of_the_package_is_a_source() -> None:
    assert names() == ("files", "kcs", "simulator")


def test_an_unknown_source_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="source 'fax' is not known; allowed: files, kcs, simulator"):
        open_source("fax", [])
