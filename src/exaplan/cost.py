"""Money, energy and carbon of a run. Pure functions; USD, J, kg CO2e."""

from __future__ import annotations


def rent_cost(rate: float, chips: float, time: float) -> float:
    """rate [USD per chip-second] x chips x time [s]. [USD]"""
    return rate * chips * time


def energy_used(wall_power: float, chips: float, time: float) -> float:
    """wall_power [W per chip, PUE included] x chips x time. [J]"""
    return wall_power * chips * time


def carbon_emitted(energy: float, intensity: float) -> float:
    """energy [J] x intensity [kg CO2e/J]. [kg CO2e]"""
    return energy * intensity


def electricity_cost(energy: float, price: float) -> float:
    """energy [J] x price [USD/J]. [USD]"""
    return energy * price
