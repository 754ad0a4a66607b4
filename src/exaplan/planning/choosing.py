"""Which of the scored layouts are best: those that fit, by the upper end of their range, within every limit."""

from __future__ import annotations

from exaplan.answers import Priced
from exaplan.nouns import Limits
from exaplan.planning.checking import MEMORY_MARGIN, missed
from exaplan.planning.pricing import layout_range, price
from exaplan.planning.resolving import Setting
from exaplan.search import Found

SHORTLIST = 64  # layouts whose ranges are worked out


def rank(setting: Setting, found: Found, room: float = 1.0) -> tuple[dict[str, int], list[int]]:
    """(rejected by reason, indices of layouts that fit ``room`` times the memory, best first).

    Cost, energy and carbon of one cluster grow with time, so every objective ranks by time; ties by memory.
    """
    limit = MEMORY_MARGIN * room * setting.case.hardware.memory
    fits_in = [i for i in range(len(found.layouts)) if found.memory[i] <= limit]
    rejected = dict(found.rejected)
    rejected["memory"] = len(found.layouts) - len(fits_in)
    shortlist = sorted(fits_in, key=lambda i: (found.time[i], found.memory[i]))[:SHORTLIST]
    upper = {i: layout_range(setting, found.layouts[i]).high for i in shortlist}
    return {k: v for k, v in rejected.items() if v}, sorted(shortlist, key=lambda i: (upper[i], found.memory[i]))


def best_of(setting: Setting, found: Found, order: list[int], top: int, bounds: Limits | None = None) -> list[Priced]:
    """The first ``top`` layouts of ``order`` that meet every limit, priced; the very first where none does."""
    bounds = bounds or setting.ask.bounds()
    kept: list[Priced] = []
    first: Priced | None = None
    for index in order:
        item = price(setting, found.layouts[index])
        first = first or item
        if not missed(setting, item, bounds):
            kept.append(item)
        if len(kept) >= max(1, top):
            break
    return kept or ([first] if first else [])
