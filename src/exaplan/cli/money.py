"""``prices``, ``own`` and ``make``: what is asked for chips, what owning them costs, and what making one costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exaplan.cli import options as opt
from exaplan.cli.answering import COMPILING
from exaplan.cli.output import check_out, flagged, guarded, patience
from exaplan.cli.showing import one_form, show, show_csv, spoken
from exaplan.errors import InputError, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exaplan.catalog import Catalog, Price
    from exaplan.catalog.prices import Reading

Item = Annotated[str | None, typer.Argument(metavar="[ITEM]", help="A chip or node of the catalogue.")]
Where = Annotated[str | None, typer.Option("--place", metavar="PLACE", help="Only prices that are asked there.")]
Day = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day whose prices hold; the latest.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="rent, chip, server, street, ...")]
Chip = Annotated[str | None, typer.Option("--chip", metavar="NAME", help="Name of `exaplan chips`, or a file.")]
Count = Annotated[str | None, typer.Option("--count", metavar="N", help="Chips; one node if left out.")]
Node = Annotated[str | None, typer.Option("--node", metavar="NAME", help="Name of `exaplan nodes`, or a file.")]
Site = Annotated[str | None, typer.Option("--site", metavar="NAME", help="Name of `exaplan sites`, or a file.")]
Cooling = Annotated[str | None, typer.Option("--cooling", metavar="KIND", help="air, liquid or sea-water.")]
Used = Annotated[str | None, typer.Option("--utilisation", metavar="SHARE", help="Share of the time used, like 0.7.")]
Facility = Annotated[str | None, typer.Option("--facility", metavar="KIND", help="own, or colocation.")]
Wacc = Annotated[str | None, typer.Option("--wacc", metavar="RATE", help="Cost of capital a year, like 8%.")]
Life = Annotated[str | None, typer.Option("--life", metavar="TIME", help="Years that it is used, like 4 years.")]
Residual = Annotated[str | None, typer.Option("--residual", metavar="SHARE", help="Worth at the end, like 10%.")]
Design = Annotated[str | None, typer.Argument(metavar="[DESIGN]", help="A chip of one's own, or its file; all.")]
Rival = Annotated[str | None, typer.Option("--rival", metavar="CHIP", help="The chip that it is held against.")]
Volume = Annotated[str | None, typer.Option("--volume", metavar="N", help="Chips of one's own that are made.")]


# ---------------------------------------------------------------------------------------------------- prices


@guarded
@spoken
def prices(
    item: Item = None,
    place: Where = None,
    on: Day = None,
    kind: Kind = None,
    as_json: opt.AsJson = False,
    as_csv: opt.AsCsv = False,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """What is known of prices: each row with its source, and what holds on a day. Street prices are only told."""
    from exaplan.catalog import load
    from exaplan.cli.deals import day_of
    from exaplan.report import money

    one_form(as_json, as_csv)
    known, day = load(catalog), day_of(on, "--on")
    rows = _rows(known, item, place, kind)
    iso = day.isoformat() if day else ""
    readings = _readings(known, rows, iso) if item or iso else ()
    if as_csv:
        show_csv(money.prices_json(rows, (), known, iso)["prices"])
        return
    show(
        lambda: money.prices_json(rows, readings, known, iso),
        lambda: money.prices_view(rows, readings, known, iso),
        as_json,
    )


def _rows(known: Catalog, item: str | None, place: str | None, kind: str | None) -> tuple[Price, ...]:
    """The rows that are asked for; an unknown name of any of the three is refused with the nearest."""
    rows = known.prices
    if item is not None:
        name = known.nodes.resolve(item) or known.chip(item, place=Place("ITEM")).name
        rows = tuple(row for row in rows if row.item == name)
    if place is not None:
        country = known.country(place, Place("--place"))
        rows = tuple(row for row in rows if row.place == country)
    if kind is not None:
        kinds = sorted({row.kind for row in known.prices})
        if kind not in kinds:
            raise InputError(
                f"unknown kind of price {kind!r}", hint=f"kinds: {', '.join(kinds)}", place=Place("--kind")
            )
        rows = tuple(row for row in rows if row.kind == kind)
    return rows


def _readings(known: Catalog, rows: Sequence[Price], on: str) -> tuple[Reading, ...]:
    """What holds on the day, for each thing, kind and place of the rows."""
    asked = dict.fromkeys((row.item, row.kind, row.place) for row in rows)
    found = (known.reading(item, kind, on, place) for item, kind, place in asked)
    return tuple(one for one in found if one is not None)


# ------------------------------------------------------------------------------------------------------- own


@guarded
@spoken
def own(
    chip: Chip = None,
    count: Count = None,
    node: Node = None,
    site: Site = None,
    on: Day = None,
    cooling: Cooling = None,
    utilisation: Used = None,
    facility: Facility = None,
    wacc: Wacc = None,
    life: Life = None,
    residual: Residual = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """What owning a cluster costs: up front, each second, per chip-hour; rent against buying; water and carbon."""
    from exaplan.catalog import load
    from exaplan.cli.deals import day_of
    from exaplan.cli.question import cluster_of
    from exaplan.report import money

    check_out(out)
    day = day_of(on, "--on")
    capital, share = _share(wacc, "--wacc"), _share(utilisation, "--utilisation")
    lifetime, left = _time(life, "--life"), _share(residual, "--residual")
    with patience(COMPILING):
        import exaplan

        known = load(catalog)
        cluster = cluster_of({"chip": chip, "count": count, "node": node, "site": site}, known)
        with flagged(FLAGS):
            made = exaplan.own(
                known,
                cluster,
                on=day.isoformat() if day else "",
                cooling=cooling or "",
                utilisation=share,
                facility=facility or "own",
                wacc=capital,
                lifetime=lifetime,
                residual=left,
            )
    show(lambda: money.owned_json(made, known), lambda: money.owned_view(made, known), as_json, out)


FLAGS = {  # of the fields that `own` refuses
    "lifetime": "--life",
    **{name: f"--{name}" for name in ("cooling", "facility", "node", "residual", "utilisation", "wacc")},
}


def _share(text: str | None, flag: str) -> float | None:
    """A share: 0.7 or 70%; what is possible of it, the verb knows."""
    if text is None:
        return None
    try:
        return float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        problem = f"{text!r} is not a share"
        raise InputError(problem, hint="write it like 0.7 or 70%", place=Place(flag)) from None


def _time(text: str | None, flag: str) -> float | None:
    """A duration [s]."""
    return None if text is None else _measured(text, "time", flag)


def _measured(text: str, dimension: str, flag: str) -> float:
    """A quantity with its unit (SI); a refusal names the flag."""
    from exaplan import units

    try:
        return units.parse(text, dimension)
    except InputError as error:
        raise InputError(error.problem, hint=error.hint, place=Place(flag)) from None


# ------------------------------------------------------------------------------------------------------ make


@guarded
@spoken
def make(
    design: Design = None,
    rival: Rival = None,
    volume: Volume = None,
    on: Day = None,
    as_json: opt.AsJson = False,
    out: opt.Out = None,
    lang: opt.Lang = None,
    catalog: opt.Folder = None,
) -> None:
    """What a chip of one's own costs, once and per chip, and from which volume it beats buying one."""
    from exaplan.catalog import load
    from exaplan.cli.deals import day_of
    from exaplan.report import money

    check_out(out)
    day = day_of(on, "--on")
    many = _volume(volume)
    import exaplan

    known = load(catalog)
    names = (design,) if design else tuple(known.designs)
    made = [exaplan.make(known, name, rival or "", many, day.isoformat() if day else "") for name in names]
    show(
        lambda: money.made_json(made[0], known) if design else money.mades_json(made, known),
        lambda: [part for one in made for part in money.made_view(one, known)],
        as_json,
        out,
    )


def _volume(text: str | None) -> float | None:
    """A number of chips, 1 or more."""
    value = None if text is None else _measured(text, "count", "--volume")
    if value is not None and value < 1:
        hint = "write a whole number, like 100000"
        raise InputError(f"{text!r} chips are none", hint=hint, place=Place("--volume"))
    return value
