"""Recipients and an outbox, on a clock that is set by hand."""

from contextlib import closing

import pytest

from models.notices import Outbox, Pages, Recipients
from tests.support.noticed import PAGES, file_of


@pytest.fixture
def outbox(tmp_path):
    with closing(Outbox(f"sqlite:///{tmp_path / 'decisions.db'}")) as made:
        made.migrate()
        yield made


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a file of recipients with a text."""

    def read(text: str, pages: Pages = PAGES) -> Recipients:
        return Recipients.read(file_of(tmp_path, text), pages, {"reviewer", "supervisor", "data-scientist", "operator"})

    return read
