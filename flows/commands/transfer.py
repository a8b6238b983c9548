"""The commands that take a version from one installation to another: `export` and `import`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.signoff import keys_of, reading_ledger, taken
from flows.commands.terminal import GATES_FAILED, begin, checked, err, failures, out, tell_whom_to_wait_for
from flows.run_requests import authors
from flows.settings import Settings


def export(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Of customs-risk, as MLflow counts them.")],
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="Where it is written.")],
) -> None:
    """Write a version into one file: model, evidence, card, and the ledger with every signature.

    Send by another way than the file what it is verified by: the public key, and a head (`audit export-head`).
    """
    settings = begin()
    from datetime import UTC, datetime

    from features.disk import write_atomically
    from models import policy, transfer
    from models.ledger import reading
    from models.workspace import incumbents

    with reading_ledger():
        keys = keys_of(settings)
        registry = incumbents.registry_of(settings.places)
        book = reading.signed_book(registry.tracking_uri, keys, policy.load().signoff)
        now = datetime.now(UTC)
        write_atomically(file, lambda path: transfer.export(registry, book, version, now, path))
    out.print(f"{file}: version {version}, {book.words(version, now)}", markup=False, soft_wrap=True)
    out.print(
        "It has the whole ledger: accounts, network addresses, identities, names of tokens and criteria of inspection.",
        soft_wrap=True,
    )
    out.print(f"It is verified by {keys.public_key_file} and a head of this ledger.", markup=False, soft_wrap=True)


def import_(
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="What `export` has written.")],
    key: Annotated[Path, typer.Option(dir_okay=False, metavar="FILE", help="The origin's public key, ledger.pub.")],
    head: Annotated[Path, typer.Option(dir_okay=False, metavar="FILE", help="A head of the origin's ledger.")],
) -> None:
    """Bring an exported version here: verify it, evaluate it on the data here, and register it to be signed anew.

    Who imports a version is its author here, and may not sign it.
    """
    with failures():
        by = authors.of_command(checked(Settings))
    settings = begin()
    tell_whom_to_wait_for(settings)
    from flows.import_version import ImportParameters, import_version
    from flows.progress import on_terminal
    from flows.steps import show

    with on_terminal(err), failures():
        parameters = ImportParameters(file=file, key=key, head=taken(head), requested_by=by)
        summary = import_version(parameters)
    show(summary, out)
    out.print(f"MLflow: {settings.tracking_uri}", markup=False)
    if not summary.is_registered:
        raise typer.Exit(GATES_FAILED)
