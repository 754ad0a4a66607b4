"""Measured power of both kinds in one score: nodes that train, and chips that serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from exaplan.answers import Score, Validation
from exaplan.catalog import Catalog
from exaplan.truth.reading import cell
from exaplan.truth.score import score
from exaplan.truth.serving.power import PowerScore, power_serving
from exaplan.truth.serving.power_rows import KIND
from exaplan.truth.wattage import QUANTITY, Seen, Wattage, wattage

Row = Mapping[str, str]
NODES, CHIPS = "nodes that train", "chips that serve"


def power(rows: Iterable[Row], seen: Seen, catalog: Catalog, digest: str) -> Validation:
    """Score rows of measured power, each by what was metered; ``digest``: of the file or files that they are from."""
    serving, others = split(rows)
    chips, nodes = power_serving(serving, catalog), wattage(others, seen, catalog)
    return joined(nodes, chips, digest)


def split(rows: Iterable[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """(rows of chips that serve, all others)."""
    found: tuple[list[Row], list[Row]] = [], []
    for row in rows:
        found[cell(row, "kind") != KIND].append(row)
    return found


def joined(nodes: Wattage, chips: PowerScore, digest: str) -> Validation:
    """One quantity of both kinds; the score of each stands in a group, where rows of both are there."""
    rows = (*nodes.rows, *chips.rows)
    lost = nodes.whole.n - len(nodes.rows) + len(chips.failed)
    sides = {NODES: nodes.whole, CHIPS: chips.whole}
    both: Mapping[str, Mapping[str, Score]] = {f"{QUANTITY}, by what was metered": sides}
    filled = all(side.n > 0 for side in sides.values())
    has_chips, has_nodes = chips.whole.n > 0, nodes.whole.n > 0
    return Validation(
        rows=rows,
        summary={QUANTITY: score(rows, lost)},
        by_source={**nodes.by_source, **(chips.by_source if has_chips else {})},
        groups={
            **(both if filled else {}),
            **(nodes.groups if has_nodes or not has_chips else {}),
            **(chips.groups if has_chips else {}),
        },
        skipped=(*nodes.skipped, *chips.skipped),
        notes=(*(nodes.notes if has_nodes or not has_chips else ()), *(chips.notes if has_chips else ())),
        input_hash=digest,
    )
