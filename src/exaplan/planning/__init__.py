"""The orchestrator: an ask becomes a case, a case is searched or taken as it stands, the best get prices and ranges."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import replace

from exaplan.answers import Answer, Priced, Relief
from exaplan.ask import Ask
from exaplan.catalog import Catalog
from exaplan.nouns import Layout
from exaplan.planning.answering import answer
from exaplan.planning.checking import check, check_recompute, nothing_fits, nothing_legal, too_big, within_limits
from exaplan.planning.choosing import best_of, rank
from exaplan.planning.pricing import price
from exaplan.planning.relief import relieve
from exaplan.planning.resolving import Setting, fill, resolve
from exaplan.search import Found, search

__all__ = ["Setting", "estimate", "plan", "resolve"]


def plan(ask: Ask, catalog: Catalog, top: int = 5) -> Answer:
    """The best layouts of the asked cluster, by the upper end of their range; what relief of each limit is worth."""
    setting = resolve(ask, catalog)
    found, rejected, kept, rate = _searched(setting, top)
    relief, notes = relieve(setting, found, kept[0])
    made = _answered(setting, kept, found, rejected, rate, relief)
    return replace(made, assumptions=(*made.assumptions, *notes))


def estimate(ask: Ask, catalog: Catalog) -> Answer:
    """One layout, term by term: the asked one, or the best where some of it was left open."""
    layout = ask.whole_layout()
    setting = resolve(ask, catalog)
    if layout is None:
        found, rejected, kept, rate = _searched(setting, 1, may_compile=False)
        return _answered(setting, kept, found, rejected, rate)
    layout = fill(setting, layout)
    check(setting, layout)
    priced = price(setting, layout)
    if priced.estimate.memory > setting.case.hardware.memory:
        raise too_big(setting, priced)
    return answer(setting, tuple(within_limits(setting, [priced])), {}, 1, None)


def _searched(
    setting: Setting, top: int, may_compile: bool = True
) -> tuple[Found, dict[str, int], list[Priced], float]:
    """(layouts scored, rejected by reason, the best within every limit, layouts scored per CPU second)."""
    fixed = setting.ask.fixed()
    check_recompute(setting.ask, Layout(recompute=fixed.get("recompute", "none")))
    start = clock.process_time()
    found = search(setting.case, setting.cluster.count, fixed, may_compile=may_compile)
    if not found.layouts:
        raise nothing_legal(setting, found)
    rejected, order = rank(setting, found)
    spent = clock.process_time() - start
    if not order:
        raise nothing_fits(setting, found)
    kept = within_limits(setting, best_of(setting, found, order, top))
    return found, rejected, kept, len(found.layouts) / max(spent, 1e-9)


def _answered(
    setting: Setting,
    kept: list[Priced],
    found: Found,
    rejected: Mapping[str, int],
    rate: float,
    relief: tuple[Relief, ...] = (),
) -> Answer:
    return answer(setting, tuple(kept), rejected, len(found.layouts), rate, relief)
