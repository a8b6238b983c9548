"""Bodies of requests: read with one meaning, and handed on as read."""

import json
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from models.signoff.call import Refused

_REPLACED = (b"content-length", b"transfer-encoding", b"content-type")
# By these headers Prefect's own automations say that a run is theirs: none comes in from outside.
_AUTOMATIONS = b"prefect-automation"


def parse(body: bytes, headers: Headers) -> Any:  # noqa: ANN401  any JSON
    """What a body says; Refused where two readers could understand it in two ways."""
    kinds = headers.getlist("content-type")
    if len(kinds) > 1 or (kinds and kinds[0].partition(";")[0].strip().lower() != "application/json"):
        raise Refused(f"Content-Type is {', '.join(kinds)}; allowed: application/json", 400)
    if headers.get("content-encoding"):
        raise Refused("the body is compressed; allowed: plain JSON", 400)
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON that has one meaning: {error}", 400) from None


def without_secrets(scope: Scope, dropped: tuple[bytes, ...] = ()) -> Scope:
    """The request without the password, and without what only Prefect itself may say."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if (key := name.lower()) not in (b"authorization", *dropped) and not key.startswith(_AUTOMATIONS)
    ]
    return {**scope, "headers": headers}


def handed_on(scope: Scope, body: bytes, receive: Receive) -> tuple[Scope, Receive]:
    """The request with this body as JSON."""
    plain = without_secrets(scope, _REPLACED)
    length = (b"content-length", str(len(body)).encode())
    plain["headers"] += [length, (b"content-type", b"application/json")]
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()  # tells when the peer has gone, which ends what streams to it
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return plain, replay


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
