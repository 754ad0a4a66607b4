"""The AI tax for the terminal: one sentence, the steps from the reference to the local cost, both plans, the series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers.tax import PARTS, BreakEven, Tax, TaxPoint, TaxSide
from exaplan.catalog import Catalog
from exaplan.report import citing
from exaplan.report.law.check import place_name
from exaplan.report.money import paid
from exaplan.report.money.paid import Paid
from exaplan.report.money.prices import dollars
from exaplan.report.screen import amount, heading, listed, percent, table
from exaplan.report.sheets import NONE, parts_text
from exaplan.report.verdicts import brief
from exaplan.report.words import phrase, word

BAR = 24  # characters of the longest bar of the waterfall
LEAST = 5e-4  # share of the reference below which nothing is drawn, and nothing is left to explain
NOT_FREE = "not even free of charge"  # how it is told that no price is low enough
BOTH = "*"  # where two ways to pay are drawn on one spot
BY_RULE = ("capability", "quantity")  # parts of a tax that export rules cause
COLUMNS, ROWS = 78, 12  # characters of the plot


def tax_view(tax: Tax, catalog: Catalog) -> list[RenderableType]:
    """What ``exaplan tax`` prints."""
    return [
        heading(title(tax, catalog)),
        Text(""),
        *(Text(line, style="bold") for line in headlines(tax)),
        Text(""),
        *(part for side in ordered(tax) for part in side_view(side)),
        *break_even_view(tax.break_even),
        *series_view(tax),
        *listed(word("tax.verdicts"), (brief(verdict) for verdict in tax.verdicts)),
        *(
            [Text(word("tax.counterfactual", what=phrase(tax.counterfactual)), style="yellow")]
            if tax.counterfactual
            else []
        ),
        *citing.told("plan.warnings", tax.warnings, "yellow"),
        *citing.told("plan.assumptions", tax.assumptions),
        *citing.sources(sources_of(tax), catalog),
        Text(word("tax.range"), style="dim"),
        citing.advice(),
    ]


def title(tax: Tax, catalog: Catalog) -> str:
    """The work, the place and the day."""
    model = tax.ask.get("model") or tax.ask.get("system") or word("tax.work")
    return word("tax.title", model=model, to=place_name(tax.deal.to, catalog), on=tax.deal.on)


def ordered(tax: Tax) -> list[TaxSide]:
    """The ways to pay, the one that is told first in front."""
    return [tax.sides[name] for name in sorted(tax.sides, key=lambda name: (name != tax.headline, name))]


def headlines(tax: Tax) -> Iterator[str]:
    """One sentence for each way to pay."""
    for side in ordered(tax):
        yield sentence(side)


def sentence(side: TaxSide) -> str:
    """The tax by one way to pay: how large, in what range, and what it is made of."""
    terms = word(f"tax.terms.{side.terms}")
    if side.tax is None:
        why = phrase(side.why).rstrip(".") or word("tax.unknown")
        return word("tax.none", terms=terms, why=why) + word("law.stop")
    ends = (side.low, side.high)
    known = None not in ends
    span = word("tax.span", low=signed(side.low), high=signed(side.high)) if known else ""
    told = word(
        "tax.headline" if side.tax >= 0 else "tax.cheaper", terms=terms, tax=percent(abs(side.tax), 0), span=span
    )
    parts = [f"{word(f'tax.parts.{name}')} {signed(side.parts.get(name))}" for name in PARTS if side.parts.get(name)]
    told += word("tax.made_of", parts=word("law.comma").join(parts)) if parts else ""
    return told + (word("tax.no_rule") if _untouched(side) else "") + word("law.stop")


def _untouched(side: TaxSide) -> bool:
    """Whether the rules take no chip away and leave enough of each."""
    shares = [side.parts.get(name) for name in BY_RULE]
    return None not in shares and not any(abs(share or 0.0) > LEAST for share in shares)


def signed(value: float | None, digits: int = 0) -> str:
    """A share with its sign; a dash where it is unknown."""
    return NONE if value is None else f"{value * 100:+.{digits}f}%"


def side_view(side: TaxSide) -> list[RenderableType]:
    """One way to pay: the steps from the reference to the local cost, and the two plans side by side."""
    if side.tax is None and not (side.reference or side.local or side.notes):
        return []
    made: list[RenderableType] = [heading(word("tax.by", terms=word(f"tax.terms.{side.terms}")))]
    if side.tax is not None:
        made.append(table(("step", "share", "money", "sum", ""), waterfall(side), left=("",)))
    if side.reference or side.local:
        made.append(table(("", "reference", "local"), plans(side), left=("reference", "local")))
    if side.time_ratio is not None:
        made.append(Text(word("tax.slower", ratio=f"{side.time_ratio:.3g}")))
    return [*made, *listed(word("explain.notes"), map(phrase, side.notes)), Text("")]


def waterfall(side: TaxSide) -> list[list[object]]:
    """Rows: the reference, each part on top of it, what no part explains, the local cost; they add up."""
    base = side.reference.cost if side.reference and side.reference.cost else None
    steps = list(_levels(side))
    scale = BAR / max(1.0, *(end for _, _, end in steps if end is not None))
    rows = [_row_of(name, start, end, base, scale) for name, start, end in steps]
    rows[-1][0] = Text(word("tax.local"), style="bold")
    return rows


def _levels(side: TaxSide) -> Iterator[tuple[str, float, float | None]]:
    """(name, level before, level after) of each step, the reference being 1; the ends start from nothing."""
    yield word("tax.reference"), 0.0, 1.0
    level, whole = 1.0, 1.0 + (side.tax or 0.0)
    for name in PARTS:
        part = side.parts.get(name)
        yield word(f"tax.parts.{name}"), level, None if part is None else level + part
        level += part or 0.0
    if abs(whole - level) > LEAST:
        yield word("tax.rest"), level, whole
    yield word("tax.local"), 0.0, whole


def _row_of(name: str, start: float, end: float | None, base: float | None, scale: float) -> list[object]:
    """A step as cells: its share of the reference, its money, the sum so far, and where it lies."""
    if end is None:
        return [name, NONE, NONE, "", word("tax.unknown")]
    part = end - start
    if start == 0.0:
        return [name, percent(part, 0), _dollars(part, base), _dollars(end, base), _bar(0.0, end, scale)]
    money = ("-" if part < 0 else "+") + _dollars(abs(part), base) if base else NONE
    return [name, signed(part), money, _dollars(end, base), _bar(start, end, scale)]


def _dollars(share: float, base: float | None) -> str:
    return amount(share * base, "money") if base else NONE


def _bar(start: float, end: float, scale: float) -> Text:
    """A bar from one level to another, ``scale`` characters to the reference."""
    low, high = sorted((max(start, 0.0), max(end, 0.0)))
    cells = [round(level * scale) for level in (low, high)]
    width = max(cells[1] - cells[0], 1 if high - low > LEAST else 0)
    return Text(" " * cells[0] + ("█" if end >= start else "▒") * width, style="cyan")


def plans(side: TaxSide) -> list[list[str]]:
    """The reference plan and the local one, row by row."""
    ways = (side.reference, side.local)
    rows = [[word(f"tax.rows.{name}"), *(ROW[name](way) if way else NONE for way in ways)] for name in ROW]
    return [row for row in rows if any(cell not in ("", NONE) for cell in row[1:])]


def _where(priced: Paid) -> str:
    return priced.cluster.site.name if priced.cluster else NONE


def _chips(priced: Paid) -> str:
    return f"{paid.chips_of(priced):,} {paid.chip_of(priced) or '?'}"


def _nodes(priced: Paid) -> str:
    name = f" {priced.cluster.node.name}" if priced.cluster else ""
    return f"{paid.nodes(priced):,}{name}"


def _price(priced: Paid) -> str:
    taken = paid.taken(priced)
    parts = (taken.source, taken.date, taken.place) if taken else (paid.price_source(priced),)
    return ", ".join(part for part in parts if part) or NONE


def _cost(priced: Paid) -> str:
    low, high = priced.ranges.get("cost", (None, None))
    value = amount(priced.cost, "money")
    return value if low is None else word("tax.ends", value=value, low=amount(low, "money"), high=amount(high, "money"))


def _made_of(priced: Paid) -> str:
    taken = paid.taken(priced)
    return parts_text(taken) if taken and taken.parts else NONE


def _engine(priced: Paid) -> str:
    return paid.extra_rows(priced).get("engine", "")


ROW: Mapping[str, Callable[[Paid], str]] = {
    "chips": _chips,
    "nodes": _nodes,
    "site": _where,
    "layout": paid.layout_text,
    "engine": _engine,
    "time": lambda priced: amount(priced.time, "time"),
    "cost": _cost,
    "parts": _made_of,
    "price": _price,
}


# --------------------------------------------------------------------------------- break-even and series


def break_even_view(rows: Sequence[BreakEven]) -> list[RenderableType]:
    """At what price, or at what speed, each domestic chip ends the tax."""
    if not rows:
        return []
    columns = ("chip", "now", "even_price", "even_speed", "note")
    return [table(columns, break_even_rows(rows), word("tax.break_even"), left=("note",))]


def break_even_rows(rows: Sequence[BreakEven]) -> list[list[str]]:
    """Chip, today's price, the price and the speed that end the tax, note."""
    return [[row.chip, dollars(row.now), _even_price(row), _even_speed(row), phrase(row.note)] for row in rows]


