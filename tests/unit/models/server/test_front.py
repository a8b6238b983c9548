"""MLflow's page, from the installed MLflow; tests/browser shows what a browser makes of it."""

import json
import re
from pathlib import Path

import mlflow.server
import pytest

from models.server.front import PREFERENCES, Front

BUILD = Path(mlflow.server.app.static_folder or "")


def page(is_registered=True, roles=("data-scientist",)):
    landings = {"officer": "/desk", "reviewer": "/signoff"}
    answer = Front.of(BUILD, lambda: is_registered, landings).page(roles)
    assert answer.headers["cache-control"] == "no-cache"
    return answer.body.decode()


def test_everything_of_mlflows_page_is_there():
    added = re.sub(r"<style>.*</style><script>.*?</script>(?=</head>)", "", page(), flags=re.DOTALL)
    assert added == (BUILD / "index.html").read_text()


def test_what_is_told_the_browser_comes_before_mlflows_own_script_runs():
    told = page()
    assert "defer" in re.findall(r"<script[^>]*src=[^>]*>", told)[0]
    assert told.index("localStorage") < told.index("</head>")


def test_it_opens_at_the_model_once_there_is_one():
    assert 'location.replace("#/models/customs-risk")' in page()
    assert "location.replace" not in page(is_registered=False)


def test_officers_and_reviewers_begin_at_pages_of_their_own():
    for roles, begun in ((("reviewer",), "/signoff"), (("auditor", "officer", "reviewer"), "/desk")):
        for is_registered in (True, False):
            assert f'if (!location.hash) location.replace("{begun}");' in page(is_registered, roles)


def test_mlflow_looks_for_every_preference_by_its_name():
    """Another version of MLflow may call them otherwise."""
    scripts = "".join(file.read_text() for file in (BUILD / "static" / "js").glob("*.js"))
    for name in PREFERENCES:
        assert f'"{name.removesuffix("_v1")}"' in scripts
        assert json.dumps(json.dumps(PREFERENCES[name])) in page()


def test_mlflow_marks_the_editor_of_a_tag_as_the_script_looks_for_it():
    scripts = "".join(file.read_text() for file in (BUILD / "static" / "js").glob("*.js"))
    looked_for = re.findall(r"data-testid='([\w-]+)'", page())
    assert looked_for == ["editable-table-edited-input", "editable-table-button-edit"]
    for name in (*looked_for, "data-row-key", "mlflow/model-versions/set-tag"):
        assert name in scripts


@pytest.mark.parametrize("index", ["<html></html>", "</head></head>"])
def test_a_page_of_another_kind_is_refused(tmp_path, index):
    (tmp_path / "index.html").write_text(index)
    with pytest.raises(ValueError, match=r"index\.html has not one </head>"):
        Front.of(tmp_path, lambda: True, {})
