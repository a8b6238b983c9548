"""A file is taken in whole or not at all, and nobody writes while a version is registered."""

import anyio
import pytest
from starlette.datastructures import Headers

from models.access.call import Refused
from models.server import uploads
from models.server.uploads import EvidenceLock

CREATE, WRITE, SIGN = "mlflow/model-versions/create", "mlflow/runs/log-batch", "mlflow/model-versions/set-tag"


@pytest.fixture
def locks(tmp_path):
    """Two, as two servers have them."""
    return EvidenceLock(tmp_path), EvidenceLock(tmp_path)


def held_together(locks, first, second):
    """Whether the second can be had while the first is held; both by routes."""

    async def run():
        async with locks[0].around(first):
            try:
                async with locks[1].around(second):
                    return True
            except Refused as refusal:
                return refusal

    return anyio.run(run)


@pytest.mark.parametrize("other", ["mlflow/logged-models", "mlflow/experiments/delete", WRITE])
def test_who_writes_does_not_wait_for_who_writes(locks, other):
    assert held_together(locks, WRITE, other) is True


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (CREATE, WRITE, "a version is being registered, for more than"),
        (WRITE, CREATE, "files are being written, for more than"),
        (CREATE, CREATE, "files are being written, for more than"),
    ],
)
def test_a_registration_is_alone_and_nobody_waits_for_ever(locks, monkeypatch, first, second, sentence):
    monkeypatch.setattr(uploads, "_WAIT_S", 0.1)
    refusal = held_together(locks, first, second)
    assert refusal.status == 503
    assert str(refusal).startswith(sentence)


def test_a_signature_waits_for_neither(locks):
    assert held_together(locks, CREATE, SIGN) is True
    assert held_together(locks, WRITE, SIGN) is True


def test_what_waited_goes_on_when_the_other_has_ended(locks):
    order = []

    async def register():
        async with locks[1].around(CREATE):
            order.append("registered")

    async def run():
        async with anyio.create_task_group() as tasks, locks[0].writing():
            tasks.start_soon(register)
            await anyio.sleep(0.1)
            order.append("written")

    anyio.run(run)
    assert order == ["written", "registered"]


def taken(parts, **headers):
    """What comes out of what comes in; `parts` end with None where the peer breaks off."""
    waiting = list(parts)

    async def receive():
        part = waiting.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        if isinstance(part, float):
            await anyio.sleep(part)
            part = b""
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def run():
        async with uploads.taken_in(receive, Headers(headers)) as again:
            messages = [await again()]
            while messages[-1].get("more_body"):
                messages.append(await again())
            assert (await again())["type"] == "http.disconnect"
            return b"".join(message["body"] for message in messages)

    return anyio.run(run)


@pytest.mark.parametrize("size", [0, 1, uploads._CHUNK, uploads._CHUNK + 1, uploads._IN_MEMORY + 7])
def test_a_file_comes_out_as_it_came_in(size):
    content = bytes(index % 251 for index in range(size))
    assert taken([content[:3], content[3:]]) == content


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        ([b"12345", b"67890", b"1"], {}, 413),
        ([b"1"], {"content-length": "11"}, 413),
        ([b"1"], {"content-length": "-1"}, 413),
        ([b"1", None], {}, 400),
        ([b"1", 5.0, b"2"], {}, 408),
    ],
)
def test_what_is_too_large_or_too_slow_or_breaks_off_is_not_handed_on(monkeypatch, parts, headers, status):
    monkeypatch.setattr(uploads, "LARGEST_FILE", 10)
    monkeypatch.setattr(uploads, "FILE_S", 0.2)
    with pytest.raises(Refused) as refusal:
        taken(parts, **headers)
    assert refusal.value.status == status
