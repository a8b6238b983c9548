"""Panels of a case's page: what is known besides the declaration. Each is a function from a case to a short table.

Whatever witness comes (the network, a sensor, an image) plugs in here with one function, and its words in words/.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from features.matrix import feature_of
from models.desk import Case
from models.names import NETWORK_PAGE
from models.reasons import read
from models.site import Words
from models.trace import Link, Traced

_DAYS = 365
# By the column of the contract: the features that tell what was inspected and found, and when last.
_PAST = {
    column: (
        feature_of((entity,), "inspection_rate", _DAYS).name,
        feature_of((entity,), "hit_rate", _DAYS).name,
        feature_of((entity,), "days_since_hit", _DAYS).name,
    )
    for column, entity in (("importer_id", "importer_id"), ("seller_id", "seller_id"), ("hs_code", "hs6"))
}


@dataclass(frozen=True)
class About:
    """A case, the items that were declared (rows of the contract), and what was known in the morning of each.

    `known` has the features of each item by name; it is empty where no decision of the window has them. `traced` is
    what answers for the decision; it is None for whom that is not for.
    """

    case: Case
    source: str
    declared: Sequence[Mapping[str, Any]]
    known: Sequence[Mapping[str, Any]]
    traced: Traced | None = None


@dataclass(frozen=True)
class Panel:
    """A table with a title; `links` lead to where more is told. `note` says what the figures are of."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    links: Sequence[tuple[str, str]] = ()
    note: str = ""


def companies(about: About, say: Words) -> Panel | None:
    """Return whom the declaration names, each importer with the way to its network."""
    parties = ("importer_id", "seller_id", "declarant_id", "courier_id")
    named = {(party, row[party]) for row in about.declared for party in parties if row.get(party)}
    if not named:
        return None
    rows = [
        (say(f"column.{party}"), identity) for party, identity in sorted(named, key=lambda one: parties.index(one[0]))
    ]
    importers = sorted({identity for party, identity in named if party == "importer_id"})
    links = [
        (
            f"/{NETWORK_PAGE}?{urlencode({'source': about.source, 'company': f'importer:{identity}'})}",
            say("companies.network", name=identity),
        )
        for identity in importers
    ]
    return Panel(say("companies"), (say("companies.as"), say("companies.who")), rows, links)


def past(about: About, say: Words) -> Panel | None:
    """Return what earlier inspections of importer, seller and goods came to, as known in the morning."""
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for declared, known in zip(about.declared, about.known, strict=True):
        for column, (inspected, hits, since) in _PAST.items():
            if known.get(hits) is not None:
                figures = (say.share(known[inspected]), say.share(known[hits]), say.number(known[since]))
                rows[column, declared[column]] = (say(f"column.{column}"), str(declared[column]), *figures)
    if not rows:
        return None
    head = (say("companies.as"), say("companies.who"), say("past.inspected"), say("past.hits"), say("past.since"))
    return Panel(say("past"), head, list(rows.values()), note=say("past.note", days=_DAYS))


def answerable(about: About, say: Words) -> Panel | None:
    """Return what answers for the decision: each item's chance, who signed the model, and whether each link holds."""
    found = about.traced
    if found is None:
        return None
    reasons = read(say.language).work_list.reasons
    rows = [
        (
            f"{say('item')} {item.item_number}",
            " · ".join([say(f"lane.{item.lane}"), *filter(None, [reasons.get(item.reason), item.criterion])]),
            say("trace.chance", share=say.share(item.probability, 2)),
        )
        for item in found.items
    ]
    if found.model:
        rows += [
            (say("trace.signed"), f"{each.user}, {each.step}: {each.reason}", say.moment(each.at))
            for each in found.model.signers
        ]
    rows += [(say(f"trace.link.{link.name.replace(' ', '_')}"), link.about, _state(link, say)) for link in found.links]
    head = (say("trace.what"), say("trace.about"), say("trace.state"))
    return Panel(say("trace"), head, rows, note=say("trace.note", declaration=found.declaration_id))


def _state(link: Link, say: Words) -> str:
    state = say(f"trace.{link.state.replace(' ', '_')}")
    return f"{state}: {link.why}" if link.why else state


PANELS: Sequence[Callable[[About, Words], Panel | None]] = (companies, past, answerable)
