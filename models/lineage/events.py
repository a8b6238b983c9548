"""One event of OpenLineage, as the line of JSON that is kept and sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as installed
from uuid import UUID, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent, RunState, set_producer
from openlineage.client.event_v2 import Run as EventRun
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    error_message_run,
    job_type_job,
    parent_run,
    source_code_location_job,
)
from openlineage.client.serde import Serde

from models.evidence import source_code

set_producer(f"urn:tidewaiter:{installed('tidewaiter')}")  # of events and facets; the library would name itself
_OWN = UUID("6f0a1d0e-3c7b-5e55-9a64-0d1f6a1f2b90")  # of the ids that are made of names; it never changes


@dataclass(frozen=True)
class Run:
    """One run of a job. `commit` is that of the code, with '-dirty' where it was changed, and `file` has the job."""

    id: str
    job: str
    namespace: str
    commit: str
    file: str
    parent: "Run | None" = None

    def event(
        self,
        state: RunState,
        at: datetime,
        reads: Iterable[InputDataset] = (),
        writes: Iterable[OutputDataset] = (),
        why: str = "",
    ) -> str:
        """Return the event that the run came into `state` at an instant with its zone; `why` says why it failed."""
        facets: dict[str, RunFacet] = {}
        if self.parent:
            facets["parent"] = parent_run.ParentRunFacet(
                parent_run.Run(self.parent.id), parent_run.Job(self.parent.namespace, self.parent.job)
            )
        if why:
            facets["errorMessage"] = failure(why)
        event = RunEvent(
            eventTime=at.isoformat(),
            eventType=state,
            run=EventRun(self.id, facets),
            job=Job(self.namespace, self.job, self._job_facets()),
            inputs=list(reads),
            outputs=list(writes),
        )
        return Serde.to_json(event)

    def _job_facets(self) -> dict[str, JobFacet]:
        kind = "JOB" if self.parent else "FLOW"
        url = (source_code.PROJECT / self.file).as_uri()
        return {
            "jobType": job_type_job.JobTypeJobFacet("BATCH", "TIDEWAITER", kind),
            "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
                "git", url, path=self.file, version=self.commit
            ),
        }


def failure(why: str) -> error_message_run.ErrorMessageRunFacet:
    """Return what an event says of a run that failed."""
    return error_message_run.ErrorMessageRunFacet(why, "PYTHON")


def named(*parts: str) -> str:
    """Return the id of a run that happens once: whoever tells of it again gives it the same id.

    >>> named("tidewaiter", "publish", "13bd.dir") == named("tidewaiter", "publish", "13bd.dir")
    True
    """
    return str(uuid5(_OWN, "/".join(parts)))
