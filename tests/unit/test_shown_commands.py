"""Every command that a page shows can be typed as it stands, and is run by a test or by the pictures' script."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer._click.exceptions import MissingParameter

from flows.parameters import RetrainParameters
from tests.support import shown
from tests.support.shown import PAGES, ROOT, Line

LINES = sorted(set(shown.lines()))
FILES = re.compile(r"^[\w/-]+\.(toml|csv|json)$")
# What runs commands: these tests, and the script of the pictures.
RUNNING = sorted([ROOT / "docs" / "screenshots.py", *(ROOT / "tests").rglob("*.py")])


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}: {' '.join(line.words)}"[:90])
def test_it_is_a_command_with_options_that_there_are(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in line.words:
        if FILES.match(word):
            (tmp_path / word).touch()  # of a file that must be there, only whether it is
    found = shown.find(line.words)
    if found is None:
        assert not line.is_whole
        assert line.words in {words[:1] for words in shown.commands()}  # a group, named in a sentence
        return
    name, command = found
    given = list(line.words[len(name) :])
    if "..." in given:
        given[given.index("...")] = "simulator"
    try:
        command.make_context(" ".join(name), given)
    except MissingParameter:
        assert not line.is_whole, "it lacks an argument"


def test_every_command_is_shown_and_run() -> None:
    told = {found[0] for line in LINES if (found := shown.find(line.words))}
    run = set().union(*(shown.given_in(file) for file in RUNNING))
    assert told == set(shown.commands())
    assert told - run == set()


def test_what_is_asked_of_prefect_is_a_form_that_it_takes() -> None:
    asked = [
        each
        for page in PAGES
        for each in re.findall(r"deployment run (\S+) --param parameters='(.+)'", page.read_text())
    ]
    assert asked
    for deployment, parameters in asked:
        assert deployment == "retrain/adhoc"
        form = RetrainParameters.model_validate(json.loads(parameters))
        assert (form.rows, form.months, form.seed) == (None, None, None)  # of the world that is there


def test_a_wrong_line_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, command = shown.find(("audit", "show", "--as-json", "1")) or (None, None)
    assert command
    with pytest.raises(typer.BadParameter.__base__, match="--as-json"):
        command.make_context(" ".join(name), ["--as-json", "1"])
    assert shown.find(("retrane",)) is None
