"""The words of a message: a title, a sentence for each event, the page where something is done, and the key."""

from collections.abc import Mapping
from pathlib import Path

from models.notices.event import Pages
from models.notices.outbox import Batch
from models.site import Words

MOST = 20  # events that a digest tells one by one


def write(batch: Batch, language: str, pages: Pages) -> tuple[str, str]:
    """Return title and text of a message in a language, both plain."""
    words = Words.read(Path(__file__).parent / "words", language)
    count = len(batch.events)
    title = words(f"{batch.kind}.title")
    if count == 1:
        ((facts, link),) = batch.events
        lines = [_said(words, batch.kind, facts)]
    else:
        title = words("digest", title=title, count=words.number(count))
        lines = [f"- {_said(words, batch.kind, facts)}" for facts, _ in batch.events[:MOST]]
        links = {link for _, link in batch.events}
        link = links.pop() if len(links) == 1 else pages.of(batch.kind)
    if count > MOST:
        lines.append(words("more", count=words.number(count - MOST)))
    return f"Tidewaiter: {title}", "\n".join([*lines, "", link, "", words("key", name=batch.key)])


def trial(language: str) -> tuple[str, str]:
    """Return title and text of a message by which somebody tries out an address."""
    words = Words.read(Path(__file__).parent / "words", language)
    return f"Tidewaiter: {words('trial.title')}", words("trial.said")


def _said(words: Words, kind: str, facts: Mapping[str, str]) -> str:
    """Return the sentence of an event; a lane is called by its name in the language."""
    known = {**facts, "lane": words(f"lane.{facts['lane']}")} if "lane" in facts else facts
    return words(f"{kind}.said", **known)
