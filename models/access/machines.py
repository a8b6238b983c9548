"""A machine at the door of a server: it brings a token, and no browser's page asks in its place."""

from collections.abc import Collection

import anyio.to_thread
from starlette.requests import Request

from models.access.call import Refused
from models.access.entrance import Names
from models.access.tokens import Machine, Tokens


async def admitted(request: Request, tokens: Tokens, names: Names, roles: Collection[str]) -> Machine:
    """Return who asks, by its token; Refused if it is nobody's, or of a role that is not among `roles`."""
    refuse_page(request, names)
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    machine = await anyio.to_thread.run_sync(tokens.machine, token) if scheme.lower() == "bearer" else None
    if machine is None:
        raise Refused("Bring a token: Authorization: Bearer tw_...", 401)
    if machine.role not in roles:
        raise Refused(f"{machine.name} has the role {machine.role}; allowed here: {', '.join(sorted(roles))}")
    return machine


def refuse_page(request: Request, names: Names) -> None:
    """Raise Refused for another name than this server's, and for pages: only programs ask here."""
    host = request.headers.get("host", "")
    if not names.is_host(host):
        raise Refused(f"Host {host[:100]!r} is not a name of this server")
    if "origin" in request.headers or "sec-fetch-mode" in request.headers:
        raise Refused("no page asks here: this is for programs with a token")