def _even_price(row: BreakEven) -> str:
    if row.price is None:
        return word("tax.not_free") if NOT_FREE in row.note else NONE
    return dollars(row.price)


def _even_speed(row: BreakEven) -> str:
    return NONE if row.throughput is None else f"x {row.throughput:.3g}"


def series_view(tax: Tax) -> list[RenderableType]:
    """The tax by day: drawn, and as a table."""
    if not tax.series:
        return []
    columns, rows, left = series_rows(tax)
    lines = plot(tax.series, [side.terms for side in ordered(tax)])
    return [
        heading(word("tax.series")),
        *(Text(line) for line in lines),
        *([Text("")] if lines else []),
        table(columns, rows, left=left, tight=True),
    ]


def series_rows(tax: Tax) -> tuple[tuple[str, ...], list[list[str]], tuple[str, ...]]:
    """Columns, rows, and the columns that align left: tax, range and chips of each day, by each way to pay."""
    names = [side.terms for side in ordered(tax)]
    sides = [side for point in tax.series for side in point.sides.values()]
    told = (
        ("tax", "range", "chips")
        if any(side.reference or side.local or side.why for side in sides)
        else ("tax", "range")
    )
    columns = ("date", *(f"{column}_{name}" for name in names for column in told))
    left = tuple(column for column in columns if column.startswith(("range", "chips")))
    return columns, [_series_row(point, names, len(told)) for point in tax.series], left


