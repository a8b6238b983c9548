from pathlib import Path

import pytest
from prefect.utilities.schema_tools import validate
from pydantic import ValidationError

from features.sources import names
from flows.parameters import (
    LARGEST_SEED,
    WORLD,
    MonitorParameters,
    RehearseParameters,
    RetrainParameters,
    SourceName,
)
from flows.run_requests.forms import FORMS, Forms
from flows.run_requests.places import Readable
from models.runs.form_schemas import refuse_costly
from tests.support.runs_server import form_schema

forms = Forms(Readable(Path("/srv"), Path("/srv/.tidewaiter")))


def test_the_default_is_a_simulation():
    assert RetrainParameters().source == "simulator"


def test_what_a_form_sends_back_unchanged_is_accepted():
    parameters = RetrainParameters(source="kcs", input=("a.csv",))
    assert RetrainParameters.model_validate_json(parameters.model_dump_json()) == parameters


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"source": "kcs", "input": ["a"], "mapping": Path("m.toml")}, "'kcs' takes no mapping"),
        ({"source": "files", "input": ["a"]}, "'files' needs mapping"),
        (
            {"source": "files", "input": ["a"], "mapping": Path("m.toml"), "seed": 1},
            "seed is for source 'simulator' only",
        ),
        ({"mapping": Path("m.toml")}, "mapping is not for source 'simulator'"),
        ({"source": "kcs", "preset": "unkind"}, "preset is for source 'simulator' only"),
        ({"preset": "kind"}, "Input should be 'plain' or 'unkind'"),
        ({"rows": 1}, "greater than or equal to 1000"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_does_not_go_together_is_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        RetrainParameters.model_validate(given)


def test_the_monitor_has_a_source():
    assert MonitorParameters().source == "simulator"


def test_every_source_can_be_chosen():
    assert sorted(source.value for source in SourceName) == sorted(names())


def test_of_the_world_a_form_tells_its_bounds_with_what_is_refused():
    told = RetrainParameters.model_json_schema()["properties"]
    for name in [each for each in WORLD if each != "preset"]:
        assert told[name]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
        with pytest.raises(ValidationError, match="greater than or equal to"):
            RetrainParameters.model_validate({name: -1})


@pytest.mark.parametrize("flow", FORMS)
def test_the_form_of_every_flow_is_one_that_the_guard_has_checked(flow):
    refuse_costly({"schema": form_schema(flow), "values": {}})


@pytest.mark.parametrize("flow", [flow for flow in FORMS if forms.is_authored(flow)])
def test_no_form_asks_who_is_the_author_and_prefect_takes_the_one_that_the_guard_sets(flow):
    schema = form_schema(flow)
    assert "requested_by" not in str(schema)
    filled = forms.fill(flow, {"parameters": {"requested_by": "bob"}}, "ann")
    assert filled["parameters"]["requested_by"] == "ann"
    validate(filled, schema, raise_on_error=True)
    with pytest.raises(ValidationError, match="Extra inputs"):
        forms.fill(flow, {"parameters": {"asked_by": "bob"}}, "ann")


def test_who_makes_something_has_an_author():
    assert {flow for flow in FORMS if forms.is_authored(flow)} == {"retrain", "monitor"}


def test_a_scheme_is_plain_text():
    with pytest.raises(ValidationError, match="new_scheme"):
        RehearseParameters(new_scheme="é")


@pytest.mark.parametrize("form", [each for each in FORMS.values() if each], ids=lambda form: form.__name__)
def test_every_number_of_a_form_has_an_end(form):
    """Prefect keeps any and cannot show a larger one again; a browser loses the last digits of one beyond 2**53."""
    for name, field in form.model_fields.items():
        if field.annotation in (int, int | None):
            assert any(getattr(each, "le", 2**64) <= LARGEST_SEED for each in field.metadata), name
