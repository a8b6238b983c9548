"""Bodies of requests: read with one meaning, and handed on as read."""

import json
import math
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from models.signoff.call import Refused

LARGEST_NUMBER = 2**63 - 1
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")  # which could be written, and not be read again
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
        said = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_number,
        )
        if _HALF_CHARACTER.search(body):
            json.dumps(said, ensure_ascii=False).encode("utf-8")
        return said
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


def _whole_number(text: str) -> int:
    """As Prefect can show it again: one run with a larger number, and no list that it is in is answered any more."""
    number = int(text)
    if not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
        raise ValueError(f"{text} is beyond {LARGEST_NUMBER}")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond what a number holds")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
