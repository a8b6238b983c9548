"""The `tidewaiter` command: its options, help and exit codes. The work of the commands is elsewhere.

Flows are imported inside the commands: importing Prefect costs seconds, which `--help` and `status` need not pay, and
flows.servers.embedded must have set the environment before.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from flows.commands import (
    backup,
    criteria,
    data,
    demo,
    desk,
    dossier,
    notices,
    personal_tokens,
    play,
    reproduce,
    retention,
    signoff,
    trace,
    transfer,
    window,
)
from flows.commands.terminal import (
    EXIT_CODES,
    FAILED,
    GATES_FAILED,
    NOT_JUDGED,
    AsJson,
    Commands,
    InputFiles,
    MappingFile,
    begin,
    checked,
    err,
    fail,
    failures,
    out,
    show_table,
    tell_whom_to_wait_for,
)
from flows.host import PortInUseError, Status, Up, look
from flows.parameters import (
    Language,
    MonitorParameters,
    NetworkParameters,
    Preset,
    RetrainParameters,
    Search,
    SourceName,
)
from flows.processes import AlreadyRunningError, ChildError, running
from flows.run_requests import authors
from flows.servers import ProjectError
from flows.settings import Engine, Settings
from flows.watching import unjudged

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Trains, watches and governs the models that decide which import declarations customs inspects.\n\n"
        "First steps: `tidewaiter retrain` trains on simulated declarations and ends with what a reviewer must do "
        "next; no server is needed. `tidewaiter up` starts MLflow, Prefect, a worker and the nightly runs.\n\n"
        "Settings come from TIDEWAITER_* in the environment or from tidewaiter.toml in the working folder.\n\n"
        f"{EXIT_CODES}; 3 not running (status); 4 a gate refused the model (retrain, import); "
        "5 not judged for too many nights (monitor), or what could not be checked or tried (trace, reproduce); "
        "6 purged by a rule (trace, reproduce, window replay)."
    ),
)
app.add_typer(data.data, name="data")
app.add_typer(signoff.users, name="users")
app.add_typer(signoff.audit, name="audit")
app.add_typer(window.tokens, name="tokens")
app.add_typer(personal_tokens.personal_tokens, name="token")
app.add_typer(window.window, name="window")
app.add_typer(desk.desk, name="desk")
app.add_typer(criteria.criteria, name="criteria")
app.add_typer(notices.notices, name="notices")
app.command(epilog=f"{EXIT_CODES}.")(signoff.rollback)
app.command(epilog=f"{EXIT_CODES}.")(signoff.withdraw)
app.command(epilog=f"{EXIT_CODES}.")(backup.backup)
app.command(epilog=f"{EXIT_CODES}.")(backup.restore)
app.command(epilog=f"{EXIT_CODES}.")(backup.upgrade)
app.command(epilog=f"{EXIT_CODES}.")(transfer.export)
app.command("import", epilog=f"{EXIT_CODES}; 4 a gate refused it here, so nothing was registered.")(transfer.import_)
app.command(epilog=trace.EPILOG)(trace.trace)
app.command(epilog=reproduce.EPILOG)(reproduce.reproduce)
app.command(epilog=f"{EXIT_CODES}.")(demo.demo)
app.command(epilog=f"{EXIT_CODES}.")(dossier.dossier)
app.command(epilog=f"{EXIT_CODES}.")(retention.purge)
app.command(epilog=f"{EXIT_CODES}; also 1 if a sum of the books does not balance.")(play.play)


@app.command(epilog=f"{EXIT_CODES}; 4 trained, but a gate refused the model, so nothing was registered.")
def retrain(
    source: Annotated[
        SourceName,
        typer.Option(help="simulator: made up, seeded. kcs: the public Korean files. files: your own, with --mapping."),
    ] = SourceName.SIMULATOR,
    input: InputFiles = None,
    mapping: MappingFile = None,
    rows: Annotated[
        int | None, typer.Option(help="Declarations to simulate.", show_default="as stored, or 200000")
    ] = None,
    months: Annotated[
        int | None, typer.Option(help="Months they spread over.", show_default="as stored, or 18")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same declarations.", show_default="as stored, or 20240229")
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(help="plain, or a world with mistakes, appeals and shocks.", show_default="as stored, or plain"),
    ] = None,
    search: Annotated[
        Search, typer.Option(help="Trials of other parameters: few, beginning with the last best, or many.")
    ] = Search.USUAL,
    again: Annotated[bool, typer.Option("--again", help="Train although the same was trained before.")] = False,
    engine: Annotated[
        Engine | None,
        typer.Option(help="What computes features and grows trees: this process, or Ray.", show_default="as set"),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The Ray cluster's; this machine is one of its nodes.")
    ] = None,
) -> None:
    """Ingest, validate, compute features, train, evaluate, judge, register a challenger.

    What was ingested before is skipped, and so is any feature already computed: the command can be repeated and,
    stopped at any point, run again. Where nothing has changed since a version was made, it says so and trains nothing.
    Where `tidewaiter up` runs, the run shows in its Prefect and MLflow; otherwise
    both are temporary servers and files in .tidewaiter.
    """
    given: dict[str, object] = {"input": input, "mapping": mapping, "rows": rows, "months": months, "seed": seed}
    given |= {"preset": preset, "engine": engine, "address": address}
    parameters = checked(
        lambda: RetrainParameters.model_validate(
            {"source": source, "search": search, "again": again, **{k: v for k, v in given.items() if v is not None}}
        )
    )
    from flows.run_requests import asked

    with failures():
        stored = asked.settle(parameters, checked(Settings))
        by = authors.of_command(checked(Settings))
    settings = begin()
    tell_whom_to_wait_for(settings)
    from flows.progress import on_terminal
    from flows.retrain import retrain as run
    from flows.steps import show

    with on_terminal(err), failures():
        summary = run(stored.model_copy(update={"requested_by": by}))
    show(summary, out)
    out.print(f"MLflow: {settings.tracking_uri}", markup=False)
    if not summary.is_registered:
        raise typer.Exit(GATES_FAILED)


@app.command(epilog=f"{EXIT_CODES}; 5 columns or quality could not be judged for more nights than are set.")
def monitor(
    source: Annotated[SourceName, typer.Option(help="Whose stored declarations to look at.")] = SourceName.SIMULATOR,
) -> None:
    """Compare the latest declarations with those that the champion was trained on.

    A breach of the policy's drift bounds is reported, and starts retrain/on-drift where `tidewaiter up` runs.
    """
    with failures():
        parameters = MonitorParameters(source=source, requested_by=authors.of_command(checked(Settings)))
    settings = begin()
    from flows.monitor import monitor as run
    from flows.progress import on_terminal

    with on_terminal(err), failures():
        drift: Any = run(parameters)  # the content of the state, and not the state that its type names
    out.print(drift.verdict, markup=False)
    for each in unjudged.read(settings.runs_folder):
        if each.source == source.value and each.is_overdue(settings.unjudged_nights):
            fail(each.sentence, NOT_JUDGED)


@app.command(epilog=f"{EXIT_CODES}.")
def backtest(
    train: Annotated[
        list[Path],
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="File to train on, with outcomes; repeatable."),
    ],
    test: Annotated[
        list[Path],
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="File to score; outcomes optional; repeatable."),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, metavar="DIR", help="Where predictions.csv goes.")],
    source: Annotated[SourceName, typer.Option(help="What the files are.")] = SourceName.KCS,
    mapping: MappingFile = None,
    as_json: AsJson = False,
) -> None:
    """Train on one period, score a later one, and say how good that would have been.

    Nothing of the scored files' outcomes reaches the model. DIR/predictions.csv has declaration_id, score (calibrated
    probability that an inspection finds an infringement), expected_revenue and priority (what inspection ranks by).
    Files without outcomes are scored too; their metrics are left out. Needs no server, and writes nowhere but DIR.
    """
    if source is SourceName.SIMULATOR:
        raise typer.BadParameter("'simulator' has no files; allowed: kcs, files", param_hint="--source")
    if (mapping is not None) != (source is SourceName.FILES):
        raise typer.BadParameter("goes with --source files, and only with it", param_hint="--mapping")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"'{out}' cannot be made ({error.strerror})", param_hint="--out") from error
    from flows.backtest import run
    from flows.progress import on_terminal

    named = [str(mapping)] if mapping else []
    sides = ([*named, *map(str, files)] for files in (train, test))
    with on_terminal(err, is_flow=False), failures():
        account = run(source.value, *sides, out)
    for caution in _cautions(account):
        err.print(caution, markup=False)
    if not account["test"]["rows"]:
        fail("Nothing of the scored files could be scored.")
    if as_json:
        sys.stdout.write(json.dumps(account, indent=2) + "\n")
    else:
        _show_backtest(account)


@app.command(epilog=f"{EXIT_CODES}.")
def reasons(
    declaration_id: Annotated[str, typer.Argument(metavar="DECLARATION", help="The declaration's reference.")],
    source: Annotated[SourceName, typer.Option(help="Where it is stored.")] = SourceName.SIMULATOR,
    language: Annotated[Language, typer.Option(help="Of the sentences.")] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """Why a stored declaration scores as it does: the facts that moved its score most, in an officer's words."""
    settings = begin()
    from flows.commands.explain import explain
    from flows.progress import on_terminal
    from models.network_page import address

    with on_terminal(err, is_flow=False), failures():
        found = explain(settings, source.value, declaration_id, language.value)
    if as_json:
        document = {
            "version": found.version,
            "alias": found.alias,
            "importer_id": found.importer_id,
            "predictions": found.predictions.to_dicts(),
            "reasons": found.reasons.to_dicts(),
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    for item in found.predictions.iter_rows(named=True):
        out.print(f"Item {item['item_number']}: score {item['score']:.3f}, {found.alias} version {found.version}")
        for reason in found.reasons.filter(item_number=item["item_number"]).iter_rows(named=True):
            out.print(f"  {reason['contribution']:+.2f}  {reason['sentence']}", markup=False)
    out.print(
        f"Who stands behind whom: {settings.pages_url}{address(source.value, found.importer_id)}",
        markup=False,
        soft_wrap=True,
    )


@app.command(epilog=f"{EXIT_CODES}.")
def network(
    importer: Annotated[
        str | None, typer.Argument(metavar="IMPORTER", help="Whom to begin with, as declarations name it.")
    ] = None,
    source: Annotated[SourceName, typer.Option(help="Whose companies to look at.")] = SourceName.SIMULATOR,
) -> None:
    """Who stands behind whom: bring the network of companies up to date, and say where to look at it.

    The page is part of the MLflow server that `tidewaiter up` starts, with its accounts; opening a company is logged.
    """
    parameters = checked(lambda: NetworkParameters(source=source))
    settings = begin()
    tell_whom_to_wait_for(settings)
    from features.network_map import build
    from flows.network import network as run
    from flows.progress import on_terminal
    from models.network_page import address

    with on_terminal(err), failures():
        found = run(parameters)
    out.print(f"{found.companies:,} companies, as known from {found.first} to {found.last}.")
    clusters = settings.places.networks / source.value / build.CLUSTERS
    out.print(f"Those that are probably one, to review: {clusters}", markup=False, soft_wrap=True)
    out.print(settings.pages_url + address(source.value, importer), markup=False, soft_wrap=True)
    if running.find(settings.state_folder) is None:
        err.print("Nothing answers there yet: start `tidewaiter up`.", markup=False)


@app.command(epilog=f"{EXIT_CODES}.")
def select(
    source: Annotated[SourceName, typer.Option(help="Among whose stored declarations.")] = SourceName.SIMULATOR,
    language: Annotated[Language, typer.Option(help="Of the reasons on the work list.")] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """Select what is inspected, in which lane, among the declarations that no run has selected yet.

    The champion selects, within the places of the policy signed with it; the first time, among those of the latest day.
    The selection is kept with the data, and the officers' work list is written, with the reasons.
    """
    tell_whom_to_wait_for(begin())
    from flows.parameters import SelectParameters
    from flows.progress import on_terminal
    from flows.select import select as run

    with on_terminal(err), failures():
        found = run(SelectParameters(source=source, language=language))
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2, default=str) + "\n")
    elif found.days:
        first, last = found.days
        out.print(f"Version {found.version} selected among {found.declarations:,} declarations, {first} to {last}:")
        out.print(", ".join(f"{count:,} {lane}" for lane, count in found.inspections.items()))
        out.print(f"Work list: {found.work_list}", markup=False, soft_wrap=True)
        if found.unplaced:
            err.print(f"{found.unplaced:,} likely to be critical have no place: their offices have too few.")
    if found.version is None:
        fail(f"Nothing selected: {found.why_nothing}.")
    if found.why_nothing:
        err.print(f"Nothing selected: {found.why_nothing}.", markup=False)


