"""One of our own pages on MLflow's server, rendered there: it runs no script but ours, and asks no other host.

Without scripts everything can be read and sent, by links and forms; htmx, where it runs, replaces parts of a page.
"""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models.access import Call, Refused
from models.site.language import COOKIE, LANGUAGES, Words, chosen

_HERE = Path(__file__).parent
_PAGES = ("signoff", "desk", "criteria", "network", "mlflow")
_YEAR_S = 365 * 24 * 3600
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Site:
    """A page and those below it, at /`prefix`; `folder` has its templates/, words/ and perhaps static/.

    Where `is_played`, by a played clock, each page says that nothing there is real.
    """

    def __init__(self, prefix: str, folder: Path, is_played: bool = False) -> None:
        self.prefix, self._folder, self._is_played = prefix, folder, is_played
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(each / "templates") for each in (folder, _HERE)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def words(self, request: Request) -> Words:
        """Return the page's words in the reader's language."""
        return Words.read(self._folder / "words", chosen(request))

    def render(
        self, name: str, call: Call | None, request: Request, values: Mapping[str, object], status: int = HTTPStatus.OK
    ) -> Response:
        """Return a template filled in with `values`, and with `say` for words and figures.

        `call` is None for what somebody sees who has not signed in.
        """
        say = self.words(request)
        text = self._environment.get_template(name).render(
            say=say,
            call=call,
            prefix=self.prefix,
            pages=_PAGES,
            path=request.url.path,
            languages=LANGUAGES,
            is_played=self._is_played,
            **values,
        )
        answer = HTMLResponse(text, status, HEADERS)
        if request.query_params.get("language") == say.language:
            answer.set_cookie(COOKIE, say.language, max_age=_YEAR_S, httponly=True, samesite="lax")
        return answer

    def back_to(self, path: str) -> Response:
        """Return an answer that leads to another address of this page, as after a form was taken."""
        return RedirectResponse(f"/{self.prefix}{path}", HTTPStatus.SEE_OTHER)

    def file(self, name: str) -> Response:
        """Return a file of the page or of all pages; Refused if there is none."""
        content = _files(self._folder).get(name)
        if content is None:
            raise Refused(f"the page has no file {name[:100]!r}", HTTPStatus.NOT_FOUND)
        return Response(
            content,
            media_type=guess_type(name)[0],
            headers=HEADERS | {"Cache-Control": "private, max-age=600"},
        )


@cache
def _files(folder: Path) -> dict[str, bytes]:
    """Return all files by their name: anything else that is asked for does not exist."""
    places = (_HERE / "static", folder / "static")
    return {path.name: path.read_bytes() for place in places for path in place.glob("*") if path.is_file()}
