"""`tidewaiter dossier` over an installation: it writes the paper, and says what is blank and where to fill it in."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.servers import embedded


@pytest.fixture
def tell(made, monkeypatch, tmp_path):
    """Run `tidewaiter dossier` there, and return its exit code and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", str(made.settings.state_folder))
    monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(made.settings.data_folder))
    monkeypatch.setattr(embedded, "use", lambda settings: settings)

    def run(*arguments):
        result = CliRunner().invoke(cli.app, ("dossier", *arguments), catch_exceptions=False)
        return result.exit_code, result.stdout + result.stderr

    return run


def test_it_writes_the_paper_and_lists_the_blanks_with_the_place_to_fill_them(made, tell):
    folder = made.settings.state_folder / "dossiers" / "1"
    code, said = tell("1", "--for", "annex-iv")
    assert code == 0, said
    lines = said.splitlines()
    assert lines[:3] == [str(folder / f"annex-iv.en.{ending}") for ending in ("html", "pdf", "sources")]
    assert all(Path(line).exists() for line in lines[:3])
    assert lines[3].startswith("21 of 26 points are told without a blank. 6 questions wait")
    assert "Which risks are registered" in said
    assert f"Answer them in {made.answers}" in said.replace("\n", "")


def test_answers_are_taken_and_the_folder_and_the_language_are_chosen(made, tell):
    made.answers.write_text('owner = "Douane de Ruritanie"\nteam = "Analyse"\ncontact = "ia@douane.example"\n')
    try:
        code, said = tell("1", "--for", "atrs", "--language", "fr", "--output", "papers")
    finally:
        made.answers.unlink()
    assert code == 0, said
    assert "Douane de Ruritanie" in Path("papers/atrs.fr.html").read_text(encoding="utf-8")
    assert not [line for line in said.splitlines() if line.startswith("│ owner")]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("7", "--for", "study"), 1, "Model Version (name=customs-risk, version=7) not found"),
        (("1", "--for", "gdpr"), 2, "'gdpr'"),
        (("1",), 2, "--for"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(tell, arguments, code, told):
    found, said = tell(*arguments)
    assert (found, told in said) == (code, True), said


def test_an_answer_to_no_question_is_refused_before_anything_is_written(made, tell):
    made.answers.write_text('ower = "x"\n')
    try:
        code, said = tell("1", "--for", "study", "--output", "papers")
    finally:
        made.answers.unlink()
    assert code == 1
    assert "ower is not a question; allowed: owner, team" in said
    assert not Path("papers").exists()