@app.command("simulate", hidden=True)  # its earlier name
@app.command(epilog=f"{EXIT_CODES}.")
def rehearse(
    source: Annotated[SourceName, typer.Option(help="simulator, or kcs with --input.")] = SourceName.SIMULATOR,
    input: Annotated[
        list[str] | None, typer.Option("--input", metavar="GLOB", help="Files of kcs, quoted; may be repeated.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Declarations to simulate, for each seed.")] = 40_000,
    months: Annotated[int, typer.Option(help="Months they spread over.")] = 18,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 20240229,
    preset: Annotated[Preset, typer.Option(help="plain, or worlds with mistakes, appeals and shocks.")] = Preset.PLAIN,
    seeds: Annotated[int, typer.Option(help="How many worlds, with seeds that follow one another.")] = 1,
    warm_up_weeks: Annotated[int, typer.Option(help="Weeks that stay as they were, for the first training.")] = 26,
    retrain_weeks: Annotated[int, typer.Option(help="Weeks from one training to the next.")] = 4,
    new_scheme: Annotated[
        str | None, typer.Option(help="A scheme of the simulator that begins only after the warm-up.")
    ] = None,
    new_from_week: Annotated[int, typer.Option(help="Replayed week in which it begins.")] = 8,
    answers: Annotated[
        bool, typer.Option("--answers", help="Let traders who cheat answer: they move, stop and come back.")
    ] = False,
    target: Annotated[
        Path | None, typer.Option("--out", file_okay=False, metavar="DIR", help="Where document and pictures go.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rehearse: replay past weeks under several ways of choosing, each learning only from what it inspected.

    docs/rehearsal.md says how long it takes and how to read the result.
    """
    settings = begin()
    from flows.progress import on_terminal
    from flows.rehearse import RehearseParameters, as_markdown, folder_of
    from flows.rehearse import rehearse as run

    parameters = checked(
        lambda: RehearseParameters(
            source=source,
            input=tuple(input or ()),
            rows=rows,
            months=months,
            seed=seed,
            preset=preset,
            seeds=seeds,
            warm_up_weeks=warm_up_weeks,
            retrain_weeks=retrain_weeks,
            new_scheme=new_scheme,
            new_from_week=new_from_week,
            answers=answers,
            out=target,
        )
    )
    with on_terminal(err), failures():
        found = run(parameters)
    sys.stdout.write(found.model_dump_json(indent=2) + "\n" if as_json else as_markdown(found))
    err.print(f"Document and pictures: {folder_of(parameters, settings)}", markup=False, soft_wrap=True)


@app.command(epilog=f"{EXIT_CODES}, a port in use or a program that keeps dying among them.")
def up() -> None:
    """Start MLflow, Prefect, a worker and every deployment of prefect.yaml; Ctrl-C stops them all.

    All of it listens on this machine only. A program that dies is started again. Nights that were missed while
    nothing ran are caught up once. Logs are in .tidewaiter/logs.
    """
    settings = checked(Settings)
    try:
        with failures():
            Up(settings, Path.cwd(), out.print).run()
    except (AlreadyRunningError, PortInUseError, ProjectError, ChildError) as error:
        fail(str(error), FAILED)
    except httpx.HTTPError as error:
        fail(f"Prefect's server failed a request ({error}); see {settings.logs_folder / 'prefect.log'}", FAILED)


@app.command(
    epilog="Exit codes: 0 healthy; 1 unhealthy; 2 wrong options or settings; 3 not running, or still starting."
)
def status(as_json: AsJson = False) -> None:
    """What is healthy, what the last nights did, and which models are in force."""
    settings = checked(Settings)
    with failures():
        found = look(settings, Path.cwd(), datetime.now(UTC))
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        _show(found)
    raise typer.Exit(found.exit_code)


def _show(found: Status) -> None:
    for check in found.checks:
        mark = "[yellow]warn[/]" if check.is_warning else "[green]ok  [/]" if check.is_ok else "[red]BAD [/]"
        out.print(f"{mark} {check.name:36}", end="")
        out.print(check.detail, markup=False)
    if found.is_running:
        models = ", ".join(f"{alias} is version {version}" for alias, version in found.models.items())
        out.print(f"     {'models':36}{models or 'none registered yet'}")
    if found.nights:
        table = Table(
            "due (UTC)", "deployment", "state", "seconds", "reason", title="Last nights", title_justify="left"
        )
        for night in found.nights:
            seconds = "" if night.duration_s is None else f"{night.duration_s:.0f}"
            due = f"{night.due_at:%Y-%m-%d %H:%M}"
            table.add_row(due, night.deployment, night.state, seconds, night.reason)
        show_table(table)


def _cautions(account: dict[str, Any]) -> Iterator[str]:
    """Yield the sentences that a reader should know before the figures."""
    train, test = account["train"], account["test"]
    unscored = test["unscored"]
    if unscored:
        first = unscored[0]
        where = f"{first['file']} line {first['source_line']}: {first['reason']}"
        yield f"{len(unscored):,} lines of the scored files could not be scored; the first is {where}"
    if test["rows"] and test["first_day"] <= train["last_day"]:
        yield (
            f"The scored files begin on {test['first_day']}, the training files end on {train['last_day']}: the model "
            "knows days that it is measured on, so the figures say little of what it would do on later ones."
        )


def _show_backtest(account: dict[str, Any]) -> None:
    train, test, metrics = account["train"], account["test"], account["metrics"]
    out.print(f"Trained on {train['rows']:,} declarations, {train['first_day']} to {train['last_day']}.", markup=False)
    out.print(f"Scored {test['rows']:,} to {account['predictions']}.", markup=False)
    if metrics is None:
        out.print("The scored files have no outcomes, so nothing is measured.")
        return
    table = Table("figure", "all rows", "with an identical earlier row", "without one")
    parts = (metrics, metrics["has_identical_earlier_row"], metrics["has_no_identical_earlier_row"])
    for name in (name for name, value in metrics.items() if not isinstance(value, dict)):
        table.add_row(name, *(_figure(part.get(name)) for part in parts))
    show_table(table)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