def _series_row(point: TaxPoint, names: Sequence[str], cells_each: int) -> list[str]:
    cells = [point.on]
    for name in names:
        side = point.sides.get(name) or TaxSide(name, None)
        known = side.low is not None and side.high is not None
        span = f"{signed(side.low)} … {signed(side.high)}" if known else NONE
        told = _pair(side) if side.tax is not None else phrase(side.why) or NONE
        cells += [signed(side.tax), span, told][:cells_each]
    return cells


def _pair(side: TaxSide) -> str:
    """The chips of both plans, where the day kept its plans."""
    chips = [paid.chip_of(way) or NONE for way in (side.reference, side.local)]
    return " -> ".join(chips) if chips != [NONE, NONE] else NONE


def plot(points: Sequence[TaxPoint], names: Sequence[str]) -> list[str]:
    """The series as characters: one letter for each way to pay, over the days; [] with fewer than two values."""
    known = {name: [_tax_at(point, name) for point in points] for name in names}
    values = [value for row in known.values() for value in row if value is not None]
    if len(points) < 2 or len(values) < 2:
        return []
    low, high = min(0.0, *values), max(0.0, *values)
    span = low, high if high > low else low + 0.1
    field = [[" "] * COLUMNS for _ in range(ROWS)]
    field[_row(0.0, span)] = ["·"] * COLUMNS
    for name, row in known.items():
        for column, value in zip(_columns(points), row, strict=True):
            if value is not None:
                cells = field[_row(value, span)]
                cells[column] = _letter(name) if cells[column] in " ·" else BOTH
    drawn = [name for name in names if any(value is not None for value in known[name])]
    return [*_framed(field, span), *_foot(points, drawn, any(BOTH in cells for cells in field))]


def _columns(points: Sequence[TaxPoint]) -> list[int]:
    """Where the days stand, in proportion to time."""
    days = [date.fromisoformat(point.on).toordinal() for point in points]
    whole = max(days[-1] - days[0], 1)
    return [round((day - days[0]) / whole * (COLUMNS - 1)) for day in days]


def _row(value: float, span: tuple[float, float]) -> int:
    return ROWS - 1 - round((value - span[0]) / (span[1] - span[0]) * (ROWS - 1))


def _framed(field: Sequence[Sequence[str]], span: tuple[float, float]) -> Iterator[str]:
    """The field with its frame, and the tax at the bottom, at nothing and at the top."""
    marks = {_row(value, span): signed(value) if value else "0%" for value in (*span, 0.0)}
    for at, cells in enumerate(field):
        yield f"{marks.get(at, ''):>7} {'┤' if at in marks else '│'}{''.join(cells)}".rstrip()


def _foot(points: Sequence[TaxPoint], drawn: Sequence[str], both: bool) -> list[str]:
    """The axis of days with its ends, and what the letters mean."""
    first, last = points[0].on, points[-1].on
    legend = "   ".join(f"{_letter(name)} {word(f'tax.terms.{name}')}" for name in drawn)
    legend += f"   {BOTH} {word('tax.both')}" if both else ""
    ends = f"{'':9}{first}{last:>{COLUMNS - len(first)}}"
    return [f"{'':8}└{'─' * COLUMNS}", ends, f"{'':9}{legend}"]


def _letter(name: str) -> str:
    return name[:1].upper()


def _tax_at(point: TaxPoint, name: str) -> float | None:
    side = point.sides.get(name)
    return side.tax if side else None


def sources_of(tax: Tax) -> Iterator[str]:
    """Sources of the prices of both plans and of the clauses."""
    for side in tax.sides.values():
        for plan in (side.reference, side.local):
            if plan:
                yield paid.price_source(plan)
                yield from (offer.source for offer in plan.offers if offer.terms == plan.terms)
    yield from (clause.source for verdict in tax.verdicts for clause in verdict.clauses[:1])
