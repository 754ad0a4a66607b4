"""The command line: parse, call one verb, show. No arithmetic, and nothing heavy is imported before it is needed."""

from __future__ import annotations

from typing import Annotated

import typer

from exaplan.cli import asked, casebook, law, looking, money
from exaplan.cli.output import emit

ABOUT = "Plan AI factories: what it takes, what it costs and what is legal, with a range and a source for every figure."

app = typer.Typer(
    name="exaplan",
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from exaplan.report.provenance import program_version

        emit(program_version())
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Plan AI factories."""


root.__doc__ = ABOUT

verbs = (asked.plan, asked.estimate, asked.simulate, law.check, asked.tax, asked.compare, asked.validate)
for command in verbs:
    app.command()(command)
for command in (money.own, money.make, casebook.cases, law.chips):
    app.command()(command)
for kind in looking.ABOUT:
    app.command(kind)(looking.lister(kind))
for command in (law.rules, money.prices, looking.show, looking.schema, looking.explain):
    app.command()(command)


def main() -> None:
    """The ``exaplan`` command."""
    app()
