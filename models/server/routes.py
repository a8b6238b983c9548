"""The requests that the product uses. Any other is refused, whatever a later MLflow may add.

A route is a method and a path without its prefix: /api/2.0/mlflow/runs/get and /ajax-api/2.0/mlflow/runs/get are one.
Requests that only read go to MLflow, which decides by its own accounts and roles; those that write meet rules.py first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from models.server.pages import Page

_API = re.compile(r"/(?:ajax-)?api/[23]\.0/(mlflow|mlflow-artifacts|tidewaiter)/(.+)")
_ARTIFACTS = re.compile(r"mlflow-artifacts/artifacts/(?P<path>.+)")

# For these nobody needs to sign in: whether the server lives, and the files that its pages are made of.
_OPEN = re.compile(r"/health|/favicon\.ico|/static-files/.+")
# MLflow serves these pages and files outside its API.
_PLAIN_READS = re.compile(r"/version|/get-artifact|/model-versions/get-artifact")
_READS = re.compile(
    r"mlflow/(?:experiments|runs|metrics|artifacts|logged-models|model-versions|registered-models|traces|datasets|"
    r"users|roles|workspaces|server-info|ui-telemetry|issues)(?:/.+)?"
    r"|mlflow/get-trace-artifact|mlflow-artifacts/(?:artifacts|presigned)(?:/.+)?|tidewaiter/ledger"
)
# These ask by POST, because the question is long.
_QUESTIONS = frozenset(
    f"mlflow/{name}"
    for name in (
        "experiments/search",
        "experiments/search-datasets",
        "runs/search",
        "logged-models/search",
        "registered-models/get-latest-versions",
        "datasets/search",
        "traces/search",
        "traces/batchGetInfos",
        "traces/metrics",
        "issues/search",
    )
)
_GUARDED = frozenset(
    (method, f"mlflow/{name}")
    for method, names in {
        "POST": [
            "model-versions/create",
            "model-versions/set-tag",
            "model-versions/transition-stage",
            "registered-models/create",
            "registered-models/rename",
            "registered-models/set-tag",
            "registered-models/alias",
            "experiments/create",
            "experiments/update",
            "experiments/delete",
            "experiments/restore",
            "experiments/set-experiment-tag",
            "experiments/delete-experiment-tag",
            "runs/create",
            "runs/update",
            "runs/delete",
            "runs/restore",
            "runs/set-tag",
            "runs/delete-tag",
            "runs/log-batch",
            "runs/log-metric",
            "runs/log-parameter",
            "runs/log-model",
            "runs/log-inputs",
            "runs/outputs",
            "logged-models",
            "users/create",
            "users/permissions/grant",
            "users/permissions/revoke",
            "roles/create",
            "roles/assign",
            "roles/permissions/add",
        ],
        "PATCH": [
            "model-versions/update",
            "registered-models/update",
            "users/update-password",
            "users/update-admin",
            "roles/update",
            "roles/permissions/update",
        ],
        "DELETE": [
            "model-versions/delete",
            "model-versions/delete-tag",
            "registered-models/delete",
            "registered-models/delete-tag",
            "registered-models/alias",
            "users/delete",
            "roles/delete",
            "roles/unassign",
            "roles/permissions/remove",
        ],
    }.items()
    for name in names
)
_LOGGED_MODEL = re.compile(r"mlflow/logged-models/[^/]+(?:/params|/tags(?:/[^/]+)?)?")
_NAMED = _QUESTIONS | {name for _, name in _GUARDED}
_OWN = frozenset({("POST", f"tidewaiter/{name}") for name in ("inspect", "rollback", "registering", "criteria")})


class Kind(Enum):
    """Tells what becomes of a request."""

    OPEN = auto()  # anybody
    PASS = auto()  # for accounts; MLflow decides
    GUARDED = auto()  # judged by the rules, by its JSON body
    ARTIFACT = auto()  # a write whose body is a file: judged by the rules, by its path
    OWN = auto()  # answered by the guard
    CLOSED = auto()
    PAGE = auto()  # answered by a page of ours
    FORM = auto()  # sent to a page of ours
    FRONT = auto()  # MLflow's page, as front.py changes it


@dataclass(frozen=True)
class Route:
    """A request's kind, its `name`, which is the path without its prefix, and the page of ours that answers it."""

    kind: Kind
    name: str
    page: Page | None = None

    @property
    def told(self) -> str:
        """Return what may be said of a request: a page or a call by its name, and of others the kind alone."""
        if self.page is not None:
            return self.page.prefix
        return self.name if self.name in _NAMED else self.kind.name.lower()

    @property
    def leaves_trace(self) -> bool:
        """Whether a request changes something, or is written down."""
        if self.kind is Kind.PAGE and self.page is not None:
            return self.page.is_noted and self.name != self.page.prefix
        return self.kind not in (Kind.OPEN, Kind.PASS, Kind.FRONT)


