"""The commands of sign-off: who may sign (`users`), what was signed (`audit`), and the way back (`rollback`)."""

import json
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer
from pydantic import ValidationError
from rich.table import Table

from flows.commands.people import Desk, RefusedError, desk
from flows.commands.terminal import EXIT_CODES, AsJson, begin, checked, fail, failures, out, show_table
from flows.processes import running
from flows.settings import Settings
from models.ledger import Keys, LedgerError, chain

users = typer.Typer(no_args_is_help=True, help="Accounts of the people who sign in to MLflow; for its administrator.")
audit = typer.Typer(no_args_is_help=True, help="Who signed what, and proof that nobody altered it since.")


@users.command("add", epilog=f"{EXIT_CODES}.")
def users_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As it will stand beside every signature.")],
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="A role that signs (models/policy.toml), data-scientist, auditor, officer or supervisor; repeatable.",
        ),
    ],
) -> None:
    """Make an account with roles, and show its password, once."""
    with signed_in() as server:
        password = server.add(name, role)
    out.print(f"{name} signs in at MLflow with the password {password}", markup=False)
    out.print("It is shown this once and kept nowhere: hand it over now.")


@users.command("list", epilog=f"{EXIT_CODES}.")
def users_list(as_json: AsJson = False) -> None:
    """Every account, its roles and its offices."""
    with signed_in() as server:
        people = server.people()
    if as_json:
        _json([asdict(person) for person in people])
        return
    table = Table("name", "roles", "offices")
    for person in people:
        roles = [*person.roles, *(["administrator"] if person.is_administrator else [])]
        table.add_row(person.name, ", ".join(roles), ", ".join(person.offices))
    show_table(table)


@users.command("offices", epilog=f"{EXIT_CODES}.")
def users_offices(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An officer's or a supervisor's account.")],
    offices: Annotated[list[str] | None, typer.Argument(metavar="OFFICE", help="As declarations have it.")] = None,
) -> None:
    """Say which customs offices are an officer's or a supervisor's, and no others; without an office, none is."""
    with signed_in() as server:
        server.give_offices(name, offices or [])
    out.print(f"{name} works on the cases of {', '.join(offices) if offices else 'no office'}.", markup=False)


@users.command("link", epilog=f"{EXIT_CODES}.")
def users_link(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An account that is there.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="As the identity provider's tokens have it (sub).")],
    issuer: Annotated[str, typer.Option(help="The identity provider.", show_default="sign_on_issuer")] = "",
) -> None:
    """Say who an account is at the identity provider, for good: what one has made, nobody signs under another name."""
    with signed_in() as server:
        account = server.link(name, subject, issuer)
    if account == name:
        out.print(f"{subject} signs in as {name}.", markup=False)
    else:
        out.print(f"{subject} goes on signing in as {account}; {name} and {account} are one person.", markup=False)


