import json

import httpx
import pytest

from flows.settings import Settings
from flows.watching import watch


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
    obsolete = {**first, "name": "tidewaiter: of an earlier release"}
    watch.apply(client, [first, obsolete])
    assert len(prefect.automations) == 2
    prefect.written.clear()
    watch.apply(client, [first, obsolete])
    assert prefect.written == []
    watch.apply(client, [changed])
    assert [each["trigger"]["within"] for each in prefect.automations.values()] == [120]


def test_the_block_of_an_earlier_release_is_taken_away_with_its_address():
    asked = []

    def blocks(request):
        asked.append(f"{request.method} {request.url.path}")
        is_there = not any(each.startswith("DELETE") for each in asked[:-1])
        return httpx.Response(200, json={"id": "b"}) if is_there else httpx.Response(404)

    with httpx.Client(transport=httpx.MockTransport(blocks), base_url="http://prefect/api") as client:
        watch.remove_block(client)
        watch.remove_block(client)
    block = "GET /api/block_types/slug/slack-webhook/block_documents/name/tidewaiter"
    assert asked == [block, "DELETE /api/block_documents/b", block]
