"""The parts of the MLflow server: MLflow's application, the guard around it, and all that the guard asks.

Only app.py imports this module, once it has told MLflow what to read when it is imported.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import mlflow.server
from mlflow.server import auth, handlers
from mlflow.server.auth.requirements import Requirement

from models import policy, trace
from models.access import (
    BreakGlass,
    Call,
    Directory,
    Entrance,
    Guesses,
    Identities,
    Lives,
    Names,
    PersonalTokens,
    accounts,
    offices,
)
from models.account_page import PREFIX as ACCOUNT_PAGE
from models.account_page import AccountPage
from models.clock import clock
from models.criteria_page import PREFIX as CRITERIA_PAGE
from models.criteria_page import ROLES as CRITERIA_ROLES
from models.criteria_page import CriteriaPage
from models.decisions import DecisionLog, Unavailable, agreement
from models.desk import Case, Desk, Following, Night
from models.desk_page import LARGEST, ROLES, DeskPage
from models.desk_page import PREFIX as DESK_PAGE
from models.evidence import manifest
from models.ledger import Entry, Keys, chain, storage
from models.names import MODEL, NETWORK_PAGE
from models.network_page import Answers, NetworkPage, openings
from models.notices import PAST_PROVIDER, Alarms
from models.places import Places
from models.runs import CHANGED, RESOURCE
from models.server import given_identities, given_offices, introduced, local_files, stored
from models.server.admission import Judge
from models.server.app import AppSettings
from models.server.arrivals import Arrivals
from models.server.front import Front
from models.server.given_identities import GivenIdentities
from models.server.given_offices import GivenOffices
from models.server.guard import Guard
from models.server.pages import Page
from models.server.rules import Rules
from models.server.uploads import EvidenceLock
from models.signer import asking
from models.signoff_page import PREFIX as SIGNOFF_PAGE
from models.signoff_page import SignoffPage, Versions
from models.single_sign_on import Client, Ends, Provider, Sessions, SignOn
from models.trace import Traced, Tracer, Unchecked
from models.workspace import Workspace, why_empty

_log = logging.getLogger(__name__)


def assemble(settings: AppSettings) -> Guard:
    """Return the guard around MLflow's application with its accounts, and with all that the guard asks."""
    keys, signoff = Keys(settings.folder), policy.load().signoff
    local_files.refuse_links()
    handlers.initialize_backend_stores(settings.database_uri, settings.database_uri, settings.artifact_root)
    inner = auth.create_app()
    asks = f"{introduced.__name__}:{introduced.authenticate.__name__}"
    auth.auth_config = auth.auth_config._replace(authorization_function=asks)
    accounts.prepare(auth.store, signoff, keys.service_password)
    table = storage.Table(settings.database_uri)
    ledger = asking.AskedLedger(table, keys.public_key, keys.head_file, signoff, keys.socket_file)
    directory = Directory(auth.auth_config.database_uri)
    tell_prefect = partial(_tell, settings.prefect_api, settings.prefect_password)
    judge, in_force = Judge(), policy.POLICY_FILE.read_text()
    identities = Identities(directory.database_uri)
    rules = Rules(
        ledger,
        changed=tell_prefect,
        grant=_grant,
        role_numbers=directory.roles,
        accounts=directory.names,
        admit=lambda found: stored.admit(found, judge, settings.data, settings.state, in_force),
        linked=partial(identities.accounts, settings.sign_on_issuer) if settings.sign_on_issuer else None,
    )
    rules.note_roles()

    network = NetworkPage(Answers(settings.networks), openings.Openings(settings.database_uri))
    note, is_one_sign_on = partial(_note, ledger), bool(settings.sign_on_issuer)
    tokens = PersonalTokens(directory.database_uri, Lives.of(policy.load().sign_on, is_one_sign_on))
    sign_on = _sign_on(settings, directory, note) if is_one_sign_on else None
    names = Names(settings.public_urls)
    past = BreakGlass("MLflow", Alarms(settings.folder / PAST_PROVIDER), note)
    guesses = Guesses(directory.names, note)
    entrance = Entrance(
        directory, names, guesses, tokens=tokens, sessions=sign_on, is_one_sign_on=is_one_sign_on, past=past
    )
    at_desk = dict.fromkeys((accounts.OFFICER, accounts.SUPERVISOR), f"/{DESK_PAGE}")
    landings = (
        at_desk | {accounts.ANALYST: f"/{CRITERIA_PAGE}"} | {step.role: f"/{SIGNOFF_PAGE}" for step in signoff.steps}
    )
    front = Front.of(Path(mlflow.server.app.static_folder or ""), stored.is_registered, landings)
    versions = Versions(ledger, table, chain.Chain(keys.public_key), stored.numbers, stored.file)
    live = partial(agreement.live_agreement, DecisionLog(settings.decisions_uri))
    signing = SignoffPage(versions, partial(_sign, rules), live, rules.unlinked, settings.is_played)
    given = offices.Offices(directory.database_uri)
    giving = GivenOffices(given, directory.role_names, note)
    linking = GivenIdentities(identities, directory.names, settings.sign_on_issuer, note)
    own = AccountPage(tokens, note, is_one_sign_on)
    desk = _desk(settings, directory, given, versions)
    ruling = _criteria(settings, ledger, rules)
    pages = [
        Page(ACCOUNT_PAGE, own.answer, own.act, is_noted=False),
        Page(CRITERIA_PAGE, ruling.answer, ruling.act, CRITERIA_ROLES, is_noted=False),
        Page(given_identities.PREFIX, linking.answer, linking.act),
        Page(given_offices.PREFIX, giving.answer, giving.act),
        Page(DESK_PAGE, desk.answer, desk.act, ROLES, LARGEST),
        Page(NETWORK_PAGE, network.answer),
        Page(SIGNOFF_PAGE, signing.answer, signing.act, is_noted=False),
    ]
    following = Following(desk.desk, desk.log, desk.night, desk.prepare)
    return Guard(inner, entrance, rules, table, pages, front.page, EvidenceLock(settings.folder), following, sign_on)


