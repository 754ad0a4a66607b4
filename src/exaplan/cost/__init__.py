"""Money, energy and carbon. Pure functions; s, USD, J, W, kg CO2e; every formula with its reference."""

from __future__ import annotations

from exaplan.cost.facility import (
    air_overhead,
    cooling_flow,
    facility_price,
    people,
    pump_power,
)
from exaplan.cost.finance import (
    YEAR,
    annuity,
    annuity_rate,
    break_even,
    capital_recovery,
    check_terms,
    financing,
    per_used,
    sinking_fund,
    spread,
    straight_line,
)
from exaplan.cost.network import endpoints, network_price, network_tiers, switch_share
from exaplan.cost.running import (
    carbon_emitted,
    electricity_cost,
    energy_used,
    purchase_price,
    rent_cost,
    run_time,
    server_price,
)
from exaplan.cost.silicon import (
    break_even_volume,
    chip_cost,
    dies_per_wafer,
    usable_share,
    with_once,
    yield_murphy,
    yield_negative_binomial,
)

__all__ = [
    "YEAR",
    "air_overhead",
    "annuity",
    "annuity_rate",
    "break_even",
    "break_even_volume",
    "capital_recovery",
    "carbon_emitted",
    "check_terms",
    "chip_cost",
    "cooling_flow",
    "dies_per_wafer",
    "electricity_cost",
    "endpoints",
    "energy_used",
    "facility_price",
    "financing",
    "network_price",
    "network_tiers",
    "people",
    "per_used",
    "pump_power",
    "purchase_price",
    "rent_cost",
    "run_time",
    "server_price",
    "sinking_fund",
    "spread",
    "straight_line",
    "switch_share",
    "usable_share",
    "with_once",
    "yield_murphy",
    "yield_negative_binomial",
]
