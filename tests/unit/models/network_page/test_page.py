"""What the network's page is given, for the small network of tests/support/networks.py."""

import json
import shutil
from datetime import date, timedelta

import polars as pl
import pytest

from features.network_map import build
from features.network_map.build import described
from features.store.store import Store
from models.access.call import Call, Refused
from models.network_page.answers import Answers
from models.network_page.openings import Openings, rows
from models.network_page.page import NetworkPage
from tests.support import networks, requests
from tests.support.ingestion import tree
from tests.support.spoiling import spoil
from tests.support.stores import put

LAST = "2024-03-18"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("network")
    networks.network(made)
    return made


@pytest.fixture(scope="module")
def answers(folder):
    return Answers(folder / "networks")


@pytest.fixture
def openings(tmp_path):
    return Openings(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.fixture
def ask(answers, openings):
    page = NetworkPage(answers, openings)

    def asked(path, roles=("reviewer",), who="rea", **query):
        call = Call("GET", path, who, roles, "10.0.0.7", f"GET {path}", {})
        return page.answer(call, requests.get(path, **query))

    return asked


def found(answers, text):
    return {(each["kind"], each["identity"]): each["id"] for each in answers.search(_query(text=text))["found"]}


def company(answers, identity, kind="importer", **more):
    node = found(answers, identity)[kind, identity]
    return answers.company(answers.asked(_query(id=node, **more)))


def ways(answers, identity, **more):
    node = found(answers, identity)["importer", identity]
    return answers.ways(answers.asked(_query(id=node, **more)))["paths"]


def _query(**fields):
    return {"source": "files", **{name: str(value) for name, value in fields.items()}}


def around(told):
    return {(node["kind"], node["identity"]): node for node in told["nodes"]}


def relations(told):
    names = {node["id"]: node["identity"] for node in told["nodes"]}
    return {(names[edge["a"]], edge["kind"], names[edge["b"]]): edge for edge in told["edges"]}


def test_the_sources_and_their_mondays(answers):
    (source,) = answers.sources()["sources"]
    assert (source["source"], source["version"]) == ("files", "0123abcd.dir")
    assert (source["from"], source["since"], source["until"]) == ("2023-06-12", "2023-06-12", LAST)


def test_companies_are_found_by_id_and_by_name_in_any_letters(answers):
    assert next(iter(found(answers, "i-old"))) == ("importer", "I-OLD")
    assert ("importer", "I-NEW") in found(answers, "norvale textiles")
    assert ("importer", "I-SHARE") in found(answers, "etoile")
    assert ("container", networks.CONTAINER) in found(answers, "MSCU")
    assert answers.search(_query(text="I-0"))["more"]
    assert answers.search(_query(text="nobody of that name")) == {"found": [], "more": False}


def test_a_neighbourhood_has_partners_values_and_who_is_behind_them(answers):
    told = company(answers, "I-NEW")
    nodes, edges = around(told), relations(told)
    own = nodes["importer", "I-NEW"]
    assert (own["declared"], own["value"], own["hits"], own["distance"]) == (6, 45_000, 0, 0)
    assert own["name"] == "NORVALE TEXTILES LIMITED"
    old = nodes["importer", "I-OLD"]
    assert (old["hits"], old["last_hit"], old["distance"]) == (1, "2023-09-12", 1)  # matched with it
    assert old["risk"] > told["usual"]
    assert own["risk"] == pytest.approx(told["usual"])  # nobody has inspected it
    assert nodes["seller", "S-FAR"]["distance"] == 1
    match = edges.get(("I-NEW", "same", "I-OLD")) or edges["I-OLD", "same", "I-NEW"]
    assert match["source"] == "matching"
    assert match["weight"] > 4
    assert edges["I-NEW", "person", "Mara Quay"]["source"] == "register"
    assert edges["I-NEW", "seller", "S-FAR"]["declared"] == 6


def test_risk_is_not_known_where_nothing_was_inspected_and_0_where_no_inspection_hit(answers):
    nothing = company(answers, "I-OLD", since=LAST)
    assert nothing["usual"] is None
    assert {node["risk"] for node in nothing["nodes"]} == {None}
    no_hit = company(answers, "I-OLD", until="2023-06-12")
    assert (no_hit["usual"], around(no_hit)["importer", "I-OLD"]["risk"]) == (0, 0)


def test_companies_that_are_probably_one_are_listed_for_review(folder):
    clusters = pl.read_csv(folder / "networks" / "files" / build.CLUSTERS)
    assert clusters.select("party_id", "companies", "name").rows() == [
        ("I-NEW", 2, "NORVALE TEXTILES LIMITED"),
        ("I-OLD", 2, "Norvale Textiles Ltd"),
    ]


def test_only_what_was_known_by_then_is_shown(answers):
    before = around(company(answers, "I-OLD", until="2023-09-11"))
    assert before["importer", "I-OLD"]["hits"] == 0
    assert ("importer", "I-NEW") not in before
    after = around(company(answers, "I-OLD", until="2023-09-19"))  # a Tuesday: its week's Monday
    assert after["importer", "I-OLD"]["hits"] == 1
    later = around(company(answers, "I-OLD", until=LAST))
    assert ("importer", "I-NEW") in later
    recent = around(company(answers, "I-OLD", until=LAST, since="2024-01-01"))
    assert recent["importer", "I-OLD"]["hits"] == 0


def test_a_container_counts_where_two_importers_shared_it(answers):
    assert ("container", networks.CONTAINER) in around(company(answers, "I-SHARE"))
    shared = around(company(answers, networks.CONTAINER, "container"))
    assert {("importer", "I-OLD"), ("importer", "I-SHARE")} <= set(shared)


def test_behind_a_busy_party_only_offenders_are_looked_for(folder, tmp_path):
    networks.network(tmp_path, crowd=400)
    busy = Answers(tmp_path / "networks")
    told = company(busy, "I-0003", limit=500)
    assert {identity for kind, identity in around(told) if kind == "importer"} == {"I-0003", "I-OLD"}
    assert relations(told)["I-OLD", "declarant", "D-BUSY"]["declared"] == 12
    (way,) = ways(busy, "I-0003")
    assert [step["node"]["identity"] for step in way["steps"]] == ["D-BUSY", "I-OLD"]
    assert (way["steps"][1]["edge"]["declared"], way["steps"][1]["edge"]["hits"]) == (12, 1)
    assert ways(busy, "I-0003", until="2023-09-11") == []
    declarant = company(busy, "D-BUSY", "declarant", limit=500)
    assert declarant["not_shown"] == 403 - 332  # two thirds of what is shown is near
    assert len(declarant["nodes"]) <= 500


def test_ways_to_offenders(answers):
    (way,) = ways(answers, "I-BACK")
    assert [step["edge"]["kind"] for step in way["steps"]] == ["predecessor"]
    assert way["offender"]["identity"] == "I-OLD"
    assert way["offender"]["last_hit"] == "2023-09-12"
    (way,) = ways(answers, "I-SHARE")
    assert [step["node"]["identity"] for step in way["steps"]] == [networks.CONTAINER, "I-OLD"]
    assert ways(answers, "I-SHARE", until="2023-09-11") == []


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"source": "../files"}, 404, "no network of source '../files'"),
        ({"id": "zz"}, 400, "id is 'zz'; allowed: 16 hexadecimal digits"),
        ({"id": "ffffffffffffffff"}, 404, "nothing in the network has id"),
        ({"id": "1" * 40}, 404, "nothing in the network has id"),
        ({"until": "yesterday"}, 400, "until is 'yesterday'; allowed: a day"),
        ({"until": "2022-01-03"}, 400, "until is 2022-01-03; allowed: from 2023-06-12"),
        ({"since": "1"}, 400, "since is '1'"),
        ({"limit": "501"}, 400, "limit is '501'; allowed: from 1 to 500"),
        ({"limit": "-1"}, 400, "limit is '-1'"),
    ],
)
def test_questions_without_sense_are_refused_in_words(answers, fields, status, told):
    node = found(answers, "I-OLD")["importer", "I-OLD"]
    with pytest.raises(Refused) as error:
        answers.asked(_query(id=node) | fields)
    assert error.value.status == status
    assert told in str(error.value)


