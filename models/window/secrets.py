"""The secrets of days: each is made in the morning, only the window can read it, and after its day it is published.

A folder has a file for each day, with the secret's 64 hexadecimal digits. The commitment to a secret is in the log of
decisions before the first of them is drawn by it.
"""

import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.disk import write_atomically
from models.decisions import DecisionLog
from models.live import chance


@dataclass(frozen=True)
class Secrets:
    """The secrets in a folder, which is made if it does not exist."""

    folder: Path

    def of(self, day: date, log: DecisionLog) -> bytes:
        """Return the secret of a day, which `log` is committed to; ValueError if the file is not one."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        file = self.folder / f"{day}.hex"
        if not file.exists():
            made = secrets.token_hex(chance.SECRET_BYTES)
            write_atomically(file, lambda draft: _write(draft, made))
        secret = bytes.fromhex(file.read_text())
        log.commit_to(day, chance.commitment(secret))
        return secret

    def read(self, day: date, log: DecisionLog) -> bytes:
        """Return a day's secret, from its file or as it was published; LookupError if this user can see neither."""
        try:
            return bytes.fromhex((self.folder / f"{day}.hex").read_text())
        except OSError:
            published = {known: secret for known, _, secret in log.days()}
            if secret := published.get(day):
                return bytes.fromhex(secret)
            raise LookupError(
                f"the secret of {day} is not published yet, and only the window's user can read it"
            ) from None

    def publish(self, before: date, log: DecisionLog) -> None:
        """Publish the secrets of all days before `before`, in the log; ValueError as `of`."""
        for day, _, published in log.days():
            if day < before and published is None:
                log.publish(day, self.of(day, log).hex())


def _write(draft: Path, secret: str) -> None:
    draft.touch(0o600)
    draft.write_text(secret)
