"""``check``, ``chips`` and ``rules``: what the encoded export rules say. Analysis, not legal advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exaplan.cli import options as opt
from exaplan.cli.output import check_out, guarded, write
from exaplan.cli.showing import check_report, one_form, show, show_csv, spoken, warn
from exaplan.errors import InputError, Place

if TYPE_CHECKING:
    from rich.console import RenderableType

    from exaplan.catalog import Catalog
    from exaplan.nouns import Chip, Deal, Verdict

Steps = Sequence[tuple[str, "Verdict"]]
Named = Annotated[list[str], typer.Argument(metavar="CHIP...", help="Names of `exaplan chips`, or your chip files.")]
Timeline = Annotated[bool, typer.Option("--timeline", help="Every day on which the answer changes.")]
RuleName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One rule of the list.")]


# ----------------------------------------------------------------------------------------------------- check


@guarded
@spoken
def check(
    chips: Named,
    to: opt.To = None,
    on: opt.On = None,
    headquarters: opt.Headquarters = None,
    origin: opt.FromPlace = None,
    end_user: opt.EndUser = None,
    buyer: opt.Buyer = None,
    letters: opt.Letters = None,
    without: opt.Without = None,
    threshold: opt.Threshold = None,
    timeline: Timeline = False,
    since: opt.Since = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    report: opt.Report = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """Whether a chip may go to a place on a day, and the clauses that say so. Analysis, not legal advice."""
    from exaplan.catalog import load
    from exaplan.cli.deals import deal_of

    check_out(out)
    check_report(report, out)
    known = load(catalog)
    said = {"to": to, "on": on, "headquarters": headquarters, "origin": origin, "end_user": end_user}
    said |= {"buyer": buyer, "letters": letters, "without": without}
    deal, told = deal_of({**said, "thresholds": threshold}, known)
    found = _found(chips, known)
    if timeline or since or report:
        if on is not None:
            problem = "--on is one day, and a timeline (--timeline, --from, --report) tells them all"
            raise InputError(problem, hint="leave --on out, or the others", place=Place("--on"))
        _timelines(found, deal, since, known, as_json, out, report)
    else:
        made = _checked(found, deal, told, known)
        if as_json:  # the tables hold them
            warn(line for verdict in made.values() for line in verdict.warnings)
        _verdicts(made, known, as_json, out)


def _found(names: Sequence[str], known: Catalog) -> dict[str, Chip]:
    """The chips that are named, each once, in that order."""
    out: dict[str, Chip] = {}
    for name in names:
        chip = known.chip(name, place=Place("CHIP"))
        if out.setdefault(chip.name, chip) != chip:
            problem = f"{name} and another chip are both named `{chip.name}`"
            raise InputError(problem, hint="give yours a name of its own", place=Place("CHIP"))
    return out


def _checked(chips: Mapping[str, Chip], deal: Deal, told: tuple[str, ...], known: Catalog) -> dict[str, Verdict]:
    """The verdict of each chip, with what was taken for granted of the deal."""
    import exaplan

    def verdict(chip: Chip) -> Verdict:
        return _judged(exaplan.check(known.sold(chip), deal, known.rules), chip, told)

    return {name: verdict(chip) for name, chip in chips.items()}


def _judged(verdict: Verdict, chip: Chip, told: tuple[str, ...] = ()) -> Verdict:
    """The verdict under the name that was asked for: a die is judged as the package that it is sold in."""
    package = () if verdict.chip == chip.name else (f"judged as the package {verdict.chip}, in which it is sold",)
    return replace(verdict, chip=chip.name, assumes=(*package, *verdict.assumes, *told))


def _verdicts(made: Mapping[str, Verdict], known: Catalog, as_json: bool, out: Path | None) -> None:
    from exaplan.report import law

    verdicts = tuple(made.values())

    def document() -> Mapping[str, Any]:
        return law.check_json(verdicts[0]) if len(verdicts) == 1 else law.checks_json(verdicts)

    def view() -> list[RenderableType]:
        return [part for verdict in verdicts for part in law.check_view(verdict, known)]

    show(document, view, as_json, out)


def _timelines(
    chips: Mapping[str, Chip],
    deal: Deal,
    since: str | None,
    known: Catalog,
    as_json: bool,
    out: Path | None,
    report: Path | None,
) -> None:
    """The days on which the answer changes, chip by chip."""
    from exaplan import rules
    from exaplan.cli.deals import day_of
    from exaplan.report import law

    first = day_of(since, "--from")
    more = {"since": first.isoformat()} if first else {}

    def timeline(chip: Chip) -> Steps:
        steps = rules.timeline(known.sold(chip), deal, known.rules, **more)
        return tuple((day, _judged(verdict, chip)) for day, verdict in steps)

    steps = {name: timeline(chip) for name, chip in chips.items()}
    pages = b""
    if report:
        from exaplan.report.page import suffix_of

        pages = law.timeline_report(steps, suffix_of(report), known)

    def document() -> Mapping[str, Any]:
        one = next(iter(steps.values()))
        return law.timeline_json(one) if len(steps) == 1 else law.timelines_json(steps)

    def view() -> list[RenderableType]:
        return [part for one in steps.values() for part in law.timeline_view(one, known)]

    if report:
        write(report, pages, "--report")
    show(document, view, as_json, out)


# ----------------------------------------------------------------------------------------------------- chips


@guarded
@spoken
def chips(
    having: opt.Having = "",
    to: opt.To = None,
    on: opt.On = None,
    headquarters: opt.Headquarters = None,
    as_json: opt.AsJson = False,
    as_csv: opt.AsCsv = False,
    report: opt.Report = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """List the chips of the catalogue; with --to, what the export rules say of each on a day."""
    from exaplan.cli.looking import listed

    law = {"to": to, "on": on, "headquarters": headquarters}
    if to is not None:
        _legal_chips(having, law, as_json, as_csv, report, catalog)
        return
    for name, value in {**law, "report": report}.items():
        if value is not None:
            problem = f"--{name} is about the export rules of a destination, and --to is missing"
            raise InputError(problem, hint="add --to PLACE, like --to CN", place=Place(f"--{name}"))
    listed("chips", having, as_json, as_csv, catalog)


def _legal_chips(
    having: str,
    said: Mapping[str, str | None],
    as_json: bool,
    as_csv: bool,
    report: Path | None,
    folder: Path | None,
) -> None:
    """The list with the class and verdict of each chip, and the chart of the thresholds."""
    from exaplan.catalog import load
    from exaplan.cli.deals import deal_of
    from exaplan.report import law, listings

    one_form(as_json, as_csv)
    check_report(report, None)
    known = load(folder)
    deal, told = deal_of(said, known)
    rows = listings.rows_of("chips", known, having)
    verdicts = _checked({row["name"]: known.chips[row["name"]] for row in rows}, deal, told, known)
    warn((*_shared(verdicts), *_later([known.chips[name] for name in verdicts], deal.on)))
    if report:
        write(report, _chart(verdicts, deal, report, known), "--report")
    if as_csv:
        show_csv(law.chips_rows(rows, verdicts))
    else:
        show(lambda: law.chips_json(rows, verdicts), lambda: law.chips_view(rows, verdicts), as_json)


def _shared(verdicts: Mapping[str, Verdict]) -> list[str]:
    """The warnings that every chip shares: those about the day and the deal."""
    told = [verdict.warnings for verdict in verdicts.values()]
    return [line for line in (told[0] if told else ()) if all(line in others for others in told)]


def _later(chips: Sequence[Chip], on: str) -> list[str]:
    """Which of the chips were not out yet: what the rules would say of them is told all the same."""
    from exaplan.planning.legal import released

    late = [chip.name for chip in chips if released(chip, on) is False]
    return [f"not released by {on}: {', '.join(late)}"] if late else []


def _chart(verdicts: Mapping[str, Verdict], deal: Deal, report: Path, known: Catalog) -> bytes:
    """TPP against performance density with the thresholds of the day."""
    from exaplan import rules
    from exaplan.report import law
    from exaplan.report.page import suffix_of

    pages: bytes = law.chips_report(verdicts, rules.thresholds(deal, known.rules), suffix_of(report), known)
    return pages


# ----------------------------------------------------------------------------------------------------- rules


@guarded
@spoken
def rules(
    name: RuleName = None,
    as_json: opt.AsJson = False,
    as_csv: opt.AsCsv = False,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """List the encoded export rules, or show one: its tests, dates, places and citation."""
    from exaplan.catalog import load
    from exaplan.report import law

    one_form(as_json, as_csv)
    known = load(catalog)
    if name is not None and as_csv:
        raise InputError("--csv is a list of all rules", hint="leave NAME or --csv out", place=Place("--csv"))
    if name is not None:
        rule = known.rules.rule(name, Place("NAME"))
        show(lambda: law.rule_json(rule, known), lambda: law.rule_view(rule, known), as_json)
    elif as_csv:
        show_csv(law.rules_json(known.rules)["rules"])
    else:
        show(lambda: law.rules_json(known.rules), lambda: law.rules_view(known.rules), as_json)