def _sign_on(settings: AppSettings, directory: Directory, note: Callable[[Entry], None]) -> SignOn:
    """Return one sign-on at the house's identity provider, whose people's accounts are made as they arrive."""
    in_force = policy.load()
    accounts.of_groups(in_force, ())  # a role that nobody can be given is told at the start
    client = Client.read(
        settings.sign_on_issuer, settings.sign_on_client_id, settings.sign_on_secret_file, settings.sign_on_scopes
    )
    arrive = Arrivals(auth.store, directory, Identities(directory.database_uri), in_force, note)
    return SignOn(
        Provider(client, in_force.sign_on.groups_claim),
        Sessions(Ends.of(in_force.sign_on)),
        Names(settings.public_urls),
        arrive,
        directory.known,
    )


def _desk(settings: AppSettings, directory: Directory, given: offices.Offices, versions: Versions) -> DeskPage:
    """Return the desk's pages over the database of decisions."""
    log = DecisionLog(settings.decisions_uri)
    now = clock(settings.time_zone, settings.played_clock)
    in_force = policy.load()
    desk = Desk.kept_in(settings.desk, settings.decisions_uri, in_force.desk, now)

    @cache  # once it has worked: while the database is away, people sign all the same
    def prepare() -> None:
        log.migrate()
        desk.migrate()

    try:
        prepare()
    except Unavailable as error:
        _log.warning("The desk is closed until its database answers: %s", error)
    places = _places(settings)
    night = Night.of(places, settings.window_source) if places else None
    lanes = in_force.targeting.lanes
    traced = partial(_trace, _tracer(log, places, settings.window_source, versions))
    return DeskPage(
        desk,
        log,
        prepare,
        given.of,
        directory.role_names,
        settings.window_source,
        lanes,
        night,
        traced,
        settings.is_played,
    )


def _tracer(log: DecisionLog, places: Places | None, source: str, versions: Versions) -> Tracer:
    """Return what tells on a page what answers for a decision."""

    def entries() -> list[Entry]:
        versions.book()  # which also says whether the ledger reaches as far as it was noted
        return versions.entries()

    def read(number: int) -> bytes:
        try:
            return versions.file(number, manifest.MANIFEST_FILE)
        except FileNotFoundError as error:  # the store may also be away, which says nothing of the evidence
            raise OSError(str(error)) from error

    return Tracer(
        log,
        trace.Night.of(places, source) if places else None,
        lambda: trace.ledger.whole(entries, policy.load().signoff),
        read,
        Unchecked(),
    )


def _trace(tracer: Tracer, case: Case) -> Traced | None:
    """Return what answers for the decision that a case follows from; None if it is not kept."""
    found = tracer.decisions(case.declaration_id)
    return next((each for each in reversed(found) if case.decision_id in (None, each.id)), None)


def _criteria(settings: AppSettings, ledger: storage.Followed, rules: Rules) -> CriteriaPage:
    """Return the page of criteria over the declarations that the window answers."""
    now = clock(settings.time_zone, settings.played_clock)

    def workspace() -> Workspace:
        places = _places(settings)
        if places is None:
            raise ValueError("no window is open; set window_source to the source whose declarations it answers")
        found = Workspace(places, policy.load(), settings.window_source)
        if why := why_empty(found.store):
            raise ValueError(why)
        return found

    return CriteriaPage(
        lambda: ledger.refresh().criteria,
        lambda: ledger.book.criterion_days,
        lambda asked, weeks: workspace().preview(asked, weeks),
        lambda register: workspace().beside_the_model(register),
        rules.take_step,
        now,
        settings.is_played,
    )


def _places(settings: AppSettings) -> Places | None:
    """Return the installation's places; None if no window is open, so that it is not known whose declarations count."""
    if not settings.window_source or settings.state is None:
        return None
    return Places(settings.data, settings.state, settings.folder, settings.database_uri, settings.artifact_root)


def _note(ledger: storage.Followed, entry: Entry) -> None:
    with ledger.writing() as writer:
        writer.append(entry)


def _sign(rules: Rules, call: Call) -> None:
    """Have a signature judged, and its tag stored, as when MLflow's page sends it."""
    passed = rules.judge(call)
    stored.set_tag(passed.number(), passed.text("key"), passed.text("value"))


def _grant(name: str) -> str:
    """Return by which of its own rules MLflow lets an account write the tags of a version; empty if it does not."""
    model, version = ("registered_model", MODEL), "registered_model_version"
    asked = [
        Requirement(*model, "read"),
        Requirement(version, "*", "update", fallback_if_no_grant=(model,)),
    ]
    if not auth.store.has_user(name) or not auth.authorize(name, model, asked):
        return ""
    permissions = auth.resolve_requirements(name, model, asked) or []
    return f"{version}: {permissions[-1].name}"


def _tell(prefect_api: str, password: str) -> None:
    """Post an event in the background: if it is lost, it costs the minute until the flow looks by itself."""
    if not prefect_api:
        return
    event = {
        "id": str(uuid4()),
        "event": CHANGED,
        "occurred": storage.now().isoformat(),
        "resource": {"prefect.resource.id": RESOURCE},
    }

    def post() -> None:
        try:
            url, account = f"{prefect_api}/events", (accounts.TELLER, password)
            httpx.post(url, json=[event], auth=account, timeout=10, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("Prefect was not told that a sign-off changed (%s); it will look by itself", error)

    Thread(target=post, daemon=True).start()
