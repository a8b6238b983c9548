"""The commands of officers' rules (`criteria`): what one would have meant, who put it in force, and what it has found.

Who proposes and confirms signs in at MLflow's server by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or is
asked.
"""

import json
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flows.commands.signoff import keys_of, reading_ledger, signed_in
from flows.commands.terminal import EXIT_CODES, AsJson, begin, failures, out, show_table
from flows.parameters import SourceName
from flows.settings import Settings

if TYPE_CHECKING:
    from models.criteria import Criterion, Standing, figures
    from models.workspace import Workspace

criteria = typer.Typer(no_args_is_help=True, help="Rules by people: what they want inspected, and for how long.")

_File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The criterion, as TOML.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the criterion.")]
_Reason = Annotated[str, typer.Option(help="Why; it goes into the ledger.")]
_Source = Annotated[SourceName, typer.Option(help="Whose stored declarations are looked at.")]
_Weeks = Annotated[int, typer.Option(min=1, max=104, help="How many of the last weeks that are stored.")]


@criteria.command("list", epilog=f"{EXIT_CODES}.")
def criteria_list(source: _Source = SourceName.SIMULATOR, as_json: AsJson = False) -> None:
    """Every criterion: how it stands, who proposed and confirmed it, and what it found beside the model."""
    settings = begin()
    from models.workspace import incumbents

    today = date.today()
    with reading_ledger():
        keys_of(settings)
        register = incumbents.criteria(settings.places)
        workspace = _workspace(settings, source)
        found = {each.name: each for each in workspace.beside_the_model(register)} if workspace.store.days() else {}
    if as_json:
        told = [_told(each, today, found.get(each.criterion.name)) for each in register]
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("criterion", "state", "lane", "places", "days", "proposed", "confirmed", "hits", "model", "chance")
    for each in register:
        beside, ours = found.get(each.criterion.name), each.criterion
        rates = [_rate(rate) for rate in (beside.own, beside.by_value, beside.by_chance)] if beside else ["unknown"] * 3
        days = f"{ours.begins_on} to {ours.ends_on}"
        confirmed = each.confirmed.actor if each.confirmed else ""
        state = each.words(today)
        table.add_row(ours.name, state, ours.lane, str(ours.places), days, each.proposed.actor, confirmed, *rates)
    show_table(table)


@criteria.command("preview", epilog=f"{EXIT_CODES}.")
def criteria_preview(
    file: _File, source: _Source = SourceName.SIMULATOR, weeks: _Weeks = 8, as_json: AsJson = False
) -> None:
    """Show what a criterion would have meant on past weeks: how many, where, what was found, what it displaces."""
    settings = begin()
    with failures():
        found = _previewed(settings, _read(file), source, weeks)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        _show(found)


@criteria.command("propose", epilog=f"{EXIT_CODES}.")
def criteria_propose(file: _File, reason: _Reason, source: _Source = SourceName.SIMULATOR, weeks: _Weeks = 8) -> None:
    """Show what a criterion would have meant, and propose it; it is in force once another person has confirmed it."""
    settings = begin()
    with failures():
        proposed = _read(file)
        _show(_previewed(settings, proposed, source, weeks))
    with signed_in() as server:
        server.take_step("propose", reason, criterion=proposed.model_dump(mode="json"))
    out.print(f"{proposed.name} is proposed: another person confirms or refuses it.", markup=False)


@criteria.command("confirm", epilog=f"{EXIT_CODES}.")
def criteria_confirm(name: _Name, reason: _Reason) -> None:
    """Put a criterion in force that somebody else proposed."""
    ours = _take("confirm", name, reason)
    out.print(f"{name} is in force from {ours.begins_on} to {ours.ends_on}:", markup=False)
    for condition in ours.conditions:
        out.print(f"  {condition}", markup=False)


@criteria.command("refuse", epilog=f"{EXIT_CODES}.")
def criteria_refuse(name: _Name, reason: _Reason) -> None:
    """Refuse a criterion that somebody else proposed."""
    _take("refuse", name, reason)
    out.print(f"{name} is refused.", markup=False)


@criteria.command("withdraw", epilog=f"{EXIT_CODES}.")
def criteria_withdraw(name: _Name, reason: _Reason) -> None:
    """End a criterion before its last day; what it has decided stays."""
    _take("withdraw", name, reason)
    out.print(f"{name} is withdrawn.", markup=False)


def _read(file: Path) -> "Criterion":
    from models.criteria import criterion

    try:
        return criterion.parse(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _workspace(settings: Settings, source: SourceName) -> "Workspace":
    from models.workspace import Workspace, incumbents

    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        policy = incumbents.policy_of(source.value, settings.places, Path(scratch))
    return Workspace(settings.places, policy, source.value)


def _previewed(settings: Settings, asked: "Criterion", source: SourceName, weeks: int) -> "figures.Preview":
    return _workspace(settings, source).preview(asked, weeks)


def _take(step: str, name: str, reason: str) -> "Criterion":
    """Take a step about the criterion of that name, and return the criterion."""
    begin()
    from models.criteria import Criterion

    with signed_in() as server:
        return Criterion.model_validate(server.take_step(step, reason, name=name))


def _told(standing: "Standing", today: date, beside: "figures.Beside | None") -> dict[str, object]:
    steps = [each for each in (standing.proposed, standing.confirmed, standing.ended) if each]
    return {
        **standing.criterion.model_dump(mode="json"),
        "state": standing.words(today),
        "digest": standing.proposed.digest,
        "steps": [{"step": s.what, "by": s.actor, "at": s.at.isoformat(), "reason": s.reason} for s in steps],
        "found": beside.model_dump(mode="json") if beside else None,
    }


def _rate(rate: "figures.Rate") -> str:
    return f"{rate.hits} of {rate.inspected}: {rate.rate.text('.0%', '')}" if rate.inspected else "unknown"


def _show(found: "figures.Preview") -> None:
    """Print a preview in sentences, with a table by office."""
    days = f"from {found.begins_on} to {found.ends_on}"
    out.print(f"{found.met:,} of {found.declared:,} declared items {days} meet it: {found.met_a_day:.2f} a day.")
    if found.offices:
        table = Table("office", "items", "on its busiest day", "places used")
        for each in found.offices:
            table.add_row(each.office, str(each.met), str(each.most_a_day), str(each.places))
        show_table(table)
    out.print(f"Hits among those that meet it and were inspected: {_rate(found.found)}.")
    out.print(f"Among all others that were inspected: {_rate(found.others)}.")
    out.print(f"Among those that the model chose for value: {_rate(found.by_value)}.")
    if found.displaced is None:
        out.print("What it would displace is unknown: no selection of these weeks is known.")
        return
    lost = found.displaced
    out.print(
        f"It would have given {lost.places} places to items that were released, and taken {lost.displaced} of them "
        f"from items chosen for value; hits among these: {_rate(lost.found)}."
    )
