"""What the whole-run figures of a plan are said to follow from."""

from __future__ import annotations

from typing import Any

import pytest

from exaplan.nouns import Layout
from exaplan.planning import estimate
from exaplan.planning.candidates import candidates
from exaplan.planning.drafts import goal_of
from exaplan.planning.front import points
from exaplan.planning.pricing import cost_top, price
from exaplan.planning.solving import Desk, solve
from exaplan.report.to_json import answer_json

from .asked import CATALOG, asked

LAYOUT = {"dp": 8, "tp": 2, "pp": 1}


SHARES = (
    "storage_share",
    "link_price",
    "port_rate",
    "air.facility",
    "facility_lifetime",
    "wacc",
    "staff",
    "staff_cost",
)
SHARES += ("maintenance", "facility_maintenance", "load", "water")


def inputs_of(**parts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(inputs of each term, the plan) of a small question, as its document has them."""
    document = answer_json(estimate(asked(**{"layout": LAYOUT, **parts}), CATALOG), CATALOG)
    return document["provenance"]["terms"], document["plans"][0] | {"sources": document["provenance"]["sources"]}


def number(inputs: dict[str, Any], name: str) -> float:
    """The one input whose name starts so."""
    (found,) = (value for key, value in inputs.items() if key.startswith(name) and isinstance(value, (int, float)))
    return float(found)


def test_the_figures_follow_from_their_inputs() -> None:
    """Time, energy, CO2e, goodput and rent come out again by their formulas from the inputs that are named."""
    terms, plan = inputs_of(cluster={"chip": "h100-sxm", "count": 16, "terms": "rent"})
    time, energy, cost = terms["time"], terms["energy"], terms["cost"]
    assert number(time, "steps") * number(time, "step time") / number(time, "goodput") == pytest.approx(plan["time"])
    assert number(time, "tokens") == pytest.approx(number(time, "steps") * 128 * 4096)
    assert number(energy, "power") * number(energy, "time") == pytest.approx(plan["energy"])
    assert number(terms["carbon"], "energy") * number(terms["carbon"], "site.carbon") == pytest.approx(plan["carbon"])
    hours = number(cost, "time") / 3600.0
    assert number(cost, "price [") * number(cost, "chips paid") * hours == pytest.approx(plan["cost"])
    assert cost["offers"]["rent"]["rent [USD]"] == pytest.approx(plan["cost"])
    assert {"chip.power source", "site.pue source", "power source"} <= terms["power"].keys()


def test_every_input_that_is_cited_is_spelled_out() -> None:
    """The sources of price, PUE, carbon and interruptions are in the document's list."""
    terms, plan = inputs_of()
    cited = {terms["goodput"]["goodput source"], terms["cost"]["price source"], terms["carbon"]["site.carbon source"]}
    assert cited <= plan["sources"].keys()


def test_a_purchase_names_what_it_wears_off() -> None:
    """Bought: wear, interest, upkeep and electricity give the cost by the formula of its share, with their sources."""
    terms, plan = inputs_of(cluster={"chip": "h100-sxm", "count": 16, "terms": "buy"})
    cost = terms["cost"]
    watts = number(cost, "power of all chips")
    assert watts * number(cost, "site.electricity") == pytest.approx(number(cost, "electricity of all chips"))
    rate = sum(number(cost, name) for name in ("wear", "interest", "upkeep", "electricity of all chips"))
    assert rate * number(cost, "time") == pytest.approx(plan["cost"]) and cost["charged whole"] is False
    assert number(cost, "base") / number(cost, "ownership.lifetime") == pytest.approx(number(cost, "wear"))
    assert {"site.electricity source", "ownership.switch_price source", "ownership.wacc source"} <= cost.keys()
    assert number(cost, "purchase per chip") * number(cost, "chips paid") == pytest.approx(number(cost, "base"))
    owned = {name: number(cost, f"ownership.{name} [") for name in SHARES}
    size = number(cost, "node.network") / owned["port_rate"]
    hardware = number(cost, "price [") * (1.0 + owned["storage_share"]) + owned["link_price"] * size
    assert number(cost, "tiers") == 0 and hardware == pytest.approx(number(cost, "purchase per chip"))
    power, years = number(cost, "rated power of a node") / number(cost, "chips in a node"), 365.25 * 86400.0
    hall, life = power * owned["air.facility"], owned["facility_lifetime"] / years
    yearly = hall * owned["wacc"] / (1.0 - (1.0 + owned["wacc"]) ** -life)
    yearly += power / 1e6 * owned["staff"] * owned["staff_cost"] + owned["maintenance"] * hardware
    yearly += owned["facility_maintenance"] * hall + power * owned["load"] * owned["water"] * years
    assert 16 * yearly / years == pytest.approx(number(cost, "upkeep"))


def test_duties_are_named_where_a_price_bears_them() -> None:
    """Under a law with a place the inputs hold duty and VAT of that country with their source; else neither."""
    terms, _ = inputs_of(cluster={"chip": "h20", "count": 16, "terms": "buy"}, law={"to": "CN", "on": "2025-01-01"})
    assert number(terms["cost"], "duties.vat of CN") > 0.0 and terms["cost"]["duties.vat source"]
    plain, _ = inputs_of(cluster={"chip": "h100-sxm", "count": 16, "terms": "buy"})
    assert not any(name.startswith("duties") for name in plain["cost"])


def test_own_chips_cost_electricity() -> None:
    """No price is named where there is none."""
    terms, plan = inputs_of(cluster={"chip": "h100-sxm", "count": 16, "terms": "own"})
    cost = terms["cost"]
    assert number(cost, "electricity of all chips") * number(cost, "time") == pytest.approx(plan["cost"])
    assert not any(name.startswith("price") for name in cost)


def test_what_is_unknown_has_no_inputs() -> None:
    """One step has no time or cost; a chip without a known power has no energy."""
    terms, _ = inputs_of(work={"seq_len": 4096, "global_batch": 128})
    assert {"goodput", "power"} <= terms.keys() and not {"time", "cost", "energy", "carbon"} & terms.keys()


def test_a_point_has_both_upper_ends() -> None:
    """On the front the cost at the quoted price is what is ranked; what prices span reaches further."""
    ask = asked()
    goal = goal_of(ask)
    desk = Desk(ask, 2)
    spots = solve(desk, candidates(ask, CATALOG)[0], goal)
    (point,) = points(spots, goal)
    best = spots[0].best
    assert point.cost_high == best.cost_high and point.cost_top == cost_top(best)
    assert (point.cost or 0.0) < (point.cost_high or 0.0) < (point.cost_top or 0.0)
    shown, draft = price(spots[0].candidate.setting, Layout(dp=8, tp=2, etp=2), goal)
    assert shown.ranges["cost"][1] == pytest.approx(cost_top(draft))
