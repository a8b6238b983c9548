"""What deploy/kubernetes declares, and the job that the worker makes of its template, by Kubernetes' own schemas."""

import asyncio
import copy
import json
import os
import shutil
import stat
import subprocess
import uuid
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from prefect.client.schemas.objects import FlowRun

from flows.processes import run_as
from flows.servers import deploy, mlflow_server, prefect_api
from flows.settings import PREFIX, Settings
from models.access.entrance import Names

ROOT = Path(__file__).parents[4]
MANIFESTS = tuple(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "tidewaiter.yaml").read_text()))
IMAGE = "registry.customs.example/tidewaiter:1"


def check(manifest):
    """An error where Kubernetes would refuse a manifest, or drop a field that it does not know."""
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def named(kind, name="tidewaiter"):
    (found,) = (each for each in MANIFESTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod():
    return named("Deployment")["spec"]["template"]["spec"]


def work_pools(settings):
    content = yaml.safe_load(deploy.render(ROOT, settings, ()))
    return {(each["entrypoint"], each["name"]): each["work_pool"] for each in content["deployments"]}


@pytest.fixture(scope="module")
def job():
    """The Job of a nightly retraining, as the worker sends it to Kubernetes."""
    # Imported here, because every process of the tests would take a second for it.
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    pool = work_pools(Settings(job_image=IMAGE))["flows/retrain.py:retrain", "nightly"]
    # The client is for references to blocks, of which there are none.
    configuration = asyncio.run(
        KubernetesWorkerJobConfiguration.from_template_and_values(
            deploy.job_template(ROOT), pool["job_variables"], client=object()
        )
    )
    configuration.prepare_for_flow_run(FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="calm-tide"))
    return configuration.job_manifest


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_a_manifest_is_what_kubernetes_takes(manifest):
    check(manifest)


