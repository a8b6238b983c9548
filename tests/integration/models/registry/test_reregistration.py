"""The champion is made again: with unchanged data and code, nobody has to sign the same model twice."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion
from prefect.logging import disable_run_logger

from features.store.store import Store
from flows.retrain import register_model
from flows.settings import Settings
from models.evidence import manifest as evidence
from models.names import MODEL
from models.registry.registry import Candidate, Registration
from tests.support import candidates


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))


def held_against_another_champion(folder: Path) -> Candidate:
    made = candidates.candidate(folder)
    for name in ("evaluation.json", "drift.json", "card.md"):
        (folder / name).write_text(f"{name} against version 1\n")
    manifest = evidence.assemble(folder, made.manifest.data_version, made.manifest.window, candidates.CODE)
    manifest.write(folder)
    return dataclasses.replace(made, manifest=manifest)


def registered_anew(
    state: Path, candidate: Candidate, champion: evidence.Manifest
) -> tuple[Registration, list[ModelVersion]]:
    settings = Settings(state_folder=state)
    in_force: Any = SimpleNamespace(version="1", manifest=champion)
    with disable_run_logger():
        registration = register_model.fn(settings, Store(state / "data"), candidate, in_force)
    return registration, list(candidates.open_registry(state).client.search_model_versions(f"name = '{MODEL}'"))


@pytest.fixture
def first(tmp_path: Path, folder: Path) -> Registration:
    return candidates.open_registry(tmp_path).register(candidates.candidate(folder))


def test_the_champion_made_anew_stays_one_version(tmp_path: Path, folder: Path, first: Registration) -> None:
    champion = candidates.candidate(folder).manifest
    again = held_against_another_champion(folder)
    assert again.manifest.digest != champion.digest
    registration, versions = registered_anew(tmp_path, again, champion)
    assert registration == Registration(first.digest, first.run_id, "1", is_new=False)
    assert len(versions) == 1


def test_other_data_give_a_new_version_though_the_model_file_be_the_same(
    tmp_path: Path, folder: Path, first: Registration
) -> None:
    champion = candidates.candidate(folder).manifest
    registration, versions = registered_anew(tmp_path, candidates.candidate(folder, "def"), champion)
    assert (registration.version, registration.is_new, len(versions)) == ("2", True, 2)
