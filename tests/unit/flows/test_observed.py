"""Every flow that is deployed is told by the one hook, with what it read and wrote, however it ends."""

from contextlib import nullcontext
from contextvars import ContextVar
from importlib import import_module
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
import yaml

from flows import observed, progress
from flows.settings import PREFIX, Settings
from models.evidence.source_code import PROJECT
from models.lineage import Log, datasets
from tests.support.lineage import batch, store, told
from tests.support.traces import receiving

DEPLOYED = sorted(
    {each["entrypoint"] for each in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]}
)


class Stopped(Exception):
    pass


@pytest.fixture
def prefect(tmp_path, monkeypatch):
    """A run in Prefect, as the hook finds it."""
    monkeypatch.setenv(f"{PREFIX}STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.setenv(f"{PREFIX}DATA_FOLDER", str(tmp_path / "data"))
    run = SimpleNamespace(id=uuid4(), run_count=1, created_by=None, auto_scheduled=False, tags=[])
    context = SimpleNamespace(flow=SimpleNamespace(name="ours"), flow_run=run)
    monkeypatch.setattr(observed.FlowRunContext, "get", lambda: context)
    return context


def events():
    return told(Log(Settings().lineage_folder))


@pytest.mark.parametrize("entrypoint", DEPLOYED)
def test_each_deployed_flow_starts_and_ends(prefect, monkeypatch, entrypoint):
    file, name = entrypoint.split(":")
    module = import_module(file.removesuffix(".py").replace("/", "."))
    flow = getattr(module, name)
    prefect.flow = flow

    def stop():
        raise Stopped("the declaration 24-0001 of ann")

    monkeypatch.setattr(module, "Settings", stop)
    monkeypatch.setattr(module, "deployment", SimpleNamespace(name=None), raising=False)  # it would ask the server
    with pytest.raises(Stopped):
        flow.fn()
    start, end = events()
    assert [start["eventType"], end["eventType"]] == ["START", "FAIL"]
    assert start["job"]["name"] == end["job"]["name"] == name
    assert start["run"]["runId"] == end["run"]["runId"] == str(prefect.flow_run.id)
    assert start["job"]["facets"]["sourceCodeLocation"]["path"] == file
    assert end["run"]["facets"]["errorMessage"]["message"] == "Stopped; the log of the run says more."


def test_a_run_tells_what_it_read_and_wrote_each_once(prefect):
    @observed.observed
    def flow(version):
        observed.reads(datasets.data(version), datasets.data(version))
        observed.writes(datasets.model("3"))
        return version

    assert flow("13bd.dir") == "13bd.dir"
    end = events()[-1]
    assert end["eventType"] == "COMPLETE"
    assert [each["name"] for each in end["inputs"]] == ["data"]
    assert [each["name"] for each in end["outputs"]] == ["models/customs-risk"]
    observed.reads(datasets.data("77aa.dir"))  # after the run
    assert len(events()) == 2


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError, "FAIL"), (KeyboardInterrupt, "ABORT"), (SystemExit, "ABORT")]
)
def test_a_run_that_does_not_end_well_tells_what_it_read(prefect, error, state):
    @observed.observed
    def flow():
        observed.reads(datasets.data("13bd.dir"))
        raise error

    with pytest.raises(error):
        flow()
    end = events()[-1]
    assert (end["eventType"], len(end["inputs"])) == (state, 1)


def test_a_run_that_is_run_again_is_another_run_each_time(prefect):
    @observed.observed
    def flow():
        pass

    for prefect.flow_run.run_count in (1, 2, 3, 3):
        flow()
    ids = [event["run"]["runId"] for event in events()]
    assert ids[0] == str(prefect.flow_run.id)
    assert len({UUID(each) for each in ids}) == 3
    assert ids[4:6] == ids[6:8]


def test_files_and_versions_are_told_with_the_run_that_stored_them(prefect, tmp_path, monkeypatch):
    monkeypatch.setattr(observed.versioning, "taken", lambda data, state: "13bd.dir")
    store(tmp_path / "data" / "files", batch("aa"))
    (tmp_path / "data" / "selections").mkdir()

    @observed.observed
    def flow():
        observed.tell_published(Settings())

    flow()
    flow()
    once = told(Log(Settings().lineage_folder), "data")
    assert [(event["job"]["name"], event["eventType"]) for event in once] == [
        ("ingest", "START"),
        ("ingest", "COMPLETE"),
        ("publish", "START"),
        ("publish", "COMPLETE"),
    ]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in once} == {str(prefect.flow_run.id)}


def test_outside_of_prefect_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}STATE_FOLDER", str(tmp_path / "state"))

    @observed.observed
    def flow():
        observed.tell_published(Settings())
        return "done"

    assert flow() == "done"
    assert not (tmp_path / "state").exists()


def test_lineage_that_cannot_be_written_stops_no_run_and_is_said(prefect, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(observed, "get_run_logger", lambda: SimpleNamespace(warning=lambda *given: said.append(given)))
    (tmp_path / "state").write_text("no folder")

    @observed.observed
    def flow():
        return "done"

    assert flow() == "done"
    ((sentence, error),) = said
    assert sentence == "Lineage of this run is not written: %s"
    assert isinstance(error, OSError)


def test_a_run_has_a_span_with_its_stages_where_traces_are_made(prefect, monkeypatch):
    monkeypatch.setattr(progress, "_reporter", ContextVar("reporter", default=lambda name: nullcontext(print)))

    @observed.observed
    def flow():
        with progress.stage("Train"), progress.stage("Tune"):
            pass

    with receiving() as found:
        monkeypatch.setenv(f"{PREFIX}TRACES_URL", found.url)
        flow()
    run, stage = found.one("ours"), found.one("Train")
    assert found.within(run) == ["Train"]
    assert found.within(stage) == ["Tune"]
    assert found.services == {"tidewaiter-flows"}
