"""One server for all attacks, so that a file of attacks does not need a start of its own."""

from collections.abc import Generator
from dataclasses import replace

import mlflow
import pytest

from models.ledger.book import SERVICE
from models.registry.registry import Registry
from tests.attacks.scene import (
    ALTERED,
    APPROVED,
    EXCHANGED,
    OLD,
    OWN,
    REIGNING,
    REJECTED,
    RETOLD,
    UNSIGNED,
    VOID,
    WAITING,
    Scene,
    model_file,
)
from tests.support import candidates, runs_server, signoff_server


@pytest.fixture(scope="package")
def scene(tmp_path_factory) -> Generator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    for number in (OLD, REIGNING, WAITING, REJECTED, VOID, APPROVED, EXCHANGED, ALTERED, RETOLD, UNSIGNED):
        signoff_server.register(folder, f"data-{number}")
    # Only versions that an earlier release opened can be signed beside each other, as the attacks want them.
    signoff_server.open_beside_others(folder, (WAITING, APPROVED, EXCHANGED, ALTERED, UNSIGNED))
    with signoff_server.server(folder) as server, pytest.MonkeyPatch.context() as patch:
        signoff_server.add_people(server)
        patch.setenv("MLFLOW_TRACKING_USERNAME", SERVICE)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", server.keys.service_password)
        registry = Registry(server.url)
        registry.register(replace(signoff_server.candidate(folder, "own"), author="max"))
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
        scene.close()


@pytest.fixture(scope="package")
def registry(scene):
    before = mlflow.get_tracking_uri()
    yield candidates.open_registry(scene.server.folder)
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="package")
def prefect(tmp_path_factory) -> Generator[runs_server.Runs]:
    """Run Prefect behind its guard, in a project with files that may be read and files that may not."""
    folder = tmp_path_factory.mktemp("project")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "secret.csv").write_text("secret")
    (folder / "files").mkdir()
    (folder / "files" / "2024.csv").write_text("a,b")
    (folder / "files" / "mapping.toml").write_text('[[files]]\npattern = "*.csv"\n')
    for name, pattern in {"out": "../../*", "shadow": "/etc/shadow", "hidden": "../.tidewaiter/*"}.items():
        (folder / "files" / f"{name}.toml").write_text(f'[[files]]\npattern = "{pattern}"\n')
    (folder / "files" / "link.csv").symlink_to(elsewhere / "secret.csv")
    (folder / "files" / "link").symlink_to(elsewhere)
    (folder / "files" / "link.toml").symlink_to(elsewhere / "secret.csv")
    with runs_server.running(folder, input_folders='["/srv/allowed", "s3://customs/in"]') as found:
        yield found
