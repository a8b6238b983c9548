from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from flows.servers import deploy
from flows.servers.deploy import ProjectError
from flows.servers.prefect_api import Deployment, Schedule
from flows.settings import Settings
from models.runs.rules import CHANGED

ROOT = Path(__file__).parents[4]


def rendered(settings, existing=()):
    content = yaml.safe_load(deploy.render(ROOT, settings, existing))
    flows = {
        "flows/retrain.py:retrain": "retrain",
        "flows/monitor.py:monitor": "monitor",
        "flows/network.py:network": "network",
        "flows/promote.py:promote": "promote",
        "flows/quarter.py:quarter": "quarter",
        "flows/select.py:select": "select",
        "flows/rehearse.py:rehearse": "rehearse",
    }
    return content, {f"{flows[each['entrypoint']]}/{each['name']}": each for each in content["deployments"]}


def test_every_deployment_is_there_and_one_at_a_time():
    content, deployments = rendered(Settings())
    assert sorted(deployments) == [
        "monitor/nightly",
        "network/nightly",
        "promote/reconcile",
        "quarter/quarterly",
        "rehearse/rehearsal",
        "retrain/adhoc",
        "retrain/nightly",
        "retrain/on-drift",
        "select/nightly",
    ]
    assert deploy.names(ROOT) == sorted(deployments)
    for deployment in deployments.values():
        strategy = "ENQUEUE" if deployment["name"] == "reconcile" else "CANCEL_NEW"
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": strategy}
        assert "tidewaiter" in deployment["tags"]
        assert deployment["description"]
    assert deployments["promote/reconcile"]["triggers"][0]["expect"] == [CHANGED]
    assert deployments["retrain/on-drift"]["triggers"][0]["expect"] == ["tidewaiter.drift.breach"]
    (step,) = content["pull"]
    assert step["prefect.deployments.steps.set_working_directory"]["directory"] == str(ROOT)


def test_settings_move_the_nights():
    _, deployments = rendered(Settings(retrain_cron="5 3 * * 1-5", time_zone="Asia/Seoul"))
    (retrain,), (monitor,) = (deployments[f"{name}/nightly"]["schedules"] for name in ("retrain", "monitor"))
    assert (retrain["cron"], retrain["timezone"]) == ("5 3 * * 1-5", "Asia/Seoul")
    assert (monitor["cron"], monitor["timezone"]) == ("30 4 * * *", "Asia/Seoul")


def test_what_was_paused_stays_paused():
    created = datetime(2024, 1, 1, tzinfo=UTC)
    existing = [
        Deployment("1", "retrain/on-drift", created, True, (), frozenset()),
        Deployment("2", "retrain/nightly", created, False, (Schedule("30 1 * * *", "UTC", False),), frozenset()),
    ]
    _, deployments = rendered(Settings(), existing)
    assert deployments["retrain/on-drift"]["paused"]
    assert not deployments["retrain/adhoc"]["paused"]
    assert not deployments["retrain/nightly"]["schedules"][0]["active"]
    assert deployments["monitor/nightly"]["schedules"][0]["active"]


def test_what_was_paused_under_an_earlier_name_stays_paused():
    created = datetime(2024, 1, 1, tzinfo=UTC)
    before = Deployment("1", "simulate/rehearsal", created, True, (), frozenset())
    assert rendered(Settings(), [before])[1]["rehearse/rehearsal"]["paused"]
    again = Deployment("2", "rehearse/rehearsal", created, False, (), frozenset())
    assert not rendered(Settings(), [before, again])[1]["rehearse/rehearsal"]["paused"]


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(ProjectError, match=r"prefect.yaml does not exist: run `tidewaiter up` in the project"):
        deploy.render(tmp_path, Settings(), ())
    assert deploy.names(tmp_path) == []


def test_an_entrypoint_without_a_function_is_refused(tmp_path):
    (tmp_path / "prefect.yaml").write_text("deployments: [{name: a, entrypoint: flows/retrain.py}]")
    with pytest.raises(ProjectError, match=r"'flows/retrain\.py' is not of the form"):
        deploy.render(tmp_path, Settings(), ())
