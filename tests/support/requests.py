"""Requests as our own pages get them, without a server."""

from urllib.parse import urlencode

from starlette.requests import Request


def get(path: str, headers: dict[str, str] | None = None, **query: str) -> Request:
    """Return a GET of a path."""
    return _request("GET", path, headers or {}, query)


def post(path: str, headers: dict[str, str] | None = None) -> Request:
    """Return a POST of a form to a path; its body goes beside it."""
    return _request("POST", path, {"content-type": "application/x-www-form-urlencoded", **(headers or {})}, {})


def _request(method: str, path: str, headers: dict[str, str], query: dict[str, str]) -> Request:
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": urlencode(query).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "server": ("server", 80),
        }
    )
