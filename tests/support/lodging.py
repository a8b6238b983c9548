"""Declarations that are lodged with a window over HTTP, as a trade system or customs' own system does."""

import time
from typing import Any

import httpx

_AT_ONCE = 200
_READY_S = 120


def lodge(window_url: str, token: str, declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lodge declarations, and return the decisions; a window that asks to come again later is asked again."""
    decisions: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=window_url, headers=headers, timeout=60, trust_env=False) as client:
        for begin in range(0, len(declared), _AT_ONCE):
            deadline = time.monotonic() + _READY_S
            while (
                answer := client.post("/window/declarations", json=declared[begin : begin + _AT_ONCE])
            ).status_code == 503:
                assert time.monotonic() < deadline, answer.text
                time.sleep(float(answer.headers["retry-after"]))
            decisions += answer.raise_for_status().json()["decisions"]
    return decisions
