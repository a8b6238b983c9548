"""A small client of the window for a declaration system, with its time-out and its retries; it needs httpx alone.

Asking again is safe: the same content under the same id gets the same answer. Until there is an answer, goods are not
released.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

TIMEOUT_S = 10.0  # of one request
LONGEST_WAIT_S = 60.0  # between two
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Unanswered(RuntimeError):
    """The window gave no answer for longer than the caller waits, or refuses to be asked. The message says which."""


@dataclass(frozen=True)
class Client:
    """Asks the window at `url` by a token; `patience_s` is how long it asks again."""

    url: str
    token: str
    patience_s: float = 300.0
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep

    def declare(self, *declarations: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the window says: `decisions`, and what it has `refused`; Unanswered if it says nothing."""
        deadline, wait = time.monotonic() + self.patience_s, 1.0
        headers = {"Authorization": f"Bearer {self.token}"} | _trace()
        with httpx.Client(transport=self.transport, timeout=TIMEOUT_S, trust_env=False, headers=headers) as client:
            while True:
                try:
                    answer = client.post(f"{self.url}/window/declarations", json=list(declarations))
                    if answer.status_code in (200, 422):
                        return answer.json()
                    told = f"the window answers {answer.status_code}: {answer.text[:200]}"
                    if answer.status_code not in _PASSING:
                        raise Unanswered(told)
                except httpx.TransportError as error:
                    told = f"the window does not answer: {error}"
                if time.monotonic() + wait > deadline:
                    raise Unanswered(told)
                self.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)


def _trace() -> dict[str, str]:
    """Return the header by which the window's spans become part of the caller's trace, if its program makes one."""
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers
