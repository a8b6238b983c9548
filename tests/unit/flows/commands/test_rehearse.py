"""The command of a rehearsal, and its former name."""

from typer.core import TyperGroup
from typer.main import get_command

from flows.commands.cli import app
from tests.support import shown


def test_the_name_of_before_still_rehearses_and_is_not_shown():
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    now, before = root.commands["rehearse"], root.commands["simulate"]
    assert before.hidden
    assert not now.hidden
    assert [each.opts for each in before.params] == [each.opts for each in now.params]
    assert before.callback.__wrapped__ is now.callback.__wrapped__
    assert ("rehearse",) in shown.commands()
    assert ("simulate",) not in shown.commands()
