"""Events of lineage held against the schemas that OpenLineage has published, and read back from a log."""

import json
from functools import cache
from pathlib import Path
from uuid import uuid4

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from features.store import parquet
from features.store.store import BatchRecord, Manifest, Store
from models.lineage import Log, Run

TABLES = sorted((*parquet.CURRENT, *parquet.SUPERSEDED))
PUBLISHED = Path(__file__).with_name("openlineage")


@cache
def _registry() -> Registry:
    schemas = [json.loads(file.read_text()) for file in PUBLISHED.glob("*.json")]
    return Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in schemas])


def check(event: dict) -> None:
    """Fail if an event, or any facet of it, is not what the schema that it names allows."""
    _check(event, event["schemaURL"])
    things = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for facets in (thing.get(name, {}) for thing in things for name in ("facets", "inputFacets", "outputFacets")):
        for facet in facets.values():
            _check(facet, facet["_schemaURL"])


def _check(value: dict, url: str) -> None:
    _validator(url).validate(value)


@cache
def _validator(url: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": url}, registry=_registry(), format_checker=FormatChecker())


def told(log: Log, kind: str = "") -> list[dict]:
    """Return the events of a log, each of them checked."""
    found = [event for file in log.files() if file.name.startswith(kind) for event in read(file)]
    for event in found:
        check(event)
    return found


def read(file: Path) -> list[dict]:
    whole, _, _ = file.read_text().rpartition("\n")  # a killed process leaves part of a line
    return [json.loads(line) for line in whole.splitlines()]


def told_once(log: Log) -> list[str]:
    """Return each file that was told as ingested, and each version that was told as published, as often as it was."""
    events = [event for event in told(log, "data") if event["eventType"] == "COMPLETE"]
    files = [each["name"] for event in events if event["job"]["name"] == "ingest" for each in event["inputs"]]
    written = [each for event in events if event["job"]["name"] == "publish" for each in event["outputs"]]
    return sorted(files) + sorted(each["facets"]["version"]["datasetVersion"] for each in written)


def unended(log: Log) -> list[str]:
    """Return the jobs of runs that have not begun once and ended once."""
    runs: dict[str, list[dict]] = {}
    for event in told(log):
        runs.setdefault(event["run"]["runId"], []).append(event)
    is_whole = {run: [each["eventType"] == "START" for each in events] == [True, False] for run, events in runs.items()}
    return [events[0]["job"]["name"] for run, events in runs.items() if not is_whole[run]]


def run(job: str = "retrain") -> Run:
    return Run(str(uuid4()), job, "tidewaiter", "0123abc", f"flows/{job}.py")


def batch(sha256: str, quarantined: int = 0) -> BatchRecord:
    reasons = {"net_mass_kg is below 0": quarantined} if quarantined else {}
    return BatchRecord(f"{sha256}.csv", sha256, 10, 10 - quarantined, quarantined, 0, 0, reasons)


def store(folder: Path, *batches: BatchRecord) -> Store:
    """Return a store whose manifest names these batches."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(Manifest({table: {} for table in TABLES}, batches).to_json())
    return Store(folder)
