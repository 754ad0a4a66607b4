"""What a chip costs to make: dies on a wafer, the share that works, the parts around it, and what is paid once."""

from __future__ import annotations

import math


def dies_per_wafer(wafer: float, die: float) -> float:
    """Whole dies on a round wafer. [count, not rounded]

    N = pi d^2 / (4 S) - 0.58 pi d / sqrt(S): wafer area pi d^2 / 4 and die area S [m2]. D. K. de Vries 2005,
    Investigation of gross die per wafer formulas, doi:10.1109/TSM.2004.836656. For square dies up to a few per cent
    of the wafer; 0 where nothing fits.
    """
    diameter = math.sqrt(4.0 * wafer / math.pi)
    return max(0.0, wafer / die - 0.58 * math.pi * diameter / math.sqrt(die))


def yield_negative_binomial(die: float, defects: float, clustering: float) -> float:
    """Share of dies without a defect. [ratio]

    Y = (1 + A D / alpha)^-alpha: die area A [m2], defects D [1/m2], clustering alpha (2 to 3; infinity = Poisson).
    J. A. Cunningham 1990, The use and evaluation of yield models in integrated circuit manufacturing,
    doi:10.1109/66.53188.
    """
    return math.exp(-clustering * math.log1p(die * defects / clustering))


def yield_murphy(die: float, defects: float) -> float:
    """Share of dies without a defect where the density varies as a triangle. [ratio]

    Y = ((1 - exp(-A D)) / (A D))^2. B. T. Murphy 1964, doi:10.1109/PROC.1964.3442.
    """
    mean = die * defects
    return 1.0 if mean == 0.0 else float((-math.expm1(-mean) / mean) ** 2)


def usable_share(whole: float, salvage: float) -> float:
    """Share of dies that are sold: those without a defect, and ``salvage`` of the rest, cut down. [ratio]

    Y + (1 - Y) s.
    """
    return whole + (1.0 - whole) * salvage


def chip_cost(die: float, dies: float, memory: float, packaging: float, package_yield: float, rest: float) -> float:
    """Cost of a packaged and tested chip. [USD]

    (n C_die + C_memory + C_packaging) / Y_package + C_rest: die [USD per good die], n dies, rest: test and board.
    """
    return (dies * die + memory + packaging) / package_yield + rest


def with_once(unit: float, once: float, volume: float) -> float:
    """Cost per chip with its share of what is paid once. [USD]

    u + F / V.
    """
    return unit + once / volume


def break_even_volume(once: float, unit: float, price: float, ratio: float) -> float | None:
    """Own chips from which making is cheaper than buying. [count]; None: never.

    V = F / (P / k - u): once F [USD], unit cost u [USD], price P [USD] of the rival, whose work k own chips do.
    """
    saved = price / ratio - unit
    return once / saved if saved > 0.0 else None
