"""The hall: its price, its people, and the water that carries the heat away."""

from __future__ import annotations

GRAVITY = 9.80665  # m/s2, standard gravity (CGPM 1901)


def facility_price(power: float, price: float) -> float:
    """Price of a hall for an IT load. [USD]

    power [W of IT at full load] x price [USD per W of IT].
    """
    return power * price


def air_overhead(power: float, pue: float) -> float:
    """Power of cooling, conversion and light. [W]

    P (PUE - 1): power [W of IT]; PUE is all power over that of IT (ISO/IEC 30134-2:2016).
    """
    return power * (pue - 1.0)


def people(power: float, density: float) -> float:
    """Full-time staff of a site. [count]

    power [W of IT] x density [people per W of IT].
    """
    return power * density


def cooling_flow(heat: float, density: float, capacity: float, rise: float) -> float:
    """Water that carries a heat flow away at a rise of its temperature. [m3/s]

    Q = P / (rho c dT): heat P [W], density rho [kg/m3], specific heat c [J/(kg K)], rise dT [K]. First law for steady
    flow; sea water: M. H. Sharqawy, J. H. Lienhard V, S. M. Zubair 2010, doi:10.5004/dwt.2010.1079.
    """
    return heat / (density * capacity * rise)


def pump_power(flow: float, density: float, head: float, efficiency: float) -> float:
    """Electrical power of the pumps. [W]

    P = rho g H Q / eta: flow Q [m3/s], head H [m] of lift and friction, efficiency eta [ratio]. I. J. Karassik et al.
    2008, Pump Handbook, 4th ed., ch. 2.
    """
    return density * GRAVITY * head * flow / efficiency