def test_a_search_for_nothing_is_refused(answers):
    with pytest.raises(Refused, match="text is empty"):
        answers.search(_query(text="  "))


def test_a_network_that_was_built_anew_is_opened_anew(tmp_path):
    networks.network(tmp_path, crowd=1)
    answers = Answers(tmp_path / "networks")
    assert found(answers, "I-0001") == {}
    first = described(tmp_path / "networks" / "files")
    store = Store(tmp_path / "data" / "files")
    again = build.build(store, networks.DELAY, tmp_path / "features", tmp_path / "networks" / "files", "v")
    assert again == first  # nothing has changed
    put(
        store,
        "declarations",
        [networks.declared("L-1", networks.NEW_SINCE + timedelta(weeks=20), "I-LATE", "S-1", "D-1", 5.0)],
    )
    late = build.build(store, networks.DELAY, tmp_path / "features", tmp_path / "networks" / "files", "v")
    assert late.last > date(2024, 6, 1)
    assert ("importer", "I-LATE") in found(answers, "I-LATE")
    assert [path.name for path in (tmp_path / "networks" / "files").iterdir() if path.is_dir()] == [late.digest]


def test_a_build_that_was_killed_at_its_end_is_made_again(tmp_path):
    first = networks.network(tmp_path, crowd=1)
    folder = tmp_path / "networks" / "files"
    (folder / "network.json").unlink()  # the last thing that it writes
    store = Store(tmp_path / "data" / "files")
    assert build.build(store, networks.DELAY, tmp_path / "features", folder, first.version) == first
    assert described(folder) == first


