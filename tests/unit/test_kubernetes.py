"""What deploy/kubernetes declares, and the job that the worker makes of its template, by Kubernetes' own schemas."""

import asyncio
import copy
import shutil
import subprocess
import uuid
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from flows import deploy, server
from flows.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
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
        assert each["securityContext"]["runAsUser"] == 10001
    assert {name: value for name, value in job["spec"]["template"]["metadata"]["labels"].items() if "job" in name} == {
        "tidewaiter/job": "true"
    }
    (allowed, _) = named("NetworkPolicy")["spec"]["ingress"]
    assert allowed["from"] == [{"podSelector": {"matchLabels": {"tidewaiter/job": "true"}}}]


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
    assert {pool["name"] for pool in here.values()} == {server.POOL}
    assert all(pool["job_variables"].keys() == {"command"} for pool in here.values())
    there = work_pools(Settings(job_image=IMAGE))
    heavy = {key for key, pool in there.items() if pool["name"] == server.JOBS}
    assert {entrypoint for entrypoint, _ in heavy} == {"flows/retrain.py:retrain", "flows/simulate.py:simulate"}
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
