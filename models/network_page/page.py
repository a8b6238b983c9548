"""What the guard asks of the network: the page's files, answers in JSON, and the log of openings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.access import Call, Refused, accounts, row_number
from models.names import NETWORK_PAGE
from models.network_page.answers import Answers
from models.network_page.openings import Opening, Openings

API = "tidewaiter/network/"
OPENINGS_A_PAGE = 1_000

_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    # Cytoscape sets styles on what it makes, and draws PNG files as blobs.
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, max-age=600",  # so that the same is not fetched again and again in a day's work
}


@dataclass(frozen=True)
class NetworkPage:
    """The page's answers, for those who have signed in and have a role."""

    answers: Answers
    openings: Openings

    def answer(self, call: Call, request: Request) -> Response:
        """Return the answer to a GET of a route of this page; Refused if there is none."""
        if not call.name.startswith(API):
            return _file(call.name.removeprefix(NETWORK_PAGE).removeprefix("/") or "index.html")
        return JSONResponse(self._told(call, request.query_params), headers={"Cache-Control": "no-store"})

    def _told(self, call: Call, query: Mapping[str, str]) -> dict[str, object]:
        match call.name.removeprefix(API):
            case "sources":
                return self.answers.sources()
            case "search":
                return self.answers.search(query)
            case "company" | "path" as what:
                asked = self.answers.asked(query)
                self.openings.add(
                    Opening(
                        account=call.actor,
                        address=call.address,
                        asked=what,
                        source=asked.source,
                        kind=asked.kind,
                        identity=asked.identity,
                        until=asked.day,
                    )
                )
                return self.answers.company(asked) if what == "company" else self.answers.ways(asked)
            case "openings":
                return self._opened(call, query.get("after", "0"))
        raise Refused(f"GET {call.name!r} is not part of this product", HTTPStatus.NOT_FOUND)

    def _opened(self, call: Call, after: str) -> dict[str, object]:
        if not (call.is_administrator or call.is_service or accounts.AUDITOR in call.roles):
            raise Refused(f"who opened what is for the role {accounts.AUDITOR}, which {call.actor} has not")
        rows = self.openings.read(row_number(after), OPENINGS_A_PAGE)
        return {"openings": [each.model_dump() for each in rows]}


def address(source: str, importer: str | None = None) -> str:
    """Return where the page is on its server, with a source and perhaps an importer to begin with.

    >>> address("files", "I 1")
    '/network?source=files&company=importer%3AI+1'
    """
    company = {"company": f"importer:{importer}"} if importer else {}
    return f"/{NETWORK_PAGE}?{urlencode({'source': source, **company})}"


def _file(name: str) -> Response:
    content = _files().get(name)
    if content is None:
        raise Refused(f"the page has no file {name!r}", HTTPStatus.NOT_FOUND)
    return Response(content, media_type=guess_type(name)[0], headers=_HEADERS)


@cache
def _files() -> dict[str, bytes]:
    """Return all the page's files by their path: anything else that is asked for does not exist."""
    return {str(path.relative_to(_STATIC)): path.read_bytes() for path in _STATIC.rglob("*") if path.is_file()}
