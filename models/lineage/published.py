"""The runs that happen once: a file that is ingested, and a version of the data that is published.

They are told from what is stored, and not while it is being stored. So a run that was killed between the two leaves
nothing untold: the next one tells it, and what was told before is known by the id of its run.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from openlineage.client.event_v2 import InputDataset, OutputDataset, RunState
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
)

from features.store import BatchRecord, Store
from models.lineage import datasets
from models.lineage.events import Run, named

INGEST, PUBLISH = "ingest", "publish"
_INGESTING, _VERSIONING = "features/ingestion/batches.py", "features/store/versioning.py"


def events(stores: Mapping[str, Store], version: str | None, told_by: Run, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield run and event of every file of the stores, and of the version of them all, if there is one.

    `told_by` is the run that ingested what is new. The k-th ingestion of one content is a run of its own: a file may be
    put back as it was before another one corrected it.
    """
    for source, store in stores.items():
        seen = Counter[str]()
        for batch in store.batches:
            seen[batch.sha256] += 1
            once = named(told_by.namespace, INGEST, source, batch.sha256, str(seen[batch.sha256]))
            run = replace(told_by, id=once, job=INGEST, file=_INGESTING, parent=told_by)
            yield once, run.event(RunState.START, at)
            yield once, run.event(RunState.COMPLETE, at, [_read(source, batch, run)], [_stored(source, batch, run)])
    if version:
        once = named(told_by.namespace, PUBLISH, version)
        run = replace(told_by, id=once, job=PUBLISH, file=_VERSIONING, parent=told_by)
        stored = [datasets.store(source, each.manifest().parts) for source, each in stores.items()]
        read = [each.read(run.namespace) for each in stored]
        yield once, run.event(RunState.START, at)
        yield once, run.event(RunState.COMPLETE, at, read, [datasets.data(version).written(run.namespace)])


def _read(source: str, batch: BatchRecord, run: Run) -> InputDataset:
    found = datasets.file(source, batch.sha256).read(run.namespace)
    refusals = [
        data_quality_assertions_dataset.Assertion(reason, success=False, actual=f"{lines} lines")
        for reason, lines in batch.quarantined_by_reason.items()
    ]
    every = data_quality_assertions_dataset.Assertion(
        "no line is quarantined", success=not batch.quarantined, actual=f"{batch.quarantined} lines"
    )
    found.inputFacets = {
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=batch.rows_in),
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet([every, *refusals]),
    }
    return found


def _stored(source: str, batch: BatchRecord, run: Run) -> OutputDataset:
    found = datasets.store(source).written(run.namespace)
    found.outputFacets = {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=batch.stored)
    }
    return found
