import json
from datetime import UTC, datetime

import httpx
import pytest

from flows.servers.prefect_api import Deployment, Schedule
from flows.settings import Settings
from flows.watching import watch

NOW = datetime(2024, 3, 5, tzinfo=UTC)
TAGS = frozenset({"nightly"})
NIGHTLY = Deployment("d1", "retrain/nightly", NOW, False, (Schedule("30 1 * * 1-5", "UTC", True),), TAGS)


class Server:
    """As much of Prefect's automations as is used here."""

    def __init__(self):
        self.automations, self.written = {}, []

    def __call__(self, request):
        path, body = request.url.path, json.loads(request.content or "null")
        if path.endswith("/filter"):
            return httpx.Response(200, json=list(self.automations.values()))
        self.written.append((request.method, body["name"] if body else path))
        if request.method == "DELETE":
            del self.automations[path.rsplit("/", 1)[-1]]
        else:
            key = path.rsplit("/", 1)[-1] if request.method == "PUT" else str(len(self.automations))
            self.automations[key] = {**body, "id": key}
        return httpx.Response(200, json={})


@pytest.fixture
def prefect():
    return Server()


@pytest.fixture
def client(prefect):
    with httpx.Client(transport=httpx.MockTransport(prefect), base_url="http://prefect/api") as made:
        yield made


def test_an_unchanged_automation_is_left_alone_a_changed_one_replaced_an_obsolete_one_removed(prefect, client):
    first, changed = (watch.crash_silent_runs(Settings(zombie_after_seconds=seconds)) for seconds in (90, 120))
    messages = watch.notifications("block", [NIGHTLY], NOW)
    watch.apply(client, [first, *messages])
    assert len(prefect.automations) == 1 + len(messages)
    prefect.written.clear()
    watch.apply(client, [first, *messages])
    assert prefect.written == []
    watch.apply(client, [changed])
    assert [each["trigger"]["within"] for each in prefect.automations.values()] == [120]


def test_a_night_never_started_is_told_after_the_longest_gap_between_nights():
    (message,) = [each for each in watch.notifications("b", [NIGHTLY], NOW) if "never started" in each["name"]]
    assert message["trigger"]["within"] == (3 * 24 + 2) * 3600  # Friday to Monday, and a margin
    assert message["trigger"]["match_related"] == {"prefect.resource.id": "prefect.deployment.d1"}


def test_a_paused_deployment_is_not_waited_for():
    paused = Deployment("d1", "retrain/nightly", NOW, True, NIGHTLY.schedules, TAGS)
    assert not any("never started" in each["name"] for each in watch.notifications("b", [paused], NOW))


class Blocks:
    """As much of Prefect's blocks as is used here."""

    def __init__(self):
        self.data, self.asked = None, []

    def __call__(self, request):
        path, method = request.url.path, request.method
        self.asked.append(f"{method} {path}")
        if path.endswith("/block_documents/name/tidewaiter"):
            return httpx.Response(404) if self.data is None else httpx.Response(200, json={"id": "b"})
        if method == "GET":
            return httpx.Response(200, json={"id": "k"})
        if path.endswith("/block_schemas/filter"):
            return httpx.Response(200, json=[{"id": "s"}])
        self.data = None if method == "DELETE" else json.loads(request.content)["data"]
        return httpx.Response(200, json={"id": "b"})


def test_the_address_is_kept_in_a_block_brought_up_to_date_and_taken_away():
    blocks = Blocks()
    with httpx.Client(transport=httpx.MockTransport(blocks), base_url="http://prefect/api") as client:
        assert watch.ensure_block(client, None) is None
        assert blocks.asked == ["GET /api/block_types/slug/slack-webhook/block_documents/name/tidewaiter"]
        assert watch.ensure_block(client, "mailto://a") == "b"
        assert blocks.data == {"url": "mailto://a"}
        assert watch.ensure_block(client, "mailto://b") == "b"
        assert blocks.data == {"url": "mailto://b"}
        assert watch.ensure_block(client, None) is None
    assert blocks.data is None


@pytest.fixture
def address(tmp_path):
    file = tmp_path / "address"
    file.touch(mode=0o600)
    file.write_text("mailto://user:secret@customs.example\n")
    return file


def test_the_address_is_read_from_a_file_of_its_owner(address):
    assert watch.read_address(Settings()) is None
    assert watch.read_address(Settings(notification_file=address)) == "mailto://user:secret@customs.example"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: file.chmod(0o640), r"is open to others \(mode 640\); allowed: mode 600"),
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda file: file.write_text("secret"), "does not hold one address"),
        (lambda file: file.write_text("mailto://secret\nmailto://other"), "does not hold one address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(address, spoil, told):
    spoil(address)
    with pytest.raises(ValueError, match=told) as refused:
        watch.read_address(Settings(notification_file=address))
    assert "secret" not in str(refused.value)


def test_an_alarm_of_sign_off_is_told():
    (message,) = [each for each in watch.notifications("b", [], NOW) if "circumvented" in each["name"]]
    assert message["trigger"]["expect"] == [watch.ALARM]
    assert "{{ event.payload.alarm }}" in message["actions"][0]["body"]
