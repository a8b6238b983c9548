"""Who stands behind whom: the importer, its seller and its declarant in the network of companies.

As of: the network is that of the Monday of the week of acceptance. A declaration or an outcome counts in it from the
first Monday on which customs knew it, for two years; a register's entry counts from the first Monday until it ends. So
a declaration is never part of the network by which it is judged. Features about other companies leave out the company's
own record.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.arrays import Flags, Floats, Ints
from features.families.feature import Feature, frame
from features.families.sentences import Sentences, Words
from features.history import PRIOR_WEIGHT, History
from features.network import DECLARED, FIRST, WINDOW_DAYS, Week, links, measures

NAME = "relations"
_AS_OF = "the network of companies as known on the Monday of the week of acceptance, two years of it"

YOUNG_DAYS = 180
_LOWEST_EXPOSURE = 0.01  # of the mean; walks from offenders hardly ever reach a node below it

_MEANINGS = {
    "importer_sellers": "sellers of the importer",
    "importer_declarants": "declarants of the importer",
    "importer_new_partners_share": "share of the importer's sellers, declarants and couriers first seen in 91 days",
    "importer_exposed_sellers_share": "share of the importer's sellers through whom another importer was caught",
    "importer_seller_neighbours_caught": "share of other importers of the importer's sellers that were caught",
    "importer_declarant_neighbours_caught": "share of other importers of the importer's declarants that were caught",
    "importer_exposure": "log10 of personalised PageRank from known offenders over the mean: the importer",
    "seller_exposure": "log10 of personalised PageRank from known offenders over the mean: the seller",
    "declarant_exposure": "log10 of personalised PageRank from known offenders over the mean: the declarant",
    "community_hit_rate": "hits over inspections of the others in the importer's community, smoothed",
    "seller_others_caught": "share of the seller's other importers that were caught",
    "declarant_others_caught": "share of the declarant's other importers that were caught",
    "importer_seller_days": "days since the importer was first declared with this seller",
    "importer_declarant_days": "days since the importer was first declared with this declarant",
    "tied_values": "addresses, people, owners, telephones and accounts that a register gives the importer",
    "tied_exposed_share": "share of these that it shares with a company that was caught",
    "tied_neighbours_caught": "share of other companies with these that were caught",
    "phoenix_score": "of a new importer: offenders fallen silent that it shares partners or register entries with",
}

_IMPORTER, _SELLER, _DECLARANT = ("importer_id",), ("seller_id",), ("declarant_id",)
_WITH_SELLER, _WITH_DECLARANT = ("importer_id", "seller_id"), ("importer_id", "declarant_id")
# For each feature: its group, what it measures and states, and of whom; a sentence names the last of these columns.
_TOLD: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "importer_sellers": ("partners", "partners", _WITH_SELLER),
    "importer_declarants": ("partners", "partners", _WITH_DECLARANT),
    "importer_new_partners_share": ("partners", "new_partners", _IMPORTER),
    "importer_exposed_sellers_share": ("neighbours", "exposed", _WITH_SELLER),
    "importer_seller_neighbours_caught": ("neighbours", "neighbours", _WITH_SELLER),
    "importer_declarant_neighbours_caught": ("neighbours", "neighbours", _WITH_DECLARANT),
    "importer_exposure": ("neighbours", "exposure", _IMPORTER),
    "seller_exposure": ("seller_neighbours", "exposure", _SELLER),
    "declarant_exposure": ("declarant_neighbours", "exposure", _DECLARANT),
    "community_hit_rate": ("neighbours", "community", _IMPORTER),
    "seller_others_caught": ("seller_neighbours", "others", _SELLER),
    "declarant_others_caught": ("declarant_neighbours", "others", _DECLARANT),
    "importer_seller_days": ("importer_x_seller", "since", _WITH_SELLER),
    "importer_declarant_days": ("importer_x_declarant", "since", _WITH_DECLARANT),
    "tied_values": ("company_register", "tied", _IMPORTER),
    "tied_exposed_share": ("company_register", "tied_exposed", _IMPORTER),
    "tied_neighbours_caught": ("company_register", "tied_neighbours", _IMPORTER),
    "phoenix_score": ("phoenix", "phoenix", _IMPORTER),
}
# What declarations and registers tell without any outcome.
_OF_DECLARATIONS = ("partners", "new_partners", "since", "tied")

_NOTHING = Words(
    en="The network of companies says nothing of this: {noun}.",
    fr="Le réseau des sociétés ne dit rien à ce sujet : {noun}.",
    zh="公司关系网络对此没有记载：{noun}。",
)
SENTENCES = {
    "partners": Sentences(
        Words(
            en="Number of the importer's partners in two years, by {noun}: {number}.",
            fr="Nombre de partenaires de l'importateur en deux ans, par {noun} : {number}.",
            zh="该进口商两年内按{noun}计的往来方数量：{number}。",
        ),
        none=_NOTHING,
    ),
    "new_partners": Sentences(
        Words(
            en="{share} of the importer's sellers, declarants and couriers are new in the past 91 days.",
            fr="{share} des vendeurs, déclarants et transporteurs express de "
            "l'importateur sont nouveaux depuis 91 jours.",
            zh="该进口商的卖方、申报人和快递方中，{share}是近91天新出现的。",
        ),
        none=_NOTHING,
    ),
    "exposed": Sentences(
        Words(
            en="In {share} of the importer's relations by {noun}, another importer with the same {noun} was caught.",
            fr="Dans {share} des relations de l'importateur, par {noun}, un "
            "autre importateur a été pris en infraction.",
            zh="该进口商按{noun}计的往来中，{share}涉及另有进口商被查获的{noun}。",
        ),
        none=_NOTHING,
    ),
    "neighbours": Sentences(
        Words(
            en="{share} of other importers with the importer's partners, by {noun}, were caught.",
            fr="{share} des autres importateurs ayant les mêmes partenaires, par {noun}, ont été pris en infraction.",
            zh="与该进口商有相同{noun}的其他进口商中，{share}曾被查获。",
        ),
        none=_NOTHING,
    ),
    "exposure": Sentences(
        Words(
            en="Relations lead from known offenders to the {noun} {log10_times} "
            "times as often as to others on average.",
            fr="Les relations mènent des contrevenants connus à cet élément ({noun}) "
            "{log10_times} fois aussi souvent qu'en moyenne.",
            zh="从已知违规者沿关系到达该{noun}的频率是平均水平的{log10_times}倍。",
        ),
        none=_NOTHING,
    ),
    "community": Sentences(
        Words(
            en="Other companies of the importer's community have an adjusted hit rate of {rate}.",
            fr="Les autres sociétés de la communauté de l'importateur ont un taux d'infraction ajusté de {rate}.",
            zh="该进口商所在群体的其他公司，调整后的查获率为{rate}。",
        ),
        none=_NOTHING,
    ),
    "others": Sentences(
        Words(
            en="{share} of other importers with this {noun} were caught.",
            fr="{share} des autres importateurs liés à cet élément ({noun}) ont été pris en infraction.",
            zh="使用该{noun}的其他进口商中，{share}曾被查获。",
        ),
        none=_NOTHING,
    ),
    "since": Sentences(
        Words(
            en="The importer was first declared with this {noun} {since} ago.",
            fr="L'importateur a été déclaré pour la première fois avec cet élément ({noun}) il y a {since}.",
            zh="该进口商首次与该{noun}一同申报是在{since}前。",
        ),
        none=_NOTHING,
    ),
    "tied": Sentences(
        Words(
            en="Addresses, people, owners, telephones and accounts that company registers give the importer: {number}.",
            fr="Adresses, personnes, propriétaires, téléphones et comptes que les "
            "registres donnent à l'importateur : {number}.",
            zh="企业登记中该进口商的地址、人员、股东、电话和账户数量：{number}。",
        ),
        none=_NOTHING,
    ),
    "tied_exposed": Sentences(
        Words(
            en="{share} of the importer's register entries are shared with a company that was caught.",
            fr="{share} des inscriptions de l'importateur au registre sont partagées "
            "avec une société prise en infraction.",
            zh="该进口商的登记信息中，{share}与被查获的公司相同。",
        ),
        none=_NOTHING,
    ),
    "tied_neighbours": Sentences(
        Words(
            en="{share} of other companies with the same register entries were caught.",
            fr="{share} des autres sociétés ayant les mêmes inscriptions au registre ont été prises en infraction.",
            zh="登记信息相同的其他公司中，{share}曾被查获。",
        ),
        none=_NOTHING,
    ),
    "phoenix": Sentences(
        Words(
            en="The importer is new, and shares partners or register entries with offenders that fell silent.",
            fr="L'importateur est nouveau et partage des partenaires ou des inscriptions "
            "avec des contrevenants devenus silencieux.",
            zh="该进口商是新的，且与已停止活动的违规者有相同的往来方或登记信息。",
        ),
        zero=Words(
            en="The importer is not new, or shares nothing with offenders that fell silent.",
            fr="L'importateur n'est pas nouveau, ou ne partage rien avec des contrevenants devenus silencieux.",
            zh="该进口商不是新的，或与已停止活动的违规者没有共同之处。",
        ),
        none=_NOTHING,
    ),
}


def _describe(name: str, meaning: str) -> Feature:
    group, measure, entity = _TOLD[name]
    return Feature(
        f"network_{name}",
        NAME,
        "numeric",
        meaning,
        _AS_OF,
        entity=entity,
        measure=measure,
        group=group,
        sentences=SENTENCES[measure],
        window_days=WINDOW_DAYS,
        rests_on_outcomes=measure not in _OF_DECLARATIONS,
    )


FEATURES = tuple(_describe(name, meaning) for name, meaning in _MEANINGS.items())

TABLES = ()


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query; null where the network knows nothing of it."""
    columns = np.full((len(FEATURES), history.rows.height), np.nan, np.float32)
    monday = links.last_monday(history.day.of)
    asked = _Asked(history)
    for each in np.unique(monday):
        rows = np.flatnonzero(monday == each)
        companies = history.in_week(int(each), _companies)
        if companies is None:
            continue
        values = _features(companies, asked, rows, history.day.of[rows])
        for column, name in zip(columns, _MEANINGS, strict=True):
            column[rows] = values[name]
    return frame(FEATURES, [columns])


