"""What `make mutants` is given: modules and tests that exist, and reasons only for lines that still exist."""

import json
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TOLD = tomllib.loads((PROJECT / "benchmarks" / "mutants.toml").read_text())
FOUND = json.loads((PROJECT / "benchmarks" / "results" / "mutants.json").read_text())


@pytest.mark.parametrize("module", TOLD["modules"])
def test_modules_and_their_tests_are_there(module):
    assert (PROJECT / module).is_file()
    assert TOLD["modules"][module]
    assert [test for test in TOLD["modules"][module] if not (PROJECT / test).is_file()] == []


def test_a_reason_is_given_for_a_line_that_is_there_and_a_change_of_it():
    for each in TOLD["survivors"]:
        lines = [line.strip() for line in (PROJECT / each["module"]).read_text().splitlines()]
        assert each["was"] in lines, f"{each['module']} has no such line: {each['was']}"
        assert each["was"] not in each["becomes"]
        assert each["why"].endswith(".")


def test_the_share_that_survives_is_that_of_what_was_found():
    assert set(FOUND["modules"]) <= set(TOLD["modules"])
    for module, found in FOUND["modules"].items():
        assert found["killed"] + found["survived"] == found["mutants"], module
        assert len(found["survivors"]) == found["survived"], module
    mutants, survived = (sum(found[name] for found in FOUND["modules"].values()) for name in ("mutants", "survived"))
    assert (FOUND["mutants"], FOUND["survived"]) == (mutants, survived)
    assert FOUND["share"] == pytest.approx(survived / mutants, abs=1e-4)
