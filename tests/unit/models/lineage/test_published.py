"""Each ingested file and each published version is told once, with the figures of its validation."""

from datetime import UTC, datetime

import pytest

from models.lineage import Log, published
from tests.support.lineage import TABLES, batch, run, store, told

AT = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "lineage")


def tell(log, stores, version, by=None):
    log.tell_once(published.events(stores, version, by or run(), AT), AT)


def inputs(log):
    return [each["name"] for event in told(log, "data") for each in event["inputs"]]


def test_a_file_is_read_by_its_content_and_checked(log, tmp_path):
    by = run()
    tell(log, {"files": store(tmp_path / "files", batch("aa"), batch("bb", quarantined=3))}, None, by)
    start, _, _, second = told(log)
    assert start["inputs"] == []
    assert inputs(log) == ["files/files/sha256:aa", "files/files/sha256:bb"]
    facets = second["inputs"][0]["inputFacets"]
    assert facets["inputStatistics"]["rowCount"] == 10
    assert [
        (each["assertion"], each["success"], each["actual"]) for each in facets["dataQualityAssertions"]["assertions"]
    ] == [
        ("no line is quarantined", False, "3 lines"),
        ("net_mass_kg is below 0", False, "3 lines"),
    ]
    (stored,) = second["outputs"]
    assert stored["name"] == "data/files"
    assert stored["outputFacets"]["outputStatistics"]["rowCount"] == 7
    parent = second["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (by.id, "retrain")
    assert second["job"]["name"] == "ingest"


def test_a_version_is_written_from_every_source(log, tmp_path):
    stores = {name: store(tmp_path / name) for name in ("files", "simulator")}
    tell(log, stores, "13bd.dir")
    tell(log, stores, "13bd.dir")
    tell(log, stores, "77aa.dir")
    ends = [event for event in told(log) if event["eventType"] == "COMPLETE"]
    assert [event["outputs"][0]["facets"]["version"]["datasetVersion"] for event in ends] == ["13bd.dir", "77aa.dir"]
    assert [each["name"] for each in ends[0]["inputs"]] == ["data/files", "data/simulator"]
    tables = ends[0]["inputs"][0]["facets"]["schema"]["fields"]
    assert [table["name"] for table in tables] == TABLES
    assert ("hs_code", "String") in [(column["name"], column["type"]) for column in tables[0]["fields"]]


def test_what_another_run_has_told_is_not_told_again(log, tmp_path):
    folder = tmp_path / "files"
    tell(log, {"files": store(folder, batch("aa"))}, None)
    tell(log, {"files": store(folder, batch("aa"), batch("bb"))}, None)
    assert inputs(log) == ["files/files/sha256:aa", "files/files/sha256:bb"]


def test_a_file_that_is_put_back_as_it_was_is_ingested_twice(log, tmp_path):
    folder = tmp_path / "files"
    for batches in ([batch("aa"), batch("bb")], [batch("aa"), batch("bb"), batch("aa")], [batch("aa")]):
        tell(log, {"files": store(folder, *batches)}, None)
    assert inputs(log) == ["files/files/sha256:aa", "files/files/sha256:bb", "files/files/sha256:aa"]


def test_the_same_file_of_two_sources_is_two(log, tmp_path):
    tell(log, {name: store(tmp_path / name, batch("aa")) for name in ("files", "kcs")}, None)
    assert inputs(log) == ["files/files/sha256:aa", "files/kcs/sha256:aa"]