class _Asked:
    """The nodes and pairs that the rows name, by role; -1 for those that are nowhere in the network."""

    def __init__(self, history: History) -> None:
        network = history.network
        (identity, _), *others = history.known.hashed("rows", [f"{role}_id" for role in ("importer", *links.TRADERS)])
        importer = links.hashed_node("importer", identity)
        self.importer = network.nodes.codes(importer, np.ones(len(importer), np.bool_))
        self.partner: dict[str, Ints] = {}
        self.pair: dict[str, Ints] = {}
        for role, (identity, named) in zip(links.TRADERS, others, strict=True):
            partner = links.hashed_node(role, identity)
            self.partner[role] = network.nodes.codes(partner, named)
            self.pair[role] = network.pair_places(importer, partner, named)


@dataclass(frozen=True)
class _Companies:
    """Holds what a week's network says of each of its nodes: `of_importer` are features, `exposure` is a logarithm."""

    week: Week
    of_importer: Mapping[str, Floats | Ints]
    exposure: Floats
    tied_ghosts: Floats


def _companies(week: Week) -> _Companies | None:
    """Return what the network of a week says of its nodes, or None where nobody is in it."""
    if len(week.edges.a) == 0:
        return None
    found = week.totals
    partners = found.partners.sum(axis=1)
    exposed_sellers, by_sellers, _ = week.across(measures.SELLER)
    _, by_declarants, _ = week.across(measures.DECLARANT)
    tied_exposed, by_ties, tied_ghosts = week.across(measures.TIE)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_importer = {
            "importer_sellers": found.partners[:, measures.SELLER],
            "importer_declarants": found.partners[:, measures.DECLARANT],
            "importer_new_partners_share": found.new_partners / partners,
            "importer_exposed_sellers_share": exposed_sellers,
            "importer_seller_neighbours_caught": by_sellers,
            "importer_declarant_neighbours_caught": by_declarants,
            "community_hit_rate": week.community_hit_rate(PRIOR_WEIGHT),
            "tied_values": found.degree - partners,
            "tied_exposed_share": tied_exposed,
            "tied_neighbours_caught": by_ties,
        }
    return _Companies(week, of_importer, np.log10(np.maximum(week.exposure, _LOWEST_EXPOSURE)), tied_ghosts)