@users.command("remove", epilog=f"{EXIT_CODES}.")
def users_remove(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take an account away; what it has signed stays signed, and can be seen in the audit."""
    with signed_in() as server:
        server.remove(name)
    out.print(f"{name} cannot sign in any more.", markup=False)


@audit.command("verify", epilog=f"{EXIT_CODES}.")
def audit_verify(
    head: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A head exported earlier and kept elsewhere."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the whole history: chain and signatures, every rule, evidence, aliases and tags.

    Rows that were altered, put in, taken out or cut off are told, and so is anything that was accepted against the
    policy that it was opened under. Where `tidewaiter up` runs, the server is asked; otherwise its database is read.
    """
    settings = begin()
    from models import policy
    from models.signoff import audit as proof
    from models.workspace import incumbents

    with reading_ledger():
        keys, earlier = keys_of(settings), taken(head) if head else None
        registry = incumbents.registry_of(settings.places)
        found = proof.verify(registry, keys, policy.load().signoff, earlier)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        out.print(f"{found.entries} entries, chain and rules read in {found.chain_s:.1f} s")
        if found.head:
            out.print(f"head: {found.head.number} {found.head.hash}")
            out.print(f"champion: {'none yet' if found.champion is None else f'version {found.champion}'}")
    if found.faults:
        fail("\n".join(found.faults))
    if not as_json:
        out.print("Everything holds.")


@audit.command("show", epilog=f"{EXIT_CODES}.")
def audit_show(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Of customs-risk, as MLflow counts them.")],
    as_json: AsJson = False,
) -> None:
    """Who did what to a version, when, over which evidence, and what was refused."""
    settings = begin()
    from models.signoff import audit as proof

    with reading_ledger():
        entries = [e for e in proof.entries(settings.tracking_uri, keys_of(settings)) if e.version == version]
    if not entries:
        fail(f"the ledger says nothing of version {version}")
    if as_json:
        _json([entry.model_dump(mode="json") for entry in entries])
        return
    table = Table("when (UTC)", "who", "roles", "what", "outcome", "reason", "evidence", "from")
    for entry in entries:
        what = f"{entry.action} {entry.step}" if entry.step else entry.action
        outcome = "accepted" if entry.is_accepted else f"refused: {entry.refusal}"
        when, evidence = f"{entry.at:%Y-%m-%d %H:%M:%S}", (entry.digest or "")[:12]
        cells = (when, entry.actor, ", ".join(entry.roles), what, outcome, entry.reason, evidence, entry.address)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    show_table(table)


@audit.command("openings", epilog=f"{EXIT_CODES}.")
def audit_openings(
    account: Annotated[str | None, typer.Option(help="Only what this account opened.")] = None,
    company: Annotated[str | None, typer.Option(help="Only openings of this company, as declarations name it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who looked at which company's relations on the page of the network, when, and from where."""
    settings = begin()
    from models.network_page import openings

    with reading_ledger():
        keys_of(settings)
        found = [
            each
            for each in openings.rows(settings.tracking_uri)
            if account in (None, each.account) and company in (None, each.identity)
        ]
    if as_json:
        _json([each.model_dump() for each in found])
        return
    table = Table("when (UTC)", "who", "asked for", "of", "in", "as known on", "from")
    for each in found:
        of = f"{each.kind} {each.identity}"
        cells = (each.at[:19].replace("T", " "), each.account, each.asked, of, each.source, each.until, each.address)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    show_table(table)


@audit.command("export-head", epilog=f"{EXIT_CODES}.")
def audit_export_head(
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="Keep it where nobody here can write.")],
) -> None:
    """Note how far the ledger has come. `audit verify --head FILE` tells later whether it was cut off or rewritten."""
    settings = begin()
    from features.disk import write_atomically
    from models.signoff import audit as proof

    with reading_ledger():
        head = proof.head(settings.tracking_uri, keys_of(settings))
        write_atomically(file, lambda path: path.write_text(head.model_dump_json() + "\n"))
    out.print(f"{file}: row {head.number}, {head.hash}", markup=False)


@audit.command("signature", epilog=f"{EXIT_CODES}.")
def audit_signature(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="A version that is or was champion.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where its evidence goes; not there yet.")],
) -> None:
    """Write a promoted version's evidence with a signature of it, which needs no Tidewaiter to be verified.

    `signature.json` is a DSSE envelope around an in-toto statement, signed with the ledger's key by the running signer.
    """
    settings = begin()
    from models.ledger import storage
    from models.signer import asking
    from models.workspace import incumbents

    if folder.exists():
        fail(f"{folder} is there already; allowed: a folder that is not there yet")
    try:
        with reading_ledger(), TemporaryDirectory(prefix="tidewaiter-") as scratch:
            keys, registry = keys_of(settings), incumbents.registry_of(settings.places)
            evidence = Path(scratch) / "evidence"
            manifest = registry.fetch_evidence(registry.version(str(version)), evidence)
            envelope = asking.attested(keys.socket_file, version, manifest)
            (evidence / "signature.json").write_text(json.dumps(envelope, indent=1) + "\n")
            shutil.copytree(evidence, folder)
    except storage.NotSigned as error:
        fail(str(error))
    out.print(f"{folder}: the evidence of version {version}, and its signature in signature.json", markup=False)


def rollback(
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger.")],
) -> None:
    """Go back to the last champion whose evidence still stands; for those who sign the last step.

    Signs in by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or asks.
    """
    with signed_in() as server:
        version = server.roll_back(reason)
    out.print(f"Version {version} decides again: `champion` moves within a minute.")


def withdraw(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="One that you have made.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger.")],
) -> None:
    """Withdraw a version that you have made and that is not decided: for good, and the next one can be signed.

    Signs in by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or asks.
    """
    with signed_in() as server:
        server.withdraw(version, reason)
    out.print(f"Version {version} is withdrawn.")


@contextmanager
def signed_in() -> Generator[Desk]:
    """Open a connection to the running server by the account in the environment or the one that is typed."""
    settings = checked(Settings)
    up = running.find(settings.state_folder)
    url = settings.mlflow_tracking_uri or (up.mlflow_url if up else "")
    if not url.startswith(("http://", "https://")):
        fail("MLflow is not running: start `tidewaiter up`")
    name = os.environ.get("MLFLOW_TRACKING_USERNAME") or typer.prompt("Name", err=True)
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
    try:
        with desk(url, name, password) as server:
            yield server
    except RefusedError as error:
        fail(str(error))


def keys_of(settings: Settings) -> Keys:
    keys = Keys(settings.signoff_folder)
    if not keys.exist():
        fail(f"there is no ledger: {settings.signoff_folder} has no keys, so `tidewaiter up` never ran here")
    return keys


def taken(file: Path) -> chain.Head:
    """Return a head that was exported earlier; ValueError if the file is none."""
    try:
        return chain.Head.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{file} is not a head; allowed: what `tidewaiter audit export-head` wrote") from error


@contextmanager
def reading_ledger() -> Generator[None]:
    try:
        with failures():
            yield
    except LedgerError as error:
        fail(str(error))
    except httpx.HTTPError as error:
        fail(f"MLflow's server did not give the ledger: {error}")


def _json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
