"""One server for all attacks: a file of attacks costs no start of its own."""

from collections.abc import Generator

import mlflow
import pytest

from models.registry import Registry
from models.signoff.book import SERVICE
from tests import candidates, signoff_server
from tests.attacks.scene import (
    ALTERED,
    APPROVED,
    EXCHANGED,
    OLD,
    OWN,
    REIGNING,
    REJECTED,
    RETOLD,
    VOID,
    WAITING,
    Scene,
    model_file,
)
from tests.signoff_server import password


@pytest.fixture(scope="package")
def scene(tmp_path_factory) -> Generator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    for number in (OLD, REIGNING, WAITING, REJECTED, VOID, APPROVED, EXCHANGED, ALTERED, RETOLD):
        signoff_server.register(folder, f"data-{number}")
    with signoff_server.server(folder) as server, pytest.MonkeyPatch.context() as patch:
        signoff_server.add_people(server)
        patch.setenv("MLFLOW_TRACKING_USERNAME", "max")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", password("max"))
        place = folder / "evidence" / "own"
        place.mkdir()
        registry = Registry(server.url)
        registry.register(candidates.candidate(candidates.evidence_folder(place), "own"))
        client = registry.client
        found = {each.version: each for each in client.search_model_versions("name = 'customs-risk'")}
        experiment = client.get_experiment_by_name("customs-risk").experiment_id
        loose_run = client.create_run(experiment).info.run_id
        scene = Scene(
            server,
            {number: each.run_id for number, each in found.items()},
            {number: each.source.removeprefix("models:/") for number, each in found.items()},
            loose_run,
            client.create_logged_model(experiment, "loose").model_id,
            experiment,
        )
        for number in (OLD, REIGNING):
            server.approve(number)
            server.set_alias(SERVICE, "champion", number).raise_for_status()
        server.set_alias(SERVICE, "previous", OLD).raise_for_status()
        for number in (APPROVED, ALTERED):
            server.approve(number)
        for number in (WAITING, EXCHANGED):
            server.sign("ana", "technical", "approved: sound", number).raise_for_status()
        server.sign("ana", "technical", "rejected: worse in the port", REJECTED).raise_for_status()
        for number in (VOID, RETOLD):
            server.inspect(number)
        model_file(scene, VOID).write_bytes(b"another model")
        assert scene.show(VOID) == "void"
        assert server.inspect(OWN)["state"] == "awaiting"
        yield scene
        for each in scene.clients.values():
            each.close()


@pytest.fixture(scope="package")
def registry(scene):
    before = mlflow.get_tracking_uri()
    yield candidates.open_registry(scene.server.folder)
    mlflow.set_tracking_uri(before)
