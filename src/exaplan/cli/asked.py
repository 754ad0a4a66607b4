"""The verbs that answer a question, and those that hold answers against each other or against published runs."""

from __future__ import annotations

from typing import Annotated

import typer

from exaplan.cli import options as opt
from exaplan.cli.answering import COMPILING, Forms, answer, asking, asking_of
from exaplan.cli.flags import flags_of
from exaplan.cli.output import check_out, emit, guarded, patience, write
from exaplan.cli.question import Said
from exaplan.cli.showing import spoken
from exaplan.errors import InputError, Place

STEPS = ("month", "quarter", "year")
Step = Annotated[str, typer.Option("--step", metavar="STEP", help="Of a series: month, quarter or year.")]

# --------------------------------------------------------------------------------------------- plan, estimate


@asking
@guarded
@spoken
def plan(
    ask: opt.AskName = None,
    top: opt.Top = 5,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    launch: opt.Launch = None,
    report: opt.Report = None,
    sets: opt.Sets = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
    *,
    flags: dict[str, Said],
) -> None:
    """The best cluster and layouts to train or serve a model, under every limit: time, cost, energy, with ranges."""
    answer("plan", ask, flags, sets, catalog, Forms(as_json, out, launch, report), top=top)


@asking
@guarded
@spoken
def estimate(
    ask: opt.AskName = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    sets: opt.Sets = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
    *,
    flags: dict[str, Said],
) -> None:
    """One fixed cluster and layout: the step and the memory, term by term."""
    answer("estimate", ask, flags, sets, catalog, Forms(as_json, out))


@asking_of(flags_of("serving"))
@guarded
@spoken
def simulate(
    ask: opt.AskName = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    launch: opt.ServeLaunch = None,
    report: opt.Report = None,
    sets: opt.Sets = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
    *,
    flags: dict[str, Said],
) -> None:
    """Requests through one fixed service: waiting, latencies with their percentiles, throughput, KV cache.

    Ctrl-C ends it early: what was simulated by then is shown, marked as partial, and the exit code is 130.
    """
    answer("simulate", ask, flags, sets, catalog, Forms(as_json, out, launch, report))


@asking
@guarded
@spoken
def tax(
    ask: opt.AskName = None,
    since: opt.Since = None,
    step: Step = "quarter",
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    report: opt.Report = None,
    sets: opt.Sets = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
    *,
    flags: dict[str, Said],
) -> None:
    """The AI tax: what the export rules did to the cost of this very work at a place, in parts, with a range."""
    from exaplan.cli.deals import day_of

    first = day_of(since, "--from")
    if step not in STEPS:
        raise InputError(
            f"{step!r} is not a step of a series", hint=f"choose {', '.join(STEPS)}", place=Place("--step")
        )
    answer("tax", ask, flags, sets, catalog, Forms(as_json, out, None, report), since=first, step=step)


# ---------------------------------------------------------------------------------------------- compare


@guarded
def compare(first: opt.First, second: opt.Second, as_json: opt.AsJson = False, catalog: opt.Folder = None) -> None:
    """Two plans: what differs, and which input explains it."""
    import exaplan
    from exaplan.catalog import load
    from exaplan.catalog.loader import read_json
    from exaplan.report import comparison, to_json

    plans = [read_json(path).value for path in (first, second)]
    with patience(COMPILING):
        made = exaplan.compare(plans[0], plans[1], load(catalog), (str(first), str(second)))
    if as_json:
        emit(to_json.text(comparison.comparison_json(made)))
    else:
        from exaplan.report.screen import draw

        emit(draw(comparison.comparison_view(made)))


# ---------------------------------------------------------------------------------------------- validate


@guarded
def validate(
    runs: opt.Runs = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    catalog: opt.Folder = None,
) -> None:
    """Predictions against published runs: error by row, by source, overall, and how often the range held."""
    check_out(out)
    with patience(COMPILING):
        from exaplan import truth
        from exaplan.catalog import load
        from exaplan.report import to_json

        validation = truth.validate(load(catalog), runs)
        text = to_json.text(to_json.validation_json(validation))
    if out:
        write(out, text)
    if as_json:
        emit(text)
    else:
        from exaplan.report.scores import validation_view
        from exaplan.report.screen import draw

        emit(draw(validation_view(validation)))