@pytest.mark.parametrize(("name", "how"), [("network.json", "cut"), ("{digest}/partners.arrow", "flipped")])
def test_a_network_that_is_spoilt_is_refused_by_name_until_it_is_built_again(tmp_path, caplog, name, how):
    first = networks.network(tmp_path, crowd=1)
    folder, answers = tmp_path / "networks" / "files", Answers(tmp_path / "networks")
    whole = tree(folder)
    file = folder / name.format(digest=first.digest)
    spoil(file, how)
    with pytest.raises(Refused, match="`tidewaiter network --source files` builds the network of files again") as error:
        found(answers, "I-OLD")
    assert error.value.status == 503
    assert f"{file}: not as it was written" in str(error.value)
    store = Store(tmp_path / "data" / "files")
    assert build.build(store, networks.DELAY, tmp_path / "features", folder, first.version) == first
    assert f"{file}: not as it was written" in caplog.text
    assert tree(folder) == whole
    assert ("importer", "I-OLD") in found(answers, "I-OLD")


def test_the_sources_are_not_told_from_a_spoilt_description(tmp_path):
    networks.network(tmp_path, crowd=1)
    spoil(tmp_path / "networks" / "files" / "network.json", "flipped")
    with pytest.raises(Refused, match=r"files/network\.json: not as it was written"):
        Answers(tmp_path / "networks").sources()


def test_a_network_that_was_spoilt_while_it_was_open_is_opened_again_when_it_was_built_again(tmp_path):
    first = networks.network(tmp_path, crowd=1)
    folder, answers = tmp_path / "networks" / "files", Answers(tmp_path / "networks")
    companies = found(answers, "norvale")
    nodes = folder / first.digest / "nodes.arrow"
    content = nodes.read_bytes()
    with nodes.open("r+b") as file:  # in place, as a disk does, so that the open network has it too
        file.write(content.replace(b"norvale", b"norvole"))
    assert found(answers, "norvale") == {}
    store = Store(tmp_path / "data" / "files")
    assert build.build(store, networks.DELAY, tmp_path / "features", folder, first.version) == first
    assert found(answers, "norvale") == companies != {}


def test_a_network_whose_files_are_gone_is_built_again(tmp_path):
    first = networks.network(tmp_path, crowd=1)
    folder = tmp_path / "networks" / "files"
    shutil.rmtree(folder / first.digest)
    with pytest.raises(Refused, match="builds the network of files again"):
        found(Answers(tmp_path / "networks"), "I-OLD")
    store = Store(tmp_path / "data" / "files")
    build.build(store, networks.DELAY, tmp_path / "features", folder, first.version)
    assert ("importer", "I-OLD") in found(Answers(tmp_path / "networks"), "I-OLD")


def test_openings_are_written_down_before_they_are_answered(ask, answers, openings, tmp_path):
    node = found(answers, "I-OLD")["importer", "I-OLD"]
    told = json.loads(ask("tidewaiter/network/company", source="files", id=node, until="2023-10-04").body)
    assert told["id"] == node
    ask("tidewaiter/network/path", source="files", id=node)
    ask("tidewaiter/network/search", source="files", text="I-OLD")
    one, other = openings.read()
    assert (one.account, one.address, one.asked, one.kind, one.identity) == (
        "rea",
        "10.0.0.7",
        "company",
        "importer",
        "I-OLD",
    )
    assert (one.source, one.until, one.number) == ("files", "2023-10-02", 1)
    assert (other.asked, other.until) == ("path", LAST)
    assert rows(f"sqlite:///{tmp_path}/mlflow.db") == [one, other]
    openings.close()

    def full(opening):
        raise OSError("disk full")

    openings.add = full
    with pytest.raises(OSError, match="disk full"):
        ask("tidewaiter/network/company", source="files", id=node)


def test_the_log_is_for_auditors(ask):
    with pytest.raises(Refused, match="for the role auditor"):
        ask("tidewaiter/network/openings")
    assert json.loads(ask("tidewaiter/network/openings", roles=("auditor",)).body) == {"openings": []}
    with pytest.raises(Refused, match="after is 'x'"):
        ask("tidewaiter/network/openings", roles=("auditor",), after="x")


def test_the_page_is_files_of_this_server_and_nothing_else(ask):
    page = ask("network")
    assert page.media_type == "text/html"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert ask("network/page.js").media_type in ("text/javascript", "application/javascript")
    assert ask("network/kinds/importer.svg").media_type == "image/svg+xml"
    for path in ("network/../page.py", "network/secret", "tidewaiter/network/everything"):
        with pytest.raises(Refused) as refused:
            ask(path)
        assert refused.value.status == 404
