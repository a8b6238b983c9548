"""What tokens of machines and of persons have in common: what they are called, how they are drawn, what is kept."""

import hashlib
import re
import secrets

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def draw(prefix: str) -> str:
    """Return a new token: the prefix by which whoever finds it in a file knows what it is, and 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is kept of a token; nobody guesses random bits, so it needs no slow hash as a password does."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
