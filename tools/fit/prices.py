"""Volatility of prices, fitted on our own series: python tools/fit/prices.py writes data/fits/prices.yaml.

How far is a price from the same price t years away? The logarithm of their ratio spreads with the root of t (a random
walk; Bachelier 1900): |ln(p2/p1)| / sqrt(t) over all pairs of observations of one series. Sigma is set so that 80% of
the pairs lie within 1.2816 sigma sqrt(t); each series weighs the same, however often it was observed. No trend is
fitted: rents of the H100 fell to 1.70 and rose again to 2.35 USD.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import yaml
from common import FITS, digest

from exaplan.catalog import DATA, load
from exaplan.catalog.days import YEAR, span
from exaplan.catalog.prices import HOME, QUANTILE, Price

LEAST, MOST = 30.0 * 86400.0, 3.0 * YEAR  # s; nearer pairs tell of sellers, not of time
SHARE = 0.8  # of the pairs, within the range
# what is fitted together: rents, and purchases of every kind; hyperscalers' lists move by notice, not by market
GROUPS = {"rent": ("rent", "list"), "purchase": ("chip", "server", "system", "cost", "street", "street-server")}
FITTED = {"rent": ("rent",), "purchase": ("chip", "server", "system")}


class Pair(NamedTuple):
    """Two observations of one series: item, years between them, |ln ratio|."""

    item: str
    years: float
    change: float


def middle(row: Price) -> float:
    """Ordinal day in the middle of a row's date."""
    first, last = span(row.date)
    return (first.toordinal() + last.toordinal()) / 2.0


def pairs(rows: Sequence[Price]) -> Iterator[Pair]:
    """All pairs of a series that lie between `LEAST` and `MOST` apart."""
    dated = [(middle(row), row.figure.value) for row in rows]
    for i, (day, price) in enumerate(dated):
        for later, other in dated[i + 1 :]:
            apart = abs(later - day) * 86400.0
            if price and other and LEAST <= apart <= MOST:
                yield Pair(rows[i].item, apart / YEAR, abs(math.log(other / price)))


def series(kinds: Sequence[str]) -> Mapping[str, list[Pair]]:
    """Item -> the pairs of its series at home, estimates and claims left out."""
    rows: dict[tuple[str, str], list[Price]] = defaultdict(list)
    for row in load().prices:
        if row.kind in kinds and row.place == HOME and row.confidence != "low":
            rows[row.item, row.kind].append(row)
    out: dict[str, list[Pair]] = defaultdict(list)
    for (item, _), found in rows.items():
        out[item] += pairs(found)
    return {item: found for item, found in out.items() if found}


def volatility(found: Mapping[str, Sequence[Pair]]) -> float:
    """Sigma [1/sqrt(year)] at which `SHARE` of the pairs lie in the range, each item weighing the same."""
    scaled = [(pair.change / math.sqrt(pair.years), 1.0 / len(group)) for group in found.values() for pair in group]
    values, weights = (np.array(column) for column in zip(*sorted(scaled), strict=True))
    reached = np.cumsum(weights) / weights.sum()
    return float(values[np.searchsorted(reached, SHARE)]) / QUANTILE


def coverage(pairs_of: Sequence[Pair], sigma: float) -> float:
    """Share of pairs within the 80% range."""
    return float(np.mean([pair.change <= QUANTILE * sigma * math.sqrt(pair.years) for pair in pairs_of]))


def left_out(found: Mapping[str, Sequence[Pair]]) -> dict[str, dict[str, float]]:
    """Per item: how often the range fitted on all other items holds it."""
    out = {}
    for item, group in found.items():
        rest = {name: other for name, other in found.items() if name != item}
        out[item] = {"pairs": len(group), "coverage": round(coverage(group, volatility(rest)), 3)}
    return out


def fitted(name: str) -> dict[str, Any]:
    """One group: its kinds, sigma, rows and errors."""
    found = series(FITTED[name])
    errors = left_out(found)
    return {
        "of": list(GROUPS[name]),
        "volatility": round(volatility(found), 4),
        "pairs": sum(len(group) for group in found.values()),
        "items": len(found),
        "left_out": {"coverage": round(float(np.mean([e["coverage"] for e in errors.values()])), 3), "by_item": errors},
    }


def main() -> None:
    """Fits both groups and writes the record."""
    record = {
        "input": {"prices.csv": digest(DATA / "prices.csv"), "fx.csv": digest(DATA / "fx.csv")},
        "rows": len(load().prices),
        "unit": "1/sqrt(year)",
        "kinds": {name: fitted(name) for name in GROUPS},
    }
    head = "# Volatility of prices by kind; written by tools/fit/prices.py, not by hand.\n"
    (FITS / "prices.yaml").write_text(head + yaml.safe_dump(record, sort_keys=False, width=120), encoding="utf-8")


if __name__ == "__main__":
    main()