def test_the_job_of_a_run_is_what_kubernetes_takes(job):
    check(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["args"] == ["python", "-m", "prefect.engine"]
    assert container["resources"]["limits"] == {"memory": "24Gi"}
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["PREFECT__FLOW_RUN_ID"]
    assert environment["PREFECT_API_URL"] == "http://tidewaiter:4200/api"


def test_a_wrong_manifest_is_refused(job):
    misspelt = copy.deepcopy(job)
    misspelt["spec"]["template"]["spec"]["completions"] = 1  # where it does not belong
    replicas = copy.deepcopy(named("Deployment"))
    replicas["spec"]["replicas"] = "one"
    unnamed = {key: value for key, value in named("Service").items() if key != "apiVersion"}
    for wrong, told in ((misspelt, "completions"), (replicas, "one"), (unnamed, "apiVersion")):
        with pytest.raises((kubernetes_validate.ValidationError, ValueError, KeyError), match=told):
            check(wrong)


def test_job_and_pod_meet_at_the_same_places(job):
    service = named("Service")
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    environment = {each["name"]: each["value"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    host = service["metadata"]["name"]
    assert environment["PREFECT_API_URL"] == f"http://{host}:{ports['prefect']}/api"
    assert environment[f"{PREFIX}MLFLOW_TRACKING_URI"] == f"http://{host}:{ports['mlflow']}"
    spec = job["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == named("ServiceAccount", "tidewaiter-job")["metadata"]["name"]
    for each in (spec, pod()):
        (claim,) = (volume["persistentVolumeClaim"] for volume in each["volumes"] if "persistentVolumeClaim" in volume)
        assert claim["claimName"] == named("PersistentVolumeClaim")["metadata"]["name"]
        assert each["securityContext"]["runAsGroup"] == each["securityContext"]["fsGroup"] == 10001
    assert {name: value for name, value in job["spec"]["template"]["metadata"]["labels"].items() if "job" in name} == {
        "tidewaiter/job": "true"
    }
    (allowed, _) = named("NetworkPolicy")["spec"]["ingress"]
    assert allowed["from"] == [{"podSelector": {"matchLabels": {"tidewaiter/job": "true"}}}]


def test_a_job_is_another_user_and_sees_no_folder_in_which_it_could_exchange_what_the_pod_keeps(job):
    spec = job["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsUser"] != pod()["securityContext"]["runAsUser"]
    mounted = {each["mountPath"]: each.get("subPath") for each in spec["containers"][0]["volumeMounts"]}
    assert mounted == {"/srv/tidewaiter/state": "state", "/srv/tidewaiter/lake": "lake", "/tmp": None}
    assert spec["containers"][0]["command"] == ["sh", "-c", 'umask 007; exec "$@"', "sh"]
    text = (ROOT / "deploy" / "Containerfile").read_text()
    assert "TIDEWAITER_STATE_FOLDER=/srv/tidewaiter/state" in text
    assert "TIDEWAITER_DATA_FOLDER=/srv/tidewaiter/lake/data" in text  # .dvc is written beside it


def test_the_pod_opens_to_jobs_what_they_write_and_keeps_the_rest(tmp_path, monkeypatch):
    """Its first lines, run here; then what the start of the servers makes."""
    (script,) = pod()["containers"][0]["args"]
    script = (
        script.replace("/srv/tidewaiter", str(tmp_path))
        .replace("/opt/tidewaiter", "/")
        .replace("exec tidewaiter up", "umask")
    )
    state = tmp_path / "state"
    for _ in range(2):  # a second start changes nothing
        done = subprocess.run(
            ["sh", "-ec", script], env={"PATH": os.environ["PATH"], "TIDEWAITER_STATE_FOLDER": str(state)}, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout.strip().endswith("07")
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", str(state))
    before = os.umask(0o007)
    try:
        mlflow_server.prepare(Settings())
        run_as.prepare(Settings(), None)
    finally:
        os.umask(before)
    modes = {str(each.relative_to(state)): stat.S_IMODE(each.stat().st_mode) for each in state.rglob("*")}
    assert stat.S_IMODE(state.stat().st_mode) == 0o750
    shared = {str(each.relative_to(state)) for each in run_as.shared_folders(Settings())}
    assert {name for name, mode in modes.items() if mode & 0o020} == {*shared, "data.lock"}
    assert {name for name, mode in modes.items() if not mode & 0o040} == {
        "accounts.db",
        "accounts.ini",
        "window",
        "signoff/secret",
        *(f"signoff/secret/{name}" for name in ("ledger.key", "form.secret", "service.password")),
    }


def test_both_servers_know_the_names_they_are_called_by(job):
    (names,) = (each["value"] for each in pod()["containers"][0]["env"] if each["name"] == f"{PREFIX}PUBLIC_URLS")
    known = Names(Settings(public_urls=json.loads(names)).public_urls)
    for rule in named("Ingress")["spec"]["rules"]:
        assert known.is_own(f"https://{rule['host']}", rule["host"])
    for each in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        if each["name"].endswith(("_API_URL", "_TRACKING_URI")):
            assert known.is_host(each["value"].split("/")[2])
    assert not known.is_own("http://tidewaiter.customs.example", "tidewaiter.customs.example")


def test_containers_may_no_more_than_they_need(job):
    for container in (*pod()["containers"], *job["spec"]["template"]["spec"]["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert named("Deployment")["spec"]["replicas"] == 1
    assert named("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_only_with_an_image_do_runs_become_jobs():
    here = work_pools(Settings())
    assert {pool["name"] for pool in here.values()} == {prefect_api.POOL}
    assert all(pool["job_variables"].keys() == {"command"} for pool in here.values())
    there = work_pools(Settings(job_image=IMAGE))
    heavy = {key for key, pool in there.items() if pool["name"] == prefect_api.JOBS}
    assert {entrypoint for entrypoint, _ in heavy} == {"flows/retrain.py:retrain", "flows/rehearse.py:rehearse"}
    assert {key: there[key] for key in there.keys() - heavy} == {key: here[key] for key in here.keys() - heavy}


def test_every_setting_of_the_pod_is_one():
    names = [each["name"].removeprefix(PREFIX).lower() for each in pod()["containers"][0]["env"]]
    assert set(names) <= Settings.model_fields.keys()
    text = (ROOT / "deploy" / "Containerfile").read_text()
    declared = {word.partition("=")[0] for word in text.split() if word.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in declared} == {"state_folder", "data_folder"}


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not there: apt-get install nginx-light")
def test_the_proxy_reads_its_configuration(tmp_path):
    file = tmp_path / "nginx.conf"
    file.write_text(named("ConfigMap", "tidewaiter-proxy")["data"]["nginx.conf"])
    done = subprocess.run(["nginx", "-t", "-c", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
