"""The commands of versions of the data (`data`): which there are, the way back to one, and reading files again."""

import json
import re
import sys
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.terminal import (
    EXIT_CODES,
    AsJson,
    InputFiles,
    MappingFile,
    begin,
    checked,
    err,
    failures,
    out,
    show_table,
)
from flows.parameters import RetrainParameters, SourceName
from flows.processes import running
from flows.settings import Settings

VERSION = re.compile(r"^[0-9a-f]{32}(\.dir)?$")

data = typer.Typer(no_args_is_help=True, help="Versions of the declarations: list them, bring one back.")


@data.command("list", epilog=f"{EXIT_CODES}.")
def data_list(as_json: AsJson = False) -> None:
    """The versions of the data folder that are kept here, and the models registered from each."""
    settings = begin()
    from features.store import versioning
    from models.workspace import incumbents

    with failures():
        trained = incumbents.registry_of(settings.places).by_data_version()
        kept = versioning.kept(settings.data_folder, settings.state_folder)
        current = versioning.current(settings.data_folder, settings.state_folder)
    versions = {version: trained.get(version, []) for version in sorted({*kept, *trained})}
    if as_json:
        found = [{"version": name, "is_current": name == current, "models": versions[name]} for name in versions]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    if current and current not in kept:
        err.print(f"{settings.data_folder} is to be at {current}, which is not kept here.", markup=False)
    if not versions:
        err.print("No version of the data is kept here yet; `tidewaiter retrain` makes the first.")
        return
    table = Table("version", "", "models")
    for version, models in versions.items():
        table.add_row(version, "current" if version == current else "", ", ".join(models))
    show_table(table)


@data.command("checkout", epilog=f"{EXIT_CODES}.")
def data_checkout(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="md5 of the version, as `data list` and runs show.")
    ],
) -> None:
    """Bring a version of the data folder back, from the cache or the DVC remote."""
    if not VERSION.match(version):
        raise typer.BadParameter(f"{version!r} is not a version; allowed: 32 hexadecimal digits, with or without .dir")
    settings = checked(Settings)
    from features.store import versioning

    with failures():
        before = versioning.checkout(settings.data_folder, version, settings.state_folder)
    out.print(f"{settings.data_folder} is at version {version.removesuffix('.dir')}.dir", markup=False)
    if before:
        out.print(f"Before it was at {before}: `tidewaiter data checkout {before}` goes back.", markup=False)


@data.command("reread", epilog=f"{EXIT_CODES}.")
def data_reread(
    source: Annotated[SourceName, typer.Option(help="Whose stored files to read again.")],
    input: InputFiles = None,
    mapping: MappingFile = None,
) -> None:
    """Read all files of a source again, as a new version of the data, where files are read otherwise than before.

    After an update that says so, or where the mapping or its rates have changed. The version before stays; the store is
    as it was if a file is refused. Retrain afterwards.
    """
    given: dict[str, object] = {"source": source, "input": input or (), "mapping": mapping}
    parameters = checked(lambda: RetrainParameters.model_validate(given))
    if source is SourceName.SIMULATOR or not parameters.inputs:
        raise typer.BadParameter(
            "nothing to read again; allowed: kcs with --input, files with --mapping. Simulated declarations are made "
            "anew in another TIDEWAITER_DATA_FOLDER"
        )
    settings = begin()
    from features.ingestion import reread
    from features.sources import open_source
    from features.store import Store, versioning
    from flows.progress import on_terminal, stage, wait
    from flows.steps import reports
    from models.policy import load as load_policy

    store = Store(settings.data_folder / source.value)
    limits = load_policy().ingestion
    pages = settings.places.validation_pages(source.value)
    with (
        on_terminal(err, is_flow=False),
        failures(),
        running.turn(settings.state_folder, "tidewaiter data reread", wait),
    ):
        before = versioning.snapshot(settings.data_folder, settings.state_folder)
        with stage("Read all files again") as advance:
            report = reread(
                open_source(source.value, parameters.inputs),
                store,
                limits,
                lambda _, lines: advance(lines, 0),
                lambda batch: reports.write_page(batch, pages),
            )
        now = versioning.snapshot(settings.data_folder, settings.state_folder)
    out.print(f"{report.rows_in:,} lines: {report.stored:,} stored, {report.quarantined:,} quarantined", markup=False)
    out.print(f"{settings.data_folder} is at version {now}", markup=False)
    if now != before:
        out.print(f"Before it was at {before}: `tidewaiter data checkout {before}` goes back.", markup=False)
