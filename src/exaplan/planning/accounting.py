"""What the whole-run figures of the best plan were worked out from: time, goodput, power, cost, energy, carbon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exaplan.answers import Offer, Priced
from exaplan.catalog import tuning
from exaplan.catalog.cooling import cooling
from exaplan.catalog.ownership import unit_of
from exaplan.models.count import parameters
from exaplan.nouns import Figure
from exaplan.perf.goodput import mean_time_between_failures
from exaplan.planning.burden import cluster_network, cooling_of, node_power, tiers_with
from exaplan.planning.drafts import Bill, Draft
from exaplan.planning.failures import checkpoint_every
from exaplan.planning.offers import Quote, billed
from exaplan.planning.resolving import Setting
from exaplan.planning.tracing import Inputs, figure_inputs

# Figures of data/ownership.yaml that a purchase needs; those of the way of cooling and of the price come on top.
MONEY = ("lifetime", "wacc", "residual", "storage_share", "maintenance", "facility_maintenance", "facility_lifetime")
PEOPLE = ("staff", "staff_cost", "water", "load")
SWITCHES = ("switch_price", "switch_ports", "port_rate", "link_price")


def whole_inputs(setting: Setting, best: Draft, shown: Priced) -> dict[str, Inputs]:
    """Figure of the whole run -> {name with its unit: value}; a figure that is unknown is left out.

    ``shown``: the plan as it is shown, of the draft ``best``.
    """
    found = {"goodput": _goodput(setting)}
    if shown.estimate.power is not None:
        found["power"] = _power(setting)
    if best.steps is None:
        return found
    found["time"] = _time(setting, best)
    if best.energy is not None:
        found["energy"] = {
            "power of all chips at the meter, PUE in it [W]": best.watts,
            "chips [count]": setting.cluster.count,
            **figure_inputs(setting.cluster.site, "pue", "ratio"),
            "time [s]": best.time,
        }
        found["carbon"] = {"energy [J]": best.energy, **figure_inputs(setting.cluster.site, "carbon", "kg CO2e/J")}
    if best.bill is not None:
        found["cost"] = _cost(setting, best, best.bill, shown)
    return found


def _time(setting: Setting, best: Draft) -> Inputs:
    training = setting.case.training
    return {
        "steps of the run [count]": best.steps,
        "tokens of the run [tokens]": best.tokens,
        "global batch [sequences]": training.global_batch,
        "sequence [tokens]": training.seq_len,
        "step time [s]": best.step,
        "goodput [ratio]": best.option.goodput,
    }


def _goodput(setting: Setting) -> Inputs:
    """Interruptions, checkpoints and restarts (data/fits/goodput.yaml) and what follows from them."""
    record, count = tuning.yaml_data("fits/goodput.yaml"), setting.cluster.count
    known = {name: float(record[name]["value"]) for name in ("interruptions", "restart", "storage", "state")}
    weights = parameters(setting.model)[0]
    return {
        "chips [count]": count,
        "parameters [count]": weights,
        **{f"{name} [{record[name]['unit']}]": value for name, value in known.items()},
        "goodput source": str(record["source"]),
        "time between failures [s]": mean_time_between_failures(known["interruptions"], count),
        "time to write a checkpoint [s]": known["state"] * weights / (known["storage"] * count),
        "time between checkpoints [s]": checkpoint_every(weights, count),
    }


def _power(setting: Setting) -> Inputs:
    """Ratings of chip and node, PUE of the place, and the shares of data/fits/power.yaml."""
    cluster, record = setting.cluster, tuning.yaml_data("fits/power.yaml")
    shares = {f"share of the TDP, {name} [ratio]": value for name, value in record["coefficients"].items()}
    kind = cooling(cluster.node.name)
    shares[f"share of the node beside its chips, {kind} [ratio]"] = record["node"][kind]
    shares["power supply, efficiency [ratio]"] = record["node"]["supply"]
    return {
        **figure_inputs(cluster.chip, "power", "W"),
        **figure_inputs(cluster.node, "power", "W"),
        "chips in a node [count]": cluster.node.chips,
        **figure_inputs(cluster.site, "pue", "ratio"),
        **shares,
        "power source": str(record["source"]),
    }


def _cost(setting: Setting, best: Draft, bill: Bill, shown: Priced) -> Inputs:
    """The price, what it is asked for, electricity where it comes on top, and every offer with its parts."""
    quote, cluster = bill.quote, setting.cluster
    given: Inputs = {"terms": quote.terms, "chips paid [count]": billed(quote, cluster, best.option.nodes)}
    if quote.terms != "own":
        unit = "USD/h" if quote.terms == "rent" else "USD"
        given |= _price(quote.figure, unit, quote.place)
    given["time [s]"] = best.time
    if quote.terms == "rent":
        given |= {"rent of a chip [USD/s]": quote.rate, "rent of all chips [USD/s]": bill.running}
    else:
        electricity = bill.running - quote.upkeep[0] * given["chips paid [count]"]
        given |= {"power of all chips at the meter [W]": best.watts, "electricity of all chips [USD/s]": electricity}
        given |= figure_inputs(cluster.site, "electricity", "USD/J") | figure_inputs(cluster.site, "pue", "ratio")
    if quote.terms == "buy":
        given |= _bought(setting, best, bill)
    given |= _duties(setting, quote)
    return given | {"offers": {offer.terms: _offer(offer) for offer in shown.offers}}


def _price(figure: Figure, unit: str, place: str) -> Inputs:
    """A price as its source gives it, of a chip, a server or a node."""
    told: dict[str, Any] = {f"price [{unit}]": figure.value, "price source": figure.source}
    more = {"price low": figure.low, "price high": figure.high, "price date": figure.date, "price place": place}
    return told | {key: value for key, value in more.items() if value not in (None, "")}


def _bought(setting: Setting, best: Draft, bill: Bill) -> Inputs:
    """What a purchase is made of: cash, wear, interest less resale, upkeep, and the figures that they follow from."""
    quote, chips = bill.quote, billed(bill.quote, best.option.cluster, best.option.nodes)
    given: Inputs = {"purchase per chip [USD]": quote.capital, "base, all up front [USD]": bill.base}
    given |= {"wear of all chips [USD/s]": bill.wear, "interest less resale of all chips [USD/s]": bill.more}
    given |= {"upkeep of all chips [USD/s]": quote.upkeep[0] * chips, "charged whole": bill.whole}
    cluster = best.option.cluster
    given |= {
        "tiers of switches [count]": tiers_with(quote.radix, cluster),
        "rated power of a node [W]": node_power(cluster),
    }
    given |= figure_inputs(cluster.node, "network", "B/s") | {"chips in a node [count]": cluster.node.chips}
    return given | dict(_owning(setting, best, bill))


def _duties(setting: Setting, quote: Quote) -> Inputs:
    """Import duty and VAT, where a price bears them."""
    ask, country = setting.ask, setting.cluster.site.country
    found = setting.catalog.duties.at(country, ask.start.isoformat() if ask.start else "")
    if found is None or not {"duties", "vat"} & set(quote.parts):
        return {}
    known = {"duties.customs": found.customs, "duties.vat": found.vat}
    given: Inputs = {f"{name} of {country} [ratio]": figure.value for name, figure in known.items()}
    return given | {f"{name} source": figure.source for name, figure in known.items()}


def _owning(setting: Setting, best: Draft, bill: Bill) -> Iterator[tuple[str, Any]]:
    """Figures of data/ownership.yaml with unit and source."""
    cluster, known = best.option.cluster, cluster_network(best.option.cluster)
    names = [*MONEY, *PEOPLE, f"{cooling_of(setting.catalog, cluster)}.facility"]
    names += SWITCHES if known else ["network_share"]
    names += [] if bill.quote.whole else ["host_share"]
    for name in names:
        figure = setting.catalog.ownership[name]
        yield f"ownership.{name} [{unit_of(name)}]", figure.value
        yield f"ownership.{name} source", figure.source


def _offer(offer: Offer) -> Inputs:
    """One way to pay: what this run's share of it is made of. [USD]"""
    return {"share of this run [USD]": offer.cost, **{f"{name} [USD]": value for name, value in offer.parts.items()}}