def find(method: str, path: str, pages: Sequence[Page] = ()) -> Route:
    """Return the route of a request; `path` is decoded, as MLflow sees it. `pages` are those of ours.

    >>> find("POST", "/ajax-api/2.0/mlflow/model-versions/set-tag")
    Route(kind=<Kind.GUARDED: 3>, name='mlflow/model-versions/set-tag', page=None)
    >>> find("GET", "/gateway/endpoints").kind, find("GET", "/api/2.0/mlflow/runs/../runs/get").kind
    (<Kind.CLOSED: 6>, <Kind.CLOSED: 6>)
    """
    if _is_odd(path):
        return Route(Kind.CLOSED, path)
    if path == "/graphql":  # MLflow's GraphQL only reads
        return Route(Kind.PASS if method in ("GET", "POST") else Kind.CLOSED, path)
    if method in ("GET", "HEAD") and _OPEN.fullmatch(path):
        return Route(Kind.OPEN, path)
    if method in ("GET", "HEAD") and path == "/":
        return Route(Kind.FRONT, path)
    if method in ("GET", "HEAD", "OPTIONS") and _PLAIN_READS.fullmatch(path):
        return Route(Kind.PASS, path)
    match = _API.fullmatch(path)
    name = f"{match[1]}/{match[2]}" if match else path[1:]
    if page := next((each for each in pages if each.has(name)), None):
        if method == "GET":
            return Route(Kind.PAGE, name, page)
        return Route(Kind.FORM, name, page) if method == "POST" and page.act else Route(Kind.CLOSED, path)
    return Route(_kind(method, name), name) if match else Route(Kind.CLOSED, path)


def artifact_path(name: str) -> str:
    """Return the path below the artifacts' root that a route of kind ARTIFACT writes to."""
    match = _ARTIFACTS.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} writes no artifact")
    return match["path"]


def _kind(method: str, name: str) -> Kind:
    if (method, name) in _OWN or (method == "GET" and name == "tidewaiter/ledger"):
        return Kind.OWN
    if method in ("GET", "HEAD", "OPTIONS"):
        return Kind.PASS if _READS.fullmatch(name) else Kind.CLOSED
    if method == "POST" and name in _QUESTIONS:
        return Kind.PASS
    if (method, name) in _GUARDED:
        return Kind.GUARDED
    if method in ("PATCH", "DELETE", "POST") and _LOGGED_MODEL.fullmatch(name):
        return Kind.GUARDED
    if method in ("PUT", "DELETE") and _ARTIFACTS.fullmatch(name):
        return Kind.ARTIFACT
    return Kind.CLOSED


def _is_odd(path: str) -> bool:
    """Whether a path could mean one thing here and another behind: it has dots, double slashes or double encoding."""
    parts = path.split("/")[1:]
    has_gaps = "" in parts[:-1] or (len(parts) > 1 and parts[-1] == "")
    return (
        has_gaps
        or any(part in (".", "..") for part in parts)
        or not path.isprintable()
        or bool(set(path) & set("\\%;"))
    )
