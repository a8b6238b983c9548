"""The exporter's process: `uvicorn --factory flows.exporter.app:create_app`, which `tidewaiter up` starts.

It tells nothing of a single declaration, and nobody without a token of the role `metrics-reader`.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import httpx
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from features.sources import names as sources
from features.store import Store
from flows.exporter import families
from flows.exporter.collecting import Figures, Read
from flows.host import look
from flows.processes import machine
from flows.servers import mlflow_server
from flows.settings import Settings
from flows.watching import unjudged
from models import policy
from models.access import Names, Refused, machines
from models.access.accounts import METRICS
from models.access.tokens import Tokens
from models.decisions import DecisionLog
from models.desk import exports, standing
from models.ledger import Keys, chain, reading
from models.names import MONITORING

_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_app() -> Starlette:
    """Return the application that uvicorn serves, for the installation of the working folder."""
    settings = Settings()
    return app(Figures(groups(settings, Path.cwd())), Tokens(settings.accounts_uri), Names(settings.public_urls))


def app(figures: Figures, tokens: Tokens, names: Names) -> Starlette:
    """Return an application that tells figures to machines whose token has the role for it."""
    registry = CollectorRegistry()
    registry.register(figures)

    async def metrics(request: Request) -> Response:
        await machines.admitted(request, tokens, names, (METRICS,))
        return Response(generate_latest(registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def health(request: Request) -> Response:
        machines.refuse_page(request, names)
        return JSONResponse({}, headers=_NO_STORE)

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, Refused) else 500
        challenge = {"WWW-Authenticate": 'Bearer realm="metrics"'} if status == httpx.codes.UNAUTHORIZED else {}
        return JSONResponse({"error": str(error)}, status, {**_NO_STORE, **challenge})

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncGenerator[None]:
        figures.start()
        yield
        figures.stop()

    routes = [Route("/metrics", metrics), Route("/metrics/health", health)]
    return Starlette(routes=routes, exception_handlers={Refused: refused}, lifespan=running)


def groups(settings: Settings, project: Path) -> dict[str, Read]:
    """Return how each group of an installation's figures is read; one is left out where its part is not there."""
    keys, log = Keys(settings.signoff_folder), DecisionLog(settings.decisions_uri)

    def ledger() -> Iterator[Metric]:
        head = chain.Head.model_validate_json(keys.head_file.read_bytes())  # before the rows, see reading.signed_book
        book = reading.book(settings.database_uri, keys.public_key, policy.load().signoff, head)
        return families.of_ledger(book, head.number, datetime.now(UTC))

    def stores() -> Iterator[Metric]:
        found = {name: Store(settings.places.store(name)) for name in sorted(sources())}
        return families.of_stores({name: store for name, store in found.items() if store.exists})

    read: dict[str, Read] = {
        "status": lambda: families.of_status(look(settings, project, datetime.now(UTC))),
        "monitoring": lambda: families.of_unjudged(unjudged.read(settings.runs_folder)),
        "drift": lambda: families.of_drift(_drift(settings)),
        "stores": stores,
        "ledger": ledger,
        "disk": lambda: families.of_disk(machine.folders(settings)),
    }
    if settings.window_source:
        desk = cache(partial(exports.opened, settings.decisions_uri))  # once it answers

        def cases() -> Iterator[Metric]:
            return families.of_cases(standing.standing(desk(), datetime.now(UTC)))

        spool = settings.window_folder / "spool.jsonl"
        read |= {"cases": cases, "decisions": lambda: families.of_decisions(log.head().number, spool)}
    return read


def _drift(settings: Settings) -> families.Drift | None:
    """Return what MLflow's server has of the last run of monitoring; None before the first one."""
    account = mlflow_server.account(settings)
    with httpx.Client(
        base_url=f"{settings.pages_url}/api/2.0/mlflow",
        auth=(account[mlflow_server.USERNAME], account[mlflow_server.PASSWORD]),
        timeout=10,
        trust_env=False,
    ) as client:
        experiment = client.get("/experiments/get-by-name", params={"experiment_name": MONITORING})
        if experiment.status_code == httpx.codes.NOT_FOUND:
            return None
        number = experiment.raise_for_status().json()["experiment"]["experiment_id"]
        asked = {"experiment_ids": [number], "max_results": 1, "order_by": ["attributes.start_time DESC"]}
        runs = client.post("/runs/search", json=asked).raise_for_status().json().get("runs", [])
    if not runs:
        return None
    (run,) = runs
    metrics = {each["key"]: float(each["value"]) for each in run["data"].get("metrics", [])}
    tags = {each["key"]: each["value"] for each in run["data"].get("tags", [])}
    return families.Drift(
        datetime.fromtimestamp(run["info"]["start_time"] / 1000, UTC),
        metrics["drifted_columns"],
        tags["is_breach"] == "true",
        tags["is_judged"] == "true",
    )
