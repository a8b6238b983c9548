"""One sign-on: people come by the house's identity provider (OpenID Connect), and are here who they are there.

Both servers with pages ask one face, `SignOn`: it answers /sign-in and /sign-out, and tells whose session a request
belongs to. Nothing here is used unless an issuer is set.

Not here: what accounts and roles are (access), and what becomes of them when somebody arrives (server).
"""

from models.single_sign_on.client import Client
from models.single_sign_on.entering import entered, required_roles
from models.single_sign_on.provider import Away, Confirmed, Denied, Provider
from models.single_sign_on.sessions import Ends, Sessions
from models.single_sign_on.sign_on import COOKIE_OF_RUNS, Arrival, SignOn

__all__ = [
    "COOKIE_OF_RUNS",
    "Arrival",
    "Away",
    "Client",
    "Confirmed",
    "Denied",
    "Ends",
    "Provider",
    "Sessions",
    "SignOn",
    "entered",
    "required_roles",
]
