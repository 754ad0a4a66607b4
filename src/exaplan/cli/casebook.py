"""``cases``: claims that were made in public, computed, with a verdict that follows from the answer."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from exaplan.cli import options as opt
from exaplan.cli.answering import COMPILING
from exaplan.cli.output import check_out, guarded, patience
from exaplan.cli.showing import one_form, show, show_csv, spoken
from exaplan.errors import InputError, Place

CaseName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One case, or its file; all if left out.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="INPUT=VALUE", help="Another value of an input of that case.")
]


@guarded
@spoken
def cases(
    name: CaseName = None,
    having: opt.Having = "",
    changes: Changes = None,
    as_json: opt.AsJson = False,
    as_csv: opt.AsCsv = False,
    out: opt.Out = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """Claims that were made in public, each computed: the answer with its range, a verdict, and the sources."""
    from exaplan.catalog import load
    from exaplan.planning import casebook as book
    from exaplan.report import casebook

    one_form(as_json, as_csv)
    check_out(out)
    changed = _changes(name, changes)
    with patience(COMPILING):
        import exaplan

        known = load(catalog)
        made = (book.answer(known, name, changed),) if name else exaplan.cases(known)
    kept = tuple(answer for answer in made if name or casebook.matches(answer, having))
    if as_csv:
        show_csv(casebook.cases_json(kept, known)["cases"])
    elif name:
        show(lambda: casebook.case_json(kept[0], known), lambda: casebook.case_view(kept[0], known), as_json, out)
    else:
        show(lambda: casebook.cases_json(kept, known), lambda: casebook.cases_view(kept), as_json, out)


def _changes(name: str | None, texts: list[str] | None) -> dict[str, Any]:
    """``price=30000`` for each input that is to be another; a value is a number, text, day, true or false."""
    if not texts:
        return {}
    if name is None:
        hint = "name the case whose input it is, like `exaplan cases NAME --set price=30000`"
        raise InputError("--set is about the inputs of one case", hint=hint, place=Place("--set"))
    from exaplan.catalog.loader import parse_yaml
    from exaplan.cli.question import named

    pairs = [named(text, "--set", "price=30000 (`exaplan cases NAME` tells the inputs)") for text in texts]
    return {key: parse_yaml(value, "--set").value for key, value in pairs}
