"""What people find of a run: validation pages on disk and in MLflow, and artifacts in Prefect."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from features.disk import write_atomically
from features.ingestion import BatchReport, IngestRejected
from features.store import Store
from features.validation import page as validation_page
from flows.settings import Settings
from flows.steps.summary import Summary, Unchanged, as_markdown
from models.monitoring import DriftResult
from models.registry import tracking
from models.workspace import incumbents


def write_page(batch: BatchReport, folder: Path) -> None:
    """Write the page of a batch that this run has ingested; do nothing for others."""
    if batch.batch_verdict:
        page = validation_page.render(batch.record, batch.verdict, batch.batch_verdict)
        _write_page(page, validation_page.name_of(batch.record), folder)


def write_rejection(rejection: IngestRejected, folder: Path) -> Path:
    """Write a page that shows why a batch was refused; return its path."""
    page = validation_page.render(None, rejection.rejected, rejection.verdict)
    return _write_page(page, validation_page.name(rejection.verdict.file, "rejected"), folder)


def _write_page(page: str, name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    write_atomically(path, lambda draft: draft.write_text(page))
    return path


def validation(store: Store) -> Mapping[str, Any]:
    """Return how every batch in the store passed validation, in order of arrival: the same whenever it is asked."""
    return {"batches": [asdict(batch) for batch in store.batches]}


def gather_validation(settings: Settings, store: Store, folder: Path) -> None:
    """Write the index of all batches and copy their pages beside the other documents of a run."""
    (folder / "validation.html").write_text(validation_page.render_index(store.root.name, store.batches))
    pages = settings.places.validation_pages(store.root.name)
    if pages.is_dir():
        shutil.copytree(pages, folder / "validation", dirs_exist_ok=True)


def publish_rejection(rejection: IngestRejected, page: Path) -> None:
    """Publish why a file was refused as a Prefect artifact: such a run ends before MLflow has one to link to."""
    checks = [
        f"- {'met' if check.passed else '**not met**'}: {check.says} Observed {check.observed}; allowed {check.allowed}"
        for check in rejection.verdict.checks
    ]
    text = "\n".join([f"{rejection}", "", *checks, "", f"Every expectation, with examples: `{page}`"])
    create_markdown_artifact(text, key="validation", description=f"Why {rejection.verdict.file} was refused")


def publish_retraining(summary: Summary, card: str, run_url: str) -> None:
    """Publish summary and model card as Prefect artifacts, and a link to the run's reports in MLflow."""
    create_markdown_artifact(as_markdown(summary), key="retraining", description="What the retraining did")
    create_markdown_artifact(card, key="model-card", description="What a reviewer reads before signing")
    create_link_artifact(run_url, key="reports", link_text="Reports in MLflow", description="Validation, drift, plots")


def publish_unchanged(unchanged: Unchanged, run_url: str) -> None:
    """Publish why nothing was trained as a Prefect artifact, and a link to what was made before."""
    create_markdown_artifact(as_markdown(unchanged), key="retraining", description="What the retraining did")
    create_link_artifact(run_url, key="reports", link_text="Reports in MLflow", description="Of what was made before")


def run_url(settings: Settings, run_id: str) -> str:
    """Return the address of the page of a run's artifacts in MLflow."""
    run = incumbents.registry_of(settings.places).client.get_run(run_id)
    return f"{settings.pages_url}/{tracking.artifacts_page(run)}"


def publish_monitoring(drift: DriftResult, version: str, run_url: str) -> None:
    """Publish verdict and columns as Prefect artifacts, and a link to Evidently's report in MLflow."""
    rows = [
        {
            "column": column.column,
            "drifted": "yes" if column.is_drifted else "no",
            "distance": column.distance,
            "threshold": column.threshold,
            "method": column.method,
        }
        for column in drift.columns
    ]
    create_markdown_artifact(
        f"# Version {version}: {drift.state.lower()}\n\n{drift.verdict}\n",
        key="drift",
        description=f"Drift verdict: {drift.state.lower()}",
    )
    create_table_artifact(rows, key="drift-columns", description="Distance of each column from its training window")
    create_link_artifact(run_url, key="drift-report", link_text="Report in MLflow", description="Evidently's report")
