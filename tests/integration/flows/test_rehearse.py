"""The rehearsal flow from parameters to files."""

import json

import pytest
from pydantic import ValidationError

from flows.rehearse import RESULT, RehearseParameters, as_markdown, rehearse
from models.backtesting.rehearsal_plots import FOUND, NOVELTIES, PRECISION
from models.backtesting.result import Rehearsal
from tests.support.prefect_server import prefect_server

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory) -> tuple[Rehearsal, str]:
    """A small world: six weeks after ten months that stay as they were."""
    folder = tmp_path_factory.mktemp("rehearsal")
    parameters = RehearseParameters(
        rows=20_000,
        months=12,
        seed=1,
        warm_up_weeks=46,
        retrain_weeks=6,
        new_scheme="false_origin",
        new_from_week=1,
        out=folder / "out",
    )
    with pytest.MonkeyPatch.context() as patch, prefect_server():
        patch.chdir(folder)
        found = rehearse(parameters)
    return found, folder / "out"


def test_the_document_is_written_as_it_is_returned(rehearsed):
    found, folder = rehearsed
    assert Rehearsal.model_validate(json.loads((folder / RESULT).read_text())) == found
    assert [one.name for one in found.strategies] == ["random", "risk_profile", "bacuda", "product", "exploring"]
    assert len(found.strategies[0].weeks) == (365 - 46 * 7) // 7


def test_pictures_are_drawn(rehearsed):
    _, folder = rehearsed
    for name in (FOUND, PRECISION, NOVELTIES):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_everybody_meets_the_new_scheme_and_is_told_when(rehearsed):
    found, _ = rehearsed
    occurred = {
        (new.scheme, new.occurred) for one in found.strategies for new in one.novelties if new.scheme == "false_origin"
    }
    assert len(occurred) == 1
    assert occurred.pop()[1] > 0
    (new,) = (each for each in found.strategy("exploring").novelties if each.scheme == "false_origin")
    when = "never found" if new.weeks_until_first is None else f"first found in week {new.weeks_until_first}"
    assert f"exploring, seed 1: false_origin {when} ({new.occurred} declared)" in as_markdown(found)


def test_all_inspect_as_much(rehearsed):
    found, _ = rehearsed
    assert len({one.totals["inspected"].value for one in found.strategies}) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "files"}, "source 'files' tells nothing of what was not inspected"),
        ({"source": "kcs"}, "source 'kcs' needs input"),
        ({"source": "kcs", "answers": True}, "answers is for source 'simulator' only"),
        ({"source": "kcs", "preset": "unkind"}, "preset is for source 'simulator' only"),
        ({"input": ("a.csv",)}, "input is for source 'kcs' only"),
        ({"source": "kcs", "input": ("a.csv",), "new_scheme": "phoenix"}, "new_scheme is for source 'simulator' only"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        RehearseParameters(**given)
