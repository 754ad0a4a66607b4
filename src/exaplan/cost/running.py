"""Time, money, energy and carbon of a run: products of their factors."""

from __future__ import annotations


def run_time(steps: float, step: float, goodput: float) -> float:
    """steps x step [s] / goodput [ratio: useful time over time]. [s]"""
    return steps * step / goodput


def rent_cost(rate: float, chips: float, time: float) -> float:
    """rate [USD per chip-second] x chips x time [s]. [USD]"""
    return rate * chips * time


def server_price(chip: float, host_share: float) -> float:
    """Price of a server per chip from that of the chip [USD] and the rest of the server over its chips [ratio]. [USD]

    P = chip (1 + host_share).
    """
    return chip * (1.0 + host_share)


def purchase_price(server: float, network_share: float) -> float:
    """Price of a cluster per chip: server [USD per chip] with switches, cables and optics over it [ratio]. [USD]

    P = server (1 + network_share).
    """
    return server * (1.0 + network_share)


def energy_used(wall_power: float, time: float) -> float:
    """wall_power [W of all chips, PUE included] x time [s]. [J]"""
    return wall_power * time


def carbon_emitted(energy: float, intensity: float) -> float:
    """energy [J] x intensity [kg CO2e/J]. [kg CO2e]"""
    return energy * intensity


def electricity_cost(energy: float, price: float) -> float:
    """energy [J] x price [USD/J]. [USD]"""
    return energy * price
