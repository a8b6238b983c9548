"""Evidence that cannot be read now does not count as altered: altered evidence makes a version void for good."""

import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, TEMPORARILY_UNAVAILABLE
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

from models.evidence import manifest
from models.server import local_files, stored
from models.server.admission import Unjudged

FOUND = SimpleNamespace(version="1", tags={"evidence_digest": "x"}, description="")


@pytest.fixture
def places(monkeypatch, tmp_path):
    """The folders of run and logged model, with all that evidence is made of, and a manifest that is none."""
    run, model = tmp_path / "artifacts" / "run", tmp_path / "artifacts" / "model"
    (model / "artifacts" / manifest.MODEL_FOLDER).mkdir(parents=True)
    (model / "artifacts" / manifest.MODEL_FOLDER / "booster.txt").write_text("tree")
    run.mkdir()
    for name in (*manifest.FILES, manifest.MANIFEST_FILE):
        (run / name).write_text("{}")
    monkeypatch.setattr(stored, "_run", lambda _: SimpleNamespace(info=SimpleNamespace(artifact_uri=run.as_uri())))
    monkeypatch.setattr(stored, "_logged_model", lambda _: SimpleNamespace(artifact_location=model.as_uri()))
    return run, model


@pytest.mark.parametrize("sealed", [None, "5" * 64], ids=["quick", "thorough"])
class TestArtifactsThatAreAway:
    @pytest.mark.parametrize("which", [0, 1])
    def test_a_folder_that_was_moved_has_altered_nothing(self, places, sealed, which):
        moved = places[which].rename(places[which].with_name("moved"))
        with pytest.raises(Unjudged, match=rf"version 1 cannot be read now: {places[which]} is not there; put the art"):
            stored.find_evidence(FOUND, sealed, is_thorough=True)
        moved.rename(places[which])
        assert stored.find_evidence(FOUND, sealed, is_thorough=True).differences  # read, and found to be no evidence

    @pytest.mark.parametrize("which", [0, 1])
    def test_an_empty_folder_says_that_the_files_are_lost_for_good(self, places, sealed, which):
        shutil.rmtree(places[which])
        places[which].mkdir()
        assert stored.find_evidence(FOUND, sealed, is_thorough=True).differences

    def test_a_file_that_is_missing_is_altered_evidence(self, places, sealed):
        (places[0] / manifest.MANIFEST_FILE).unlink()
        assert stored.find_evidence(FOUND, sealed, is_thorough=True).differences

    def test_a_folder_in_place_of_a_file_is_altered_evidence(self, places, sealed):
        (places[0] / manifest.MANIFEST_FILE).unlink()
        (places[0] / manifest.MANIFEST_FILE).mkdir()
        assert stored.find_evidence(FOUND, sealed, is_thorough=True).differences

    @pytest.mark.parametrize(
        "error",
        [
            *(OSError(code, os.strerror(code)) for code in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE)),
            shutil.Error([("a", "b", "No space left on device")]),
            PermissionError(errno.EACCES, "Permission denied"),
            MlflowException("database is locked", TEMPORARILY_UNAVAILABLE),
            MlflowException("connection dropped", INTERNAL_ERROR),
        ],
        ids=lambda error: str(error)[:20],
    )
    def test_what_the_machine_cannot_do_now_has_altered_nothing(self, places, monkeypatch, sealed, error):
        def fail(*_):
            raise error

        monkeypatch.setattr(stored, "_download", fail)
        with pytest.raises(Unjudged, match="the files of version 1 cannot be read now: "):
            stored.find_evidence(FOUND, sealed, is_thorough=True)


def test_artifacts_behind_a_link_are_not_read_and_nothing_is_altered(places, monkeypatch):
    monkeypatch.setattr(_artifact_repository_registry, "_registry", dict(_artifact_repository_registry._registry))
    local_files.refuse_links()
    moved = places[0].parent.rename(places[0].parent.with_name("elsewhere"))
    places[0].parent.symlink_to(moved)
    with pytest.raises(Unjudged, match="behind a link, and are not read"):
        stored.find_evidence(FOUND, None, is_thorough=True)


def test_a_candidate_whose_folder_is_away_is_judged_when_it_is_back(places, tmp_path):
    places[0].rename(tmp_path / "moved")
    with pytest.raises(Unjudged, match="cannot be read now"):
        stored.admit(FOUND, lambda _: (), tmp_path, tmp_path, "")
