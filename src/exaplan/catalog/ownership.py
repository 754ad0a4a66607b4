"""What owning hardware costs beside the price of its servers (data/ownership.yaml), as figures."""

from __future__ import annotations

from collections.abc import Mapping

from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import read_yaml
from exaplan.catalog.sheet import Bound, Sheet
from exaplan.nouns import Figure, Source

LIFE = Bound("time", 2.6e6, 3.2e9, " (a life is positive)")
SHARE = Bound("ratio", 0.0, 5.0)
USED = Bound("ratio", 1e-3, 1.0, " (a share of the hours or of the power, more than 0 and at most 1)")
PER_WATT = Bound("money", 0.1, 1e3, " USD per W of IT")
PUE = Bound("ratio", 1.0, 5.0)

# lifetime [s] of hardware and of the hall. wacc [1/year]. residual [share of the price]. utilisation [share of hours
# used]; load [average over rated power in use]. host_share [rest of a server over its chips, where only those have a
# price]; switch_price [USD], switch_ports, port_rate [B/s], link_price [USD per tier and chip at port_rate];
# network_share, storage_share [of the server price]. facility [USD per W of IT]; limit [W of a node cooled by air].
# sea water: density [kg/m3], capacity [J/(kg K)], rise [K], head [m], pump [ratio]. staff [people per MW of IT],
# staff_cost [USD per person and year]; maintenance [share of the price per year]; water [USD per J of IT]; colocation
# [USD per kW of IT and month]; embodied [kg CO2e per chip with its share of the server].
OWNERSHIP = {
    "lifetime": LIFE,
    "facility_lifetime": LIFE,
    "wacc": Bound("ratio", 0.0, 1.0, " (per year, not below 0)"),
    "residual": Bound("ratio", 0.0, 0.99),
    "utilisation": USED,
    "load": USED,
    "host_share": Bound("ratio", 0.0, 10.0),
    "switch_price": Bound("money", 1.0, 1e7),
    "switch_ports": Bound("count", 4, 1024),
    "port_rate": Bound("bandwidth", 1e8, 1e13),
    "link_price": Bound("money", 0.0, 1e6),
    "network_share": SHARE,
    "storage_share": SHARE,
    "air.facility": PER_WATT,
    "air.limit": Bound("power", 1e3, 1e7),
    "liquid.facility": PER_WATT,
    "liquid.pue": PUE,
    "sea-water.facility": PER_WATT,
    "sea-water.pue": PUE,
    "sea-water.density": Bound("ratio", 990.0, 1100.0, " kg/m3"),
    "sea-water.capacity": Bound("ratio", 3500.0, 4300.0, " J/(kg K)"),
    "sea-water.rise": Bound("ratio", 0.5, 40.0, " K"),
    "sea-water.head": Bound("ratio", 0.5, 500.0, " m"),
    "sea-water.pump": USED,
    "staff": Bound("ratio", 0.0, 50.0, " people per MW of IT"),
    "staff_cost": Bound("money", 0.0, 1e7),
    "maintenance": Bound("ratio", 0.0, 1.0, " of the price per year"),
    "facility_maintenance": Bound("ratio", 0.0, 1.0, " of the price per year"),
    "water": Bound("price_energy", 0.0, 1.0 / 3.6e6),
    "colocation": Bound("money", 1.0, 1e4, " USD per kW of IT and month"),
    "embodied": Bound("mass", 0.0, 1e5),
}
UNITS = {
    "time": "s",
    "ratio": "ratio",
    "money": "USD",
    "count": "count",
    "bandwidth": "B/s",
    "power": "W",
    "price_energy": "USD/J",
    "mass": "kg",
}
PLAIN = {
    "wacc": "1/year",
    "maintenance": "1/year",
    "facility_maintenance": "1/year",
    "staff": "people/MW",
    "staff_cost": "USD/year",
    "colocation": "USD/kW month",
    "sea-water.density": "kg/m3",
    "sea-water.capacity": "J/(kg K)",
    "sea-water.rise": "K",
    "sea-water.head": "m",
    **{f"{kind}.facility": "USD/W" for kind in ("air", "liquid", "sea-water")},
}
COOLING = ("air", "liquid", "sea-water")
FILE = "ownership.yaml"


def read_ownership(layers: tuple[Layer, ...], sources: Mapping[str, Source]) -> dict[str, Figure]:
    """Every figure of `OWNERSHIP`; an overlay may replace some of them."""
    out: dict[str, Figure] = {}
    for layer in layers:
        if (layer.folder / FILE).is_file():
            out |= _figures(Sheet(read_yaml(layer.folder / FILE), sources, layer.own))
    return out


def _figures(sheet: Sheet) -> dict[str, Figure]:
    sheet.allow(OWNERSHIP)
    found = {key: sheet.figure(bound, key, required=not sheet.own) for key, bound in OWNERSHIP.items()}
    return {key: figure for key, figure in found.items() if figure}


def unit_of(name: str) -> str:
    """Unit of a figure in SI or USD, for those who list inputs."""
    return PLAIN.get(name) or UNITS[OWNERSHIP[name].dimension]
