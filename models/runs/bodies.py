"""Requests as they are handed on to Prefect: without what is not its business, and with the body that was judged."""

from starlette.types import Message, Receive, Scope

_REPLACED = (b"content-length", b"transfer-encoding", b"content-type")
# By these headers Prefect's own automations claim a run: none may come in from outside.
_AUTOMATIONS = b"prefect-automation"


def without_secrets(scope: Scope, dropped: tuple[bytes, ...] = ()) -> Scope:
    """Return the request without password and session, and without what only Prefect itself may say."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if (key := name.lower()) not in (b"authorization", b"cookie", *dropped) and not key.startswith(_AUTOMATIONS)
    ]
    return {**scope, "headers": headers}


def handed_on(scope: Scope, body: bytes, receive: Receive) -> tuple[Scope, Receive]:
    """Return the request with this body as JSON."""
    plain = without_secrets(scope, _REPLACED)
    length = (b"content-length", str(len(body)).encode())
    plain["headers"] += [length, (b"content-type", b"application/json")]
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()  # this tells when the peer has gone, which ends what streams to it
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return plain, replay
