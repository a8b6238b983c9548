"""One store holds one simulated world: another world is refused before any work, or at the latest by its files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.ingestion import worlds
from features.ingestion.batches import ingest
from features.simulator import Parameters, Preset
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from flows.parameters import RetrainParameters
from flows.run_requests import asked
from flows.settings import Settings
from tests.support.ingestion import LIMITS

SMALL = Parameters(rows=1000, months=1, seed=3)
BOTH_WAYS = r"TIDEWAITER_DATA_FOLDER.*or leave out rows, months, seed and preset to go on with the one that is there"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SimulatorSource:
    return SimulatorSource(SMALL, tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, source: SimulatorSource) -> Store:
    """The world in a data folder, with its record."""
    store = Store(tmp_path_factory.mktemp("data") / "simulator")
    ingest(source, store, LIMITS, world=source.parameters.model_dump(mode="json"))
    return store


@pytest.fixture
def unnamed(tmp_path: Path, stored: Store) -> Store:
    """The same as it was stored before worlds were recorded."""
    manifest = json.loads((stored.root / "manifest.json").read_text())
    del manifest["world"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return Store(tmp_path)


def test_the_first_batch_names_the_world_and_each_later_one_keeps_it(stored: Store) -> None:
    assert len(stored.batches) > 1
    assert stored.manifest().world == {"rows": 1000, "start": "2023-01-01", "months": 1, "seed": 3}


@pytest.mark.parametrize(
    "asked",
    [
        {"rows": 2000},
        {"months": 2},
        {"seed": 4},
        {"preset": Preset.UNKIND},
        {"rows": 1000, "months": 1, "seed": 4},
    ],
)
def test_another_world_is_refused_with_both_ways_out(stored: Store, asked: dict[str, int | Preset]) -> None:
    with pytest.raises(ValueError, match=rf"holds the simulated world of rows 1000, months 1, seed 3\. .*{BOTH_WAYS}"):
        worlds.choose(stored, asked)


def test_only_what_differs_is_named(stored: Store) -> None:
    with pytest.raises(ValueError, match=r"^seed 4: "):
        worlds.choose(stored, {"rows": 1000, "seed": 4})


@pytest.mark.parametrize("asked", [{}, {"seed": 3}, {"preset": Preset.PLAIN}, {"rows": 1000, "months": 1, "seed": 3}])
def test_the_world_that_is_there_goes_on(
    stored: Store, source: SimulatorSource, asked: dict[str, int | Preset]
) -> None:
    assert worlds.choose(stored, asked) == SMALL
    worlds.refuse_other(stored, source)


def test_the_preset_of_a_world_is_kept_with_it_and_named(tmp_path: Path) -> None:
    store, world = Store(tmp_path), SMALL.model_copy(update={"preset": Preset.UNKIND})
    ingest(SimulatorSource(world, tmp_path / "simulated"), store, LIMITS, world=world.model_dump(mode="json"))
    assert worlds.choose(store, {}) == world
    with pytest.raises(ValueError, match=r"^preset plain: .* months 1, seed 3, preset unkind\."):
        worlds.choose(store, {"preset": Preset.PLAIN})


def test_an_empty_store_takes_any_world(tmp_path: Path, source: SimulatorSource) -> None:
    assert worlds.choose(Store(tmp_path), {}) == Parameters()
    assert worlds.choose(Store(tmp_path), {"seed": 4}) == Parameters(seed=4)
    worlds.refuse_other(Store(tmp_path), source)


def test_a_store_that_names_no_world_is_known_by_its_files(unnamed: Store, source: SimulatorSource) -> None:
    assert worlds.choose(unnamed, {"rows": 1000, "months": 1, "seed": 3}) == SMALL
    worlds.refuse_other(unnamed, source)
    other = replace(source, parameters=SMALL.model_copy(update={"seed": 4}))
    with pytest.raises(ValueError, match=r"of a simulated world that it does not name.*rows 1000, months 1, seed 4"):
        worlds.refuse_other(unnamed, other)


def test_a_world_that_is_made_otherwise_today_is_another(
    tmp_path: Path, stored: Store, source: SimulatorSource
) -> None:
    manifest = json.loads((stored.root / "manifest.json").read_text())
    manifest["batches"][1]["sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    changed = manifest["batches"][1]["file"]
    with pytest.raises(ValueError, match=f"another simulator or other libraries made it: {changed} is not what"):
        worlds.refuse_other(Store(tmp_path), source)


def test_what_was_declared_since_is_no_other_world(tmp_path: Path, stored: Store, source: SimulatorSource) -> None:
    since = Parameters(rows=1000, months=1, seed=5)
    declared = SimulatorSource(since, tmp_path / "since")
    batches = list(declared.batches())
    manifest = json.loads((stored.root / "manifest.json").read_text())
    first = manifest["batches"][0]
    manifest["batches"] += [first | {"file": each.path.name, "sha256": each.sha256} for each in batches]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    worlds.refuse_other(Store(tmp_path), source, batches)
    with pytest.raises(ValueError, match=f"made it: {batches[-1].path.name} is not what is made today"):
        worlds.refuse_other(Store(tmp_path), source, batches[:-1])


def test_a_retraining_is_of_the_world_that_is_there(stored: Store) -> None:
    settings = Settings(data_folder=stored.root.parent)
    settled = asked.settle(RetrainParameters(), settings)
    assert (settled.rows, settled.months, settled.seed) == (1000, 1, 3)
    with pytest.raises(ValueError, match="rows 60000, months 12: "):
        asked.settle(RetrainParameters(rows=60_000, months=12), settings)


def test_a_retraining_without_anything_to_read_is_refused_at_once(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    with pytest.raises(ValueError, match=r"'files' needs mapping, .*files holds no declarations"):
        asked.settle(RetrainParameters(source="files"), settings)
    with pytest.raises(ValueError, match=r"'kcs' needs input: .*kcs holds no declarations"):
        asked.settle(RetrainParameters(source="kcs"), settings)


def test_a_retraining_whose_input_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    with pytest.raises(ValueError, match=r"no file matches '/nowhere/\*\.csv'"):
        asked.settle(RetrainParameters(source="kcs", input=("/nowhere/*.csv",)), settings)
    (tmp_path / "m.toml").write_text("[")
    with pytest.raises(ValueError, match=r"m\.toml"):
        asked.settle(RetrainParameters(source="files", mapping=tmp_path / "m.toml"), settings)


def test_files_that_are_stored_need_no_input(tmp_path: Path, stored: Store) -> None:
    (tmp_path / "kcs").symlink_to(stored.root)
    parameters = RetrainParameters(source="kcs")
    assert asked.settle(parameters, Settings(data_folder=tmp_path)) == parameters
