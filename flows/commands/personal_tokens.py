"""The commands of personal tokens: what a person's own programs bring in the place of a password."""

import json
import sys
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.signoff import signed_in
from flows.commands.terminal import EXIT_CODES, AsJson, out, show_table

personal_tokens = typer.Typer(
    no_args_is_help=True,
    help="Tokens of your own for your programs, which bring one in the place of your password.",
)


@personal_tokens.command("new", epilog=f"{EXIT_CODES}.")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you know it by, as the machine's name.")],
    days: Annotated[int, typer.Option(min=1, help="How long it counts, up to what the policy allows.")] = 30,
) -> None:
    """Make a token, and show it, once. With one sign-on, make it on the page /account instead."""
    with signed_in() as server:
        token = server.new_token(name, days)
    out.print(f"{token}", markup=False)
    out.print("It is shown this once and kept nowhere. It stands in the place of your password, with your name.")


@personal_tokens.command("list", epilog=f"{EXIT_CODES}.")
def list_(as_json: AsJson = False) -> None:
    """Every token that you have or had."""
    with signed_in() as server:
        found = server.tokens()
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    table = Table("token", "made", "ends", "counts")
    for each in found:
        table.add_row(each["name"], each["made_at"], each["ends_at"], "yes" if each["counts"] else "no")
    show_table(table)


@personal_tokens.command("revoke", epilog=f"{EXIT_CODES}.")
def revoke(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Revoke a token, from now on."""
    with signed_in() as server:
        server.revoke_token(name)
    out.print(f"The token {name} does not count any more.", markup=False)
