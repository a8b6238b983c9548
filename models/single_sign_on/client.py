"""What this installation is to the identity provider: its client, and the secret by which the provider knows it."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from models.access import LOOPBACK

SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True)
class Client:
    """A client of the provider at `issuer`; without a secret it is a public one, which PKCE protects alone."""

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = SCOPES

    @classmethod
    def read(cls, issuer: str, client_id: str, secret_file: Path | None, scopes: tuple[str, ...] = SCOPES) -> "Client":
        """Return the client by its settings; ValueError names the setting that is wrong and what it allows."""
        if not is_safe(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
            raise ValueError(
                f"sign_on_issuer is {issuer[:200]!r}; allowed: an https address without ? and #, such as "
                "https://login.customs.example/realms/staff, or http on loopback"
            )
        if not client_id:
            raise ValueError("sign_on_client_id is empty; allowed: the name of this client at the identity provider")
        if "openid" not in scopes:
            raise ValueError(f"sign_on_scopes are {', '.join(scopes) or 'none'}; allowed: openid and others")
        return cls(issuer, client_id, _read_secret(secret_file) if secret_file else None, scopes)


def is_safe(address: str) -> bool:
    """Whether what is sent to an address stays unread on its way: it is https, or on this machine.

    >>> [is_safe(each) for each in ("https://a.example/x", "http://127.0.0.1:8080", "http://a.example", "javascript:1")]
    [True, True, False, False]
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in {*LOOPBACK, "::1"}))


def _read_secret(file: Path) -> str:
    try:
        mode, secret = file.stat().st_mode & 0o777, file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"sign_on_secret_file {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise ValueError(f"sign_on_secret_file {file} is open to others (mode {mode:o}); allowed: 600")
    if not secret:
        raise ValueError(f"sign_on_secret_file {file} is empty; allowed: the client's secret")
    return secret
