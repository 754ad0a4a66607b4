"""Switches, cables and optics of a folded-Clos network (fat tree).

C. Leiserson 1985, doi:10.1109/TC.1985.6312192; M. Al-Fares, A. Loukissas, A. Vahdat 2008,
doi:10.1145/1402958.1402967: of switches with r ports, l tiers join 2 (r/2)^l endpoints with (2 l - 1) / r switches per
endpoint.
"""

from __future__ import annotations


def endpoints(radix: int, tiers: int) -> int:
    """Most endpoints of ``tiers`` tiers of switches with ``radix`` ports. [count]

    2 (r/2)^l.
    """
    return int(2 * (radix // 2) ** tiers)


def network_tiers(count: int, radix: int) -> int:
    """Tiers of switches that join ``count`` endpoints; 0 for one or two, which a cable joins. [count]"""
    if count <= 2:
        return 0
    tiers = 1
    while endpoints(radix, tiers) < count:
        tiers += 1
    return tiers


def switch_share(tiers: int, radix: int, oversubscription: float = 1.0) -> float:
    """Switches per endpoint; ``oversubscription`` thins all tiers but the lowest. [count]

    (1 + (2 l - 2) / o) / r.
    """
    return (1.0 + (2 * tiers - 2) / oversubscription) / radix if tiers else 0.0


def network_price(tiers: int, radix: int, switch: float, link: float, oversubscription: float = 1.0) -> float:
    """Price of the network per endpoint. [USD]

    s S + k L: s switches at S [USD], k links (cable and optics of both ends) at L [USD]: one to the lowest tier and one
    between each pair of tiers, 1 + (l - 1) / o.
    """
    links = 1.0 + max(0, tiers - 1) / oversubscription
    return switch_share(tiers, radix, oversubscription) * switch + links * link
