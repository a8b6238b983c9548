"""Deploys prefect.yaml to the server: every deployment, with the settings' nights and the project's absolute path."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from flows.servers import prefect_api
from flows.servers.prefect_api import JOBS, POOL, Deployment
from flows.settings import Settings

FILE = "prefect.yaml"
# The earlier name of a deployment, whose pause and schedule it keeps.
RENAMED = {"rehearse/rehearsal": "simulate/rehearsal"}
JOB_TEMPLATE = Path("deploy", "kubernetes", "job-template.yaml")


class ProjectError(ValueError):
    """prefect.yaml is missing or is not one that can be deployed."""


def render(project: Path, settings: Settings, existing: Sequence[Deployment]) -> str:
    """Return prefect.yaml as it is deployed from this folder; ProjectError if there is none.

    Prefect deploys a schedule as active whatever it was before, so what the server has paused (`existing`) is written
    into the file as paused.
    """
    path = project / FILE
    if not path.is_file():
        raise ProjectError(f"{path} does not exist: run `tidewaiter up` in the project's folder")
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    content["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": str(project.resolve())}}]
    crons = {
        "retrain": settings.retrain_cron,
        "select": settings.select_cron,
        "monitor": settings.monitor_cron,
        "network": settings.network_cron,
    }
    known = {deployment.name: deployment for deployment in existing}
    for deployment in content["deployments"]:
        flow = _flow_name(path, deployment)
        name = f"{flow}/{deployment['name']}"
        before = known.get(name) or known.get(RENAMED.get(name, name))
        deployment["paused"] = before.is_paused if before else False
        deployment["work_pool"] = _work_pool(deployment["work_pool"], settings)
        for schedule in deployment.get("schedules", []):
            schedule["cron"] = crons.get(flow) or schedule["cron"]
            schedule["timezone"] = settings.time_zone or schedule["timezone"]
            schedule["active"] = before.schedules[0].is_active if before and before.schedules else True
    return yaml.safe_dump(content, sort_keys=False)


def _work_pool(declared: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the pool in which a deployment's runs wait, and the variables with which they are started."""
    if declared["name"] == JOBS and settings.job_image:
        own = {"image": settings.job_image, "command": "python -m prefect.engine"}
        return {**declared, "job_variables": {**declared["job_variables"], **own}}
    # Without a command of its own, a run first starts another Python only to look for the project.
    command = shlex.join([sys.executable, "-m", "prefect.engine"])
    return {"name": POOL, "job_variables": {"command": command}}


def remove_renamed(client: httpx.Client, existing: Sequence[Deployment]) -> None:
    """Take away what is deployed under an earlier name; its runs stay."""
    for deployment in existing:
        if deployment.name in RENAMED.values():
            prefect_api.delete(client, deployment)


def job_template(project: Path) -> dict[str, Any]:
    """Return the base job template of Kubernetes jobs; ProjectError if there is none."""
    path = project / JOB_TEMPLATE
    if not path.is_file():
        raise ProjectError(f"{path} does not exist, and job_image is set: run `tidewaiter up` in the project's folder")
    return yaml.safe_load(path.read_text())


def names(project: Path) -> list[str]:
    """Return the deployments that prefect.yaml declares, as flow/deployment, sorted; empty if there is no file."""
    path = project / FILE
    if not path.is_file():
        return []
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return sorted(f"{_flow_name(path, each)}/{each['name']}" for each in content["deployments"])


def _flow_name(path: Path, deployment: dict[str, Any]) -> str:
    # Prefect names a flow after its function, with dashes; reading it from the entrypoint saves importing the flow.
    _, separator, function = deployment["entrypoint"].partition(":")
    if not separator:
        raise ProjectError(f"{path}: entrypoint {deployment['entrypoint']!r} is not of the form file.py:function")
    return function.replace("_", "-")
