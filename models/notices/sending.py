"""Sending a message to one address, by Apprise: mail, Slack, Teams, webhooks and whatever else it knows.

Apprise is imported when something is sent, and asks no other server than the one that the address names.
"""

import logging
import re
from typing import TYPE_CHECKING

from models.notices.event import plain

if TYPE_CHECKING:
    from apprise import NotifyBase

KEY_HEADER = "Idempotency-Key"


def why_not(url: str) -> str | None:
    """Return why an address cannot be used, without repeating it; None if it can."""
    from apprise.manager_plugins import NotificationManager

    scheme = url.partition("://")[0]
    if "://" not in url:
        return "is no address; allowed: an address of Apprise, such as mailtos://..., slack://..., json://..."
    if scheme.lower() not in NotificationManager().schemas():
        return (
            f"begins with {scheme[:20]!r}, which Apprise does not know; allowed: such as mailtos, slack, msteams, json"
        )
    if _plugin(url) is None:
        return f"is not whole: Apprise cannot read this address of {scheme}"
    return None


def send(url: str, title: str, body: str, key: str) -> str | None:
    """Send plain text; return why the receiver has not taken it, without parts of the address, or None if it has.

    Apprise escapes the text where the channel is HTML. Receivers that read headers get `key` in `Idempotency-Key`; it
    is the same when a message is sent again.
    """
    import apprise

    plugin = _plugin(url)
    if plugin is None:
        return "Apprise cannot read the address"
    if isinstance(headers := vars(plugin).get("headers"), dict):  # of webhooks and mail
        headers[KEY_HEADER] = key
    if plugin.overflow_mode == apprise.OverflowMode.UPSTREAM:  # what is too long would be refused again and again
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    sender = apprise.Apprise(asset=plugin.asset)
    sender.add(plugin)
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
        is_taken = sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        why = said.getvalue()
    return None if is_taken else plain(_masked(why, url)) or "the receiver did not take it"


def _masked(text: str, url: str) -> str:
    """Return a text without the parts of an address, some of which are secrets.

    >>> _masked("no route to mail.example as ann", "mailtos://ann:secret@mail.example")
    'no route to ... as ann'
    """
    for part in re.split(r"[:/@?&=+]+", url.partition("://")[2]):
        if len(part) > 3:
            text = text.replace(part, "...")
    return text


def _plugin(url: str) -> "NotifyBase | None":
    import apprise

    logging.getLogger("apprise").propagate = False  # it would log what it cannot read, with secrets in it
    asset = apprise.AppriseAsset(
        app_id="Tidewaiter",
        app_desc="Tidewaiter",
        app_url="",
        image_url_mask="",  # pictures that a message would have its reader load from elsewhere
        image_url_logo="",
        async_mode=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        secure_logging=True,
    )
    found = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return found if isinstance(found, apprise.NotifyBase) else None
