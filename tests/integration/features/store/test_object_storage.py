"""Object storage, against an S3 server on loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.ingestion.batches import ingest
from features.reading.files import ReadError
from features.reading.source import Batch
from features.sources import open_source
from features.store import versioning
from features.store.store import Store
from features.store.versioning import VersionError
from flows.settings import Settings
from models import policy
from models.ledger import reading
from models.ledger.book import SERVICE
from models.registry.registry import Registry
from models.signoff import champion, promotion
from tests.support import candidates, signoff_server
from tests.support.ingestion import LIMITS, tree
from tests.support.object_storage import ObjectStorage, object_storage, storage_server
from tests.unit.features.sources.test_kcs import COLUMNS, ROW

__all__ = ["object_storage", "storage_server"]
POLICY = policy.load().signoff


def clone(root: Path, url: str, endpoint: str) -> Path:
    """The data folder of a clone that keeps versions at `url`, set up as docs/operator.md says."""
    root.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    versioning.set_up(root)
    remote(root, "add", "--default", "office", url)
    remote(root, "modify", "office", "endpointurl", endpoint)
    return root / "data"


def remote(root: Path, command: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "remote", command, "--local", *arguments], cwd=root, check=True)


def fill(data: Path, text: str) -> None:
    for name in ("a", "b"):
        path = data / "kcs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {text}")


def test_another_clone_brings_a_version_back(tmp_path: Path, object_storage: ObjectStorage) -> None:
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, object_storage.endpoint)
    fill(here, "first")
    first, before = versioning.snapshot(here), tree(here)
    fill(here, "second")
    versioning.snapshot(here)
    there = clone(tmp_path / "there", url, object_storage.endpoint)
    assert versioning.checkout(there, first) is None
    assert tree(there) == before
    with pytest.raises(VersionError, match=f"version {'0' * 32}.dir is neither in the cache nor in the remote"):
        versioning.checkout(there, "0" * 32)


def test_what_an_unreachable_remote_missed_is_pushed_later(
    tmp_path: Path, object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, "http://127.0.0.1:9")
    fill(here, "first")
    before, name = tree(here), f"DVC's remote 'office' \\({url}\\) failed: "
    with pytest.raises(VersionError, match=f"{name}Could not connect to the endpoint URL"):
        versioning.snapshot(here)
    with pytest.raises(VersionError, match=f"{name}Could not connect to the endpoint URL"):
        versioning.checkout(here, "0" * 32)
    assert tree(here) == before
    missed = versioning.current(here)
    assert missed is not None
    remote(here.parent, "modify", "office", "endpointurl", object_storage.endpoint)
    assert versioning.snapshot(here) == missed
    there = clone(tmp_path / "there", url, object_storage.endpoint)
    versioning.checkout(there, missed)
    assert tree(there) == before


def test_wrong_credentials_are_an_error_that_says_so(
    tmp_path: Path, object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, object_storage.endpoint)
    fill(here, "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(VersionError, match=f"DVC's remote 'office' \\({url}\\) failed: Forbidden"):
        versioning.snapshot(here)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(VersionError, match=f"DVC's remote 'office' \\({url}\\) failed: .*credentials"):
        versioning.snapshot(here)


def test_objects_are_read_as_files_are_and_one_at_a_time(tmp_path: Path, object_storage: ObjectStorage) -> None:
    bucket, text = object_storage.make_bucket(), f"{COLUMNS}\n{ROW}\n"
    for key in ("2024/b.csv", "2024/a.csv", "2024/deep/c.csv", "2023/d.csv", "2024/e.txt"):
        object_storage.put(bucket, key, text)
    (tmp_path / "a.csv").write_text(text)
    (local,) = open_source("kcs", [str(tmp_path / "a.csv")]).batches()
    (tables,) = (chunk.tables for chunk in local.chunks())
    read: list[Batch] = []
    for batch in open_source("kcs", [f"s3://{bucket}/2024/*.csv"]).batches():
        assert not any(earlier.path.exists() for earlier in read)
        assert batch.sha256 == local.sha256
        (chunk,) = batch.chunks()
        assert all(chunk.tables[name].equals(frame) for name, frame in tables.items())
        read.append(batch)
    assert [batch.name for batch in read] == [f"s3://{bucket}/2024/{name}.csv" for name in "ab"]
    assert not read[-1].path.exists()


def test_a_file_and_an_object_of_the_same_bytes_are_ingested_once(
    tmp_path: Path, object_storage: ObjectStorage
) -> None:
    bucket, text = object_storage.make_bucket(), f"{COLUMNS}\n{ROW}\n"
    object_storage.put(bucket, "2020/january.csv", text)
    (tmp_path / "january.csv").write_text(text)
    addresses = f"s3://{bucket}/2020/*.csv", str(tmp_path / "january.csv")
    for first, second in (addresses, addresses[::-1]):
        store = Store(tmp_path / first.partition(":")[0].strip("/").replace("/", "-"))
        (stored,) = ingest(open_source("kcs", [first]), store, LIMITS).ingested
        assert (stored.rows_in, stored.stored, stored.quarantined) == (1, 1, 0)
        assert first.startswith("s3://") == stored.file.startswith(f"s3://{bucket}/2020/january.csv")
        before = store.manifest()
        assert ingest(open_source("kcs", [second]), store, LIMITS).ingested == ()
        assert store.manifest() == before


def test_a_mapping_names_objects(tmp_path: Path, object_storage: ObjectStorage) -> None:
    bucket = object_storage.make_bucket()
    object_storage.put(bucket, "results/a.csv", "id,day,found\nX,2024-01-01,1\n")
    (tmp_path / "mapping.toml").write_text(
        f"""
        [[files]]
        pattern = "s3://{bucket}/results/*.csv"
        [files.outcomes]
        declaration_id = "id"
        item_number = {{ constant = 1 }}
        accepted_at = "day"
        is_inspected = {{ constant = true }}
        is_illicit = "found"
        """
    )
    mapping = str(tmp_path / "mapping.toml")
    for inputs in ([mapping], [mapping, f"s3://{bucket}/results/a.csv"]):
        for batch in open_source("files", inputs).batches():
            assert batch.name == f"s3://{bucket}/results/a.csv"
            (chunk,) = batch.chunks()
            assert chunk.tables["outcomes"]["is_illicit"].to_list() == [True]


def test_errors_of_objects_name_their_address(object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = object_storage.make_bucket()
    address = f"s3://{bucket}/2024/a.csv"
    object_storage.put(bucket, "2024/a.csv", "Date,Office ID\n")
    batches = open_source("kcs", [address]).batches()
    batch = next(batches)  # its copy is there as long as `batches` is
    with pytest.raises(ReadError, match=f"{address} line 1: column .* missing; the file has Date, Office ID"):
        list(batch.chunks())
    found = open_source("kcs", [address])
    object_storage.put(bucket, "2024/a.csv", "Date\n")
    with pytest.raises(ReadError, match=f"{address}: the object changed meanwhile"):
        list(found.batches())
    with pytest.raises(ValueError, match=f"no object matches 's3://{bucket}/2025/"):
        open_source("kcs", [f"s3://{bucket}/2025/*.csv"])
    with pytest.raises(ValueError, match="is a folder; name its objects"):
        open_source("kcs", [f"s3://{bucket}/2024"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ReadError, match=f"{address}: the object storage cannot be read: Forbidden"):
        open_source("kcs", [address])


def test_evidence_in_a_bucket_is_verified(tmp_path: Path, object_storage: ObjectStorage) -> None:
    bucket = object_storage.make_bucket()
    settings = Settings(state_folder=tmp_path / "state", artifacts_uri=f"s3://{bucket}/mlflow")
    registry = Registry(settings.tracking_uri, settings.artifact_root)
    candidate = candidates.candidate(candidates.evidence_folder(tmp_path / "evidence"))
    registry.register(candidate)
    version = registry.challenger()
    assert version is not None
    assert registry.fetch_evidence(version, tmp_path / "fetched").digest == candidate.manifest.digest
    assert not (settings.state_folder / "artifacts").exists()
    (card,) = (key for key in object_storage.keys(bucket) if key.endswith("/artifacts/card.md"))
    object_storage.put(bucket, card, "Approved.")
    with pytest.raises(ValueError, match=r"is not as it was sealed: file card\.md"):
        registry.fetch_evidence(version, tmp_path / "altered")


def test_a_database_keeps_the_place_of_its_artifacts(tmp_path: Path) -> None:
    before = Settings(state_folder=tmp_path / "state")
    Registry(before.tracking_uri, before.artifact_root)
    after = Settings(state_folder=tmp_path / "state", artifacts_uri="s3://customs/mlflow")
    with pytest.raises(ValueError, match=r"not in s3://customs/mlflow/customs-risk: .* or artifacts_uri changed"):
        Registry(after.tracking_uri, after.artifact_root)


def test_a_model_in_a_bucket_is_signed_promoted_and_served(
    tmp_path: Path, object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = object_storage.make_bucket()
    place = f"s3://{bucket}/mlflow"
    signoff_server.register(tmp_path, artifact_root=place)
    with signoff_server.server(tmp_path, artifact_root=place) as server:
        signoff_server.add_people(server)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", SERVICE)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.keys.service_password)
        server.inspect()
        server.approve()
        with reading.connect(server.url) as client:
            memory = tmp_path / "promotion.json"
            promoter = promotion.promoter(server.url, server.keys, POLICY, client, memory_file=memory, tell=pytest.fail)
            assert promoter.run().promoted == (1,)
        for uri in (server.url, server.database_uri):
            served = champion.fetch(Registry(uri, place), server.keys, POLICY, tmp_path / "served" / uri[:6])
            assert served is not None
            assert served.version == "1"
        model = next(key for key in object_storage.keys(bucket) if key.endswith("model/illicit.txt"))
        object_storage.put(bucket, model, "another booster")
        with pytest.raises(ValueError, match=r"version 1 is not as it was sealed: .*illicit\.txt"):
            champion.fetch(Registry(server.url, place), server.keys, POLICY, tmp_path / "altered")