def _features(companies: _Companies, asked: _Asked, rows: Ints, day: Ints) -> dict[str, Floats | Ints]:
    week, exposure = companies.week, companies.exposure
    found = week.totals
    importer = _present(found, asked.importer[rows])
    columns: dict[str, Floats | Ints] = {name: _at(values, importer) for name, values in companies.of_importer.items()}
    is_young = (importer < 0) | (found.first[importer] >= week.monday - YOUNG_DAYS)
    phoenix = np.nan_to_num(_at(companies.tied_ghosts, importer))
    for role in links.TRADERS:
        partner = _present(found, asked.partner[role][rows])
        first, others, caught, ghosts = _without_own(week, found, importer, partner, asked.pair[role][rows])
        phoenix += np.where(others > 0, ghosts / np.log2(1.0 + np.maximum(others, 1)), 0.0)
        if role != "courier":
            columns[f"{role}_exposure"] = _at(exposure, partner)
            columns[f"{role}_others_caught"] = np.where(others > 0, caught / np.maximum(others, 1), np.nan)
            columns[f"importer_{role}_days"] = np.where(first > measures.NEVER, day - first, np.nan)
    return columns | {"importer_exposure": _at(exposure, importer), "phoenix_score": np.where(is_young, phoenix, 0.0)}


def _without_own(
    week: Week, found: measures.Totals, importer: Ints, partner: Ints, pair: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the pair's first day (`NEVER` for none), and how many other importers the partner has.

    The last two arrays are how many of those other importers were caught, and how many fell silent.
    """
    is_pair = week.sums[pair, DECLARED] > 0
    own = importer * is_pair
    is_known = partner >= 0

    def others(of_partner: Ints, of_importer: Flags) -> Ints:
        return np.where(is_known, of_partner[partner] - (is_pair & of_importer), 0)

    return (
        np.where(is_pair, week.sums[pair, FIRST], measures.NEVER),
        others(found.degree, is_pair),
        others(found.caught, found.is_caught[own]),
        others(found.ghosts, found.is_ghost[own]),
    )


def _present(found: measures.Totals, nodes: Ints) -> Ints:
    """Return the nodes, with -1 in place of those that are in the network only in another week."""
    return np.where((nodes >= 0) & (found.degree[nodes] > 0), nodes, -1)


def _at(values: Floats | Ints, nodes: Ints) -> Floats:
    return np.where(nodes >= 0, values[nodes], np.nan)
