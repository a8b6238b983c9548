"""The promotion flow: it carries out what people have signed. Its steps are in models/signoff/promotion.py."""

from collections.abc import Sequence

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from flows.observed import observed, writes
from flows.settings import Settings
from flows.watching import watch
from models.ledger import Keys, reading
from models.lineage import datasets
from models.policy import load as load_policy
from models.runs import RESOURCE
from models.signoff import promotion

MEMORY = "promotion.json"


@flow(name="promote")
@observed
def promote() -> State[promotion.Outcome]:
    """Compare MLflow with the ledger, promote what is approved, correct what differs, and report what nobody may do."""
    settings = Settings()
    keys = Keys(settings.signoff_folder)
    if not settings.tracking_uri.startswith(("http://", "https://")):
        raise ValueError(
            f"promotion goes through the MLflow server, and mlflow_tracking_uri is {settings.tracking_uri!r}; allowed: "
            f"the address of a server, such as {settings.mlflow_url}"
        )
    with reading.connect(settings.tracking_uri) as client:
        outcome = promotion.promoter(
            settings.tracking_uri,
            keys,
            load_policy().signoff,
            client,
            memory_file=settings.runs_folder / MEMORY,
            tell=tell,
        ).run()
    writes(*(datasets.model(str(number)) for number in outcome.promoted))
    return Completed(data=outcome, message=outcome.words)


def tell(alarms: Sequence[str]) -> None:
    """Publish an artifact of the run, and emit for each alarm an event from which a notification can be made."""
    listed = "\n".join(f"- {alarm}" for alarm in alarms)
    create_markdown_artifact(
        f"# Sign-off: not as the ledger says\n\n{listed}\n\nWhat can be put right is; see `tidewaiter audit verify`.\n",
        key="signoff-alarm",
        description="What was found elsewhere than the ledger says",
    )
    for alarm in alarms:
        emit_event(watch.ALARM, resource={"prefect.resource.id": RESOURCE}, payload={"alarm": alarm})
