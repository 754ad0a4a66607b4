"""Lists of what the catalogue holds, and the commands that look one thing up: ``show``, ``schema``, ``explain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from exaplan.cli import options as opt
from exaplan.cli.output import emit, guarded
from exaplan.cli.showing import one_form

Thing = Annotated[str, typer.Argument(metavar="NAME", help="A chip, node, cluster, model, engine, fabric, site, ask.")]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN.json", help="What `--out` or `--json` wrote.")]
Term = Annotated[str | None, typer.Argument(metavar="[TERM]", help="One term of its breakdown.")]

ABOUT = {
    "nodes": "List the servers, racks and cloud instances of the catalogue.",
    "models": "List the models of the catalogue.",
    "clusters": "List the published clusters of the catalogue.",
    "fabrics": "List the networks between nodes.",
    "engines": "List the engines that serve models, with what they do by default.",
    "sites": "List the places where a cluster can stand: PUE, electricity, carbon.",
    "asks": "List the bundled asks: questions that `plan`, `estimate`, `simulate` and `tax` take by name.",
}


def listed(kind: str, having: str, as_json: bool, as_csv: bool, folder: Path | None) -> None:
    """A list of the catalogue as table, JSON or CSV."""
    from exaplan.catalog import load
    from exaplan.report import listings, to_json

    one_form(as_json, as_csv)
    rows = listings.rows_of(kind, load(folder), having)
    if as_json:
        emit(to_json.text(listings.listing_json(kind, rows)))
    elif as_csv:
        emit(listings.listing_csv(rows))
    else:
        from exaplan.report.screen import draw

        emit(draw(listings.listing_view(kind, rows)))


def lister(kind: str) -> Callable[..., None]:
    """The command that lists one kind."""

    @guarded
    def command(
        having: opt.Having = "", as_json: opt.AsJson = False, as_csv: opt.AsCsv = False, catalog: opt.Folder = None
    ) -> None:
        listed(kind, having, as_json, as_csv, catalog)

    command.__doc__ = ABOUT[kind]
    return command


@guarded
def show(name: Thing, as_json: opt.AsJson = False, catalog: opt.Folder = None) -> None:
    """Every figure of one thing of the catalogue, with its source."""
    from exaplan.catalog import load
    from exaplan.report import shown, to_json

    known = load(catalog)
    found = shown.find(name, known)
    if as_json:
        emit(to_json.text(shown.show_json(found, known)))
    else:
        from exaplan.report.screen import draw

        emit(draw(shown.show_view(found, known)))


@guarded
def schema(name: opt.SchemaName) -> None:
    """The JSON schema of an ask, a plan, a chip file, and so on."""
    from exaplan.report import schemas, to_json

    emit(to_json.text(schemas.schema(name)))


@guarded
def explain(path: PlanFile, term: Term = None, as_json: opt.AsJson = False) -> None:
    """Where a figure came from: every term with its formula, its inputs and their sources."""
    from exaplan.catalog.loader import read_json
    from exaplan.report import explain as explanation
    from exaplan.report import to_json

    document = read_json(path)
    plan_made = explanation.check(document.value, document.place())
    if as_json:
        emit(to_json.text(explanation.explain_json(plan_made, term, document.place())))
    else:
        from exaplan.report.screen import draw

        emit(draw(explanation.explain_view(plan_made, term, document.place())))
