"""What capital costs over time: straight line, annuity, residual value, break-even.

Years are Julian (365.25 d); interest is paid once a year. Reference for the factors: L. Blank and A. Tarquin 2012,
Engineering Economy, 7th ed., ch. 2 (capital recovery A/P, sinking fund A/F).
"""

from __future__ import annotations

import math

from exaplan.errors import InputError, Place

YEAR = 365.25 * 86400.0


def check_terms(wacc: float, life: float, residual: float = 0.0) -> None:
    """Refuse a life [s] that is not positive, a cost of capital [1/year] below 0, a residual value outside [0, 1).

    The place of the error is the field of data/ownership.yaml.
    """
    if not (life > 0.0 and math.isfinite(life)):
        place = Place(field="lifetime")
        raise InputError(
            f"a life of {life / YEAR:g} y is not positive", hint="give years of use, e.g. 5 y", place=place
        )
    if not 0.0 <= wacc < 10.0:
        problem = f"a cost of capital of {wacc:.1%} per year cannot be"
        raise InputError(problem, hint="give 0 or more, e.g. 9%", place=Place(field="wacc"))
    if not 0.0 <= residual < 1.0:
        problem = f"a residual value of {residual:g} of the price cannot be"
        raise InputError(problem, hint="give a share from 0 to 0.99", place=Place(field="residual"))


def straight_line(capital: float, time: float, lifetime: float) -> float:
    """Share of a purchase that a use of ``time`` [s] out of ``lifetime`` [s] wears off. [USD]

    capital [USD] x time / lifetime: even use, no resale value.
    """
    return capital * time / lifetime


def capital_recovery(wacc: float, life: float) -> float:
    """Yearly payment that repays one unit of capital with interest over a life [s]. [1/year]

    A/P = i / (1 - (1 + i)^-n), n = life in years; 1/n at i = 0. wacc i [1/year].
    """
    check_terms(wacc, life)
    years = life / YEAR
    return 1.0 / years if wacc == 0.0 else wacc / -math.expm1(-years * math.log1p(wacc))


def sinking_fund(wacc: float, life: float) -> float:
    """Yearly deposit that grows to one unit at the end of a life [s]. [1/year]

    A/F = i / ((1 + i)^n - 1) = A/P - i; 1/n at i = 0.
    """
    return capital_recovery(wacc, life) - wacc


def annuity(capital: float, wacc: float, life: float, residual: float = 0.0) -> float:
    """What a purchase costs per year: repayment with interest less the deposit that its resale replaces. [USD/year]

    A = C (A/P) - R C (A/F). capital C [USD], residual R [share of the price got at the end].
    """
    check_terms(wacc, life, residual)
    return capital * (capital_recovery(wacc, life) - residual * sinking_fund(wacc, life))


def annuity_rate(capital: float, wacc: float, life: float, residual: float = 0.0) -> float:
    """``annuity`` per second. [USD/s]"""
    return annuity(capital, wacc, life, residual) / YEAR


def financing(capital: float, wacc: float, life: float, residual: float = 0.0) -> float:
    """What the capital costs beside its wear: annuity less the straight line to the residual value. [USD/s]

    0 at wacc 0. A - (1 - R) C / n.
    """
    return annuity_rate(capital, wacc, life, residual) - (1.0 - residual) * capital / life


def per_used(rate: float, utilisation: float) -> float:
    """Cost of a second in use where only a share of the seconds is used. [same unit]

    rate / utilisation, utilisation in (0, 1].
    """
    if not 0.0 < utilisation <= 1.0:
        problem = f"a utilisation of {utilisation:g} cannot be"
        raise InputError(problem, hint="give the share of hours in use, e.g. 0.8", place=Place(field="utilisation"))
    return rate / utilisation


def break_even(capital: float, rent: float, running: float) -> float | None:
    """Use after which a purchase has cost less cash than renting. [s]; None: never.

    t = C / (r - a): capital C [USD], rent r and running cost a of the owner [USD/s].
    """
    return capital / (rent - running) if rent > running else None


def spread(parts: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """(value, low, high) of a sum whose parts (value, low, high) are known independently of each other.

    Deviations to each side add in quadrature (JCGM 100:2008, 5.1.2).
    """
    value = math.fsum(part[0] for part in parts)
    down = math.hypot(*(part[0] - part[1] for part in parts))
    return value, value - down, value + math.hypot(*(part[2] - part[0] for part in parts))
