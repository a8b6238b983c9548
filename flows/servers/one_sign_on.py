"""One sign-on, as the settings have it: the client that this installation is at the house's identity provider."""

from flows.settings import Settings
from models import policy
from models.access import accounts
from models.single_sign_on import Client


def client(settings: Settings) -> Client:
    """Return the client; ValueError names the setting that is wrong and what it allows."""
    return Client.read(
        settings.sign_on_issuer or "",
        settings.sign_on_client_id or "",
        settings.sign_on_secret_file,
        settings.sign_on_scopes,
    )


def check(settings: Settings) -> None:
    """Raise ValueError where one sign-on is set up in a way that lets nobody in: at the start, and not in a log."""
    if not settings.is_one_sign_on:
        return
    client(settings)
    in_force = policy.load()
    accounts.of_groups(in_force, ())
    if not in_force.sign_on.groups:
        raise ValueError(
            "sign_on_issuer is set, and [sign_on.groups] of models/policy.toml gives no group a role; allowed: lines "
            'such as "customs-reviewers" = ["reviewer"]'
        )
