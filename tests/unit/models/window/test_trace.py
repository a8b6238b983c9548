"""`tidewaiter trace` over an installation whose champion has decided: what it says, and what breaks a link."""

import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.servers import embedded
from tests.support import traced
from tests.support.traced import Traced


@pytest.fixture(scope="module")
def made(world, tmp_path_factory) -> Traced:
    return traced.traced(world, tmp_path_factory.mktemp("traced"))


@pytest.fixture
def tell(made, monkeypatch):
    """Run `tidewaiter trace` there, and return its exit code and what it said."""
    traced.at_home(monkeypatch, made)
    monkeypatch.setattr(embedded, "use", lambda settings: settings)

    def run(*arguments):
        result = CliRunner().invoke(cli.app, ("trace", *arguments), catch_exceptions=False)
        return result.exit_code, result.stdout + result.stderr

    return run


def test_every_link_of_a_decision_of_the_window_holds(made, tell):
    first = made.decided[0]
    code, said = tell(first.declaration_id)
    assert code == 0, said


def test_night(made, tell):
    code, said = tell(made.selected[0])
    assert code == 0, said
