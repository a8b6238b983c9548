"""What `tidewaiter reproduce` says, and its exit codes; tests/integration/flows/test_retrain.py has a whole version."""

import pytest
from typer.testing import CliRunner

import models.reproduction
from flows.commands import cli
from flows.servers import embedded
from models.reproduction import NotTried, Purged, Stage

SAME, OTHER = Stage("code", "a" * 64, "a" * 64), Stage("trees", "b" * 64, "c" * 64)


@pytest.fixture
def tell(tmp_path, monkeypatch):
    """Run the command, with stages as they are given; an exception among them is raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedded, "use", lambda settings: settings)

    def told(*stages):
        def reproduce(registry, places, number, scratch):
            assert number == "3"
            (scratch.folder / "made").touch()
            for stage in stages:
                if not isinstance(stage, Stage):
                    raise stage
                yield stage

        monkeypatch.setattr(models.reproduction, "reproduce", reproduce)
        found = CliRunner().invoke(cli.app, ["reproduce", "3"], catch_exceptions=False)
        assert list((tmp_path / ".tidewaiter" / "reproduction").iterdir()) == []
        return found.exit_code, found.stdout, found.stderr

    return told


def test_each_stage_is_told_and_the_end_is_the_same_model_digest(tell):
    code, out, err = tell(SAME, Stage("model", "d" * 64, "d" * 64))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"same code         {'a' * 64}",
        f"same model        {'d' * 64}",
        "Version 3 was made again: same model digest.",
    ]


def test_the_first_stage_that_differs_is_named_with_both_digests(tell):
    code, out, err = tell(SAME, OTHER)
    assert (code, len(out.splitlines())) == (1, 1)
    said = f"Version 3 comes out otherwise, first at the stage trees: it has {'b' * 64}, and made again {'c' * 64}\n"
    assert err == said


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (NotTried("git knows no commit"), 5, "Version 3 could not be made again here: git knows no commit"),
        (Purged("its data were purged"), 6, "Version 3 cannot be made again: its data were purged"),
        (LookupError("there is no version 3"), 1, "there is no version 3"),
        (KeyboardInterrupt(), 130, "Stopped. Nothing was kept."),
    ],
)
def test_what_could_not_be_tried_has_an_exit_code_of_its_own(tell, raised, code, said):
    found, out, err = tell(SAME, raised)
    assert (found, err.strip()) == (code, said)
    assert "same model digest" not in out
