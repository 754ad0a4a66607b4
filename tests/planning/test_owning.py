"""Owning a cluster: its bill by part, against published all-in figures, and what a unit of its work comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan import cost
from exaplan.answers.owning import Item, Owned
from exaplan.catalog import Catalog
from exaplan.catalog.folder import Layer
from exaplan.errors import CatalogError, InputError
from exaplan.nouns import Cluster, Figure
from exaplan.planning.building import built
from exaplan.planning.offers import Basis, quotes
from exaplan.planning.owning import own

from .asked import CATALOG

H100 = CATALOG.assemble(CATALOG.chip("h100-sxm"), 1024)
AUGUST = "2024-08-31"  # the day of the published worksheet
YEAR = cost.YEAR


def part(items: tuple[Item, ...], name: str) -> Item:
    """The line of a bill."""
    return next(item for item in items if item.name == name)


def of(count: int, chip: str = "h100-sxm") -> Cluster:
    """So many chips in their usual nodes."""
    return CATALOG.assemble(CATALOG.chip(chip), count)


# ------------------------------------------------------------------------------------------- published all-in figures


@pytest.mark.parametrize(
    ("nodes", "published"),
    [(2, 45_810.0), (64, 46_883.0), (128, 49_248.0), (2048, 49_248.0), (4096, 51_613.0), (16_384, 51_613.0)],
)
def test_all_in_cost_of_an_h100(nodes: int, published: float) -> None:
    """Servers of that month, switches and links by tier, storage, and what five years wear off a hall: within 10% of
    the worksheet of August 2024 from 2 nodes to 131,072 chips."""
    made = own(CATALOG, of(8 * nodes), on=AUGUST)
    value, low, high = made.per["all-in"]
    assert value == pytest.approx(published, rel=0.10) and low < value < high
    assert {item.name for item in made.capital} == {"servers", "network", "storage", "facility"}
    assert all(item.source for item in made.capital)


def test_a_dgx_h100_from_its_parts() -> None:
    """Eight chips at the analysts' price of 2024 or early 2025, the other parts, the seller's margin: $270,000 within
    10%; 10.2 kW is the maker's own figure, which with the hall's PUE is within 10% of Epoch's 1.7 kW all-in."""
    node = CATALOG.node("hgx-h100")
    for on in (AUGUST, "2025-01-15"):
        made = built(CATALOG, node, on)
        assert made is not None and made.price[0] == pytest.approx(270_000.0, rel=0.10)
        assert {item.name for item in made.items} == {"chips", "rest", "margin"} and made.power is None
    whole = own(CATALOG, of(8), on=AUGUST)
    assert whole.it_power == pytest.approx(10_200.0)
    assert whole.it_power * CATALOG.default_site().pue / 8 == pytest.approx(1700.0, rel=0.10)


def test_a_gb200_rack_from_its_parts() -> None:
    """72 chips at the analysts' price, network cards and cold plates: $2 to 3 million; trays and shelves: 120 to 132
    kW, each within 10%."""
    made = built(CATALOG, CATALOG.node("gb200-nvl72"), "2025-12-01")
    assert made is not None and made.power is not None
    assert 2e6 * 0.9 <= made.price[0] <= 3e6 * 1.1 and 120e3 * 0.9 <= made.power[0] <= 132e3 * 1.1
    assert "switch-tray" in made.unpriced and built(CATALOG, CATALOG.node("hgx-h20")) is None
    rack = own(CATALOG, of(72, "gb200"), on="2025-12-01")
    assert part(rack.capital, "servers").value == pytest.approx(made.price[0], rel=0.15)
    assert rack.cooling == "liquid" and rack.it_power == pytest.approx(made.power[0], rel=0.10)


def test_a_gigawatt_campus() -> None:
    """A gigawatt of IT in GB200 racks with network, storage and hall: the $45 to 55 bn that are quoted, within 10%."""
    rack = CATALOG.node("gb200-nvl72")
    made = own(CATALOG, of(72 * int(1e9 / (rack.power or 1.0)), "gb200"), on="2025-12-01")
    assert made.it_power == pytest.approx(1e9, rel=1e-3)
    assert 45e9 * 0.9 <= sum(item.value for item in made.capital) <= 55e9 * 1.1


def test_the_page_says_what_comes_out() -> None:
    """The deviations that docs/method/owning.md tells are those of the code, within the rounding of the page."""
    page = (Path(__file__).parents[2] / "docs/method/owning.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([\d,]+)[^|]*nodes[^|]*\|[^|]*\| \$([\d,]+) \|", page, re.MULTILINE)
    assert len(told) == 4
    for nodes, value in told:
        made = own(CATALOG, of(8 * int(nodes.replace(",", ""))), on=AUGUST)
        assert made.per["all-in"][0] == pytest.approx(float(value.replace(",", "")), abs=10.0)


# -------------------------------------------------------------------------------------------------------- the bill


def test_the_bill_adds_up() -> None:
    """Capital per chip, a year, an hour in use, a FLOP and a token follow from the parts."""
    made = own(CATALOG, H100, tokens=1e6)
    capital, rate = (sum(item.value for item in items) for items in (made.capital, made.running))
    assert made.per["chip"][0] == pytest.approx(capital / 1024) and made.per["year"][0] == pytest.approx(rate * YEAR)
    used = rate / made.utilisation
    assert made.per["hour"][0] == pytest.approx(used * 3600.0 / 1024)
    assert made.per["flop"][0] == pytest.approx(used / 1024 / H100.chip.peak["bf16"], rel=1e-6, abs=0.0)
    assert made.per["token"][0] == pytest.approx(used / 1e6)
    assert all(low <= value <= high for value, low, high in made.per.values())
    assert all(item.low <= item.value <= item.high for item in (*made.capital, *made.running))
    assert all(CATALOG.source(name) for name in made.sources)
    hall = part(made.capital, "facility").value
    assert made.per["all-in"][0] * 1024 == pytest.approx(capital - hall + hall * 5.0 / 15.0)
    assert any("33% of the hall" in note for note in made.assumptions)


def test_what_moves_several_parts_moves_them_together() -> None:
    """Power and PUE of electricity and cooling, price and life of wear and interest: the year spans each figure once,
    and no part costs less than nothing."""
    energy = CATALOG.ownership["load"]
    wide = replace(energy, value=0.5, low=0.25, high=1.0)
    known = {name: replace(figure, low=None, high=None) for name, figure in CATALOG.ownership.items()}
    site = replace(H100.site, figures={})
    catalog = replace(CATALOG)
    catalog.__dict__["ownership"] = known | {"load": wide}
    node = replace(H100.node, figures={"price": Figure(2e5, "user")})
    made = own(catalog, replace(H100, site=site, node=node))
    value, low, high = made.per["year"]
    moved = sum(part(made.running, name).value for name in ("electricity", "cooling", "water")) * YEAR
    assert value - low == pytest.approx(moved / 2) and high - value == pytest.approx(moved)
    assert all(item.low >= 0.0 for item in own(CATALOG, H100).running)
    catalog.__dict__["ownership"] = known | {"wacc": replace(known["wacc"], low=0.06, high=0.12)}
    made = own(catalog, replace(H100, site=site, node=node))
    ends = [own(catalog, replace(H100, site=site, node=node), wacc=wacc).per["year"][0] for wacc in (0.06, 0.12)]
    assert made.per["year"][1:] == pytest.approx(ends)


def test_running_costs_by_hand() -> None:
    """Electricity, cooling, staff, maintenance, depreciation and financing from the figures of data/ownership.yaml."""
    made, owning = own(CATALOG, H100), {name: figure.value or 0.0 for name, figure in CATALOG.ownership.items()}
    site, it = H100.site, 128 * 10_200.0
    draw = owning["load"] * it
    found = {item.name: item.value for item in made.running}
    assert made.it_power == it and made.power == pytest.approx(draw * site.pue)
    assert found["electricity"] == pytest.approx(draw * site.electricity)
    assert found["cooling"] == pytest.approx(draw * (site.pue - 1.0) * site.electricity)
    assert found["water"] == pytest.approx(draw * owning["water"])
    assert found["staff"] == pytest.approx(it / 1e6 * owning["staff"] * owning["staff_cost"] / YEAR)
    hall = part(made.capital, "facility").value
    bought = sum(item.value for item in made.capital) - hall
    assert hall == pytest.approx(it * owning["air.facility"])
    kept = owning["maintenance"] * bought + owning["facility_maintenance"] * hall
    assert found["maintenance"] == pytest.approx(kept / YEAR)
    wear = (1 - owning["residual"]) * bought / owning["lifetime"] + hall / owning["facility_lifetime"]
    assert found["depreciation"] == pytest.approx(wear)
    whole = cost.annuity(bought, owning["wacc"], owning["lifetime"], owning["residual"])
    whole += cost.annuity(hall, owning["wacc"], owning["facility_lifetime"])
    assert found["depreciation"] + found["financing"] == pytest.approx(whole / YEAR)
    assert set(found) == {"depreciation", "financing", "electricity", "cooling", "water", "staff", "maintenance"}


def test_an_offer_of_a_plan_and_owning_agree() -> None:
    """At full use a purchase in a plan and the bill of owning cost the same per second, electricity aside."""
    (buy,) = quotes(CATALOG, H100, "buy")
    made = own(CATALOG, H100, utilisation=1.0)
    energy = sum(part(made.running, name).value for name in ("electricity", "cooling"))
    assert (sum(item.value for item in made.running) - energy) / 1024 == pytest.approx(buy.rate)


def test_colocation_instead_of_a_hall() -> None:
    """Rented space has no hall, no people and no repair of it, but a rent per kW; hardware and electricity stay."""
    hall, rented = own(CATALOG, H100), own(CATALOG, H100, facility="colocation")
    assert "facility" not in {item.name for item in rented.capital}
    names = {item.name for item in rented.running}
    assert "staff" not in names and part(rented.running, "colocation").value == pytest.approx(150 * 12 / YEAR * 1305.6)
    assert part(rented.running, "electricity") == part(hall.running, "electricity")
    assert rented.per["hour"][0] == pytest.approx(hall.per["hour"][0], rel=0.1)
    assert rented.per["all-in"] == hall.per["all-in"]


def test_capital_that_costs_nothing_bears_no_interest() -> None:
    """At a WACC of 0 financing is none; a longer life and a higher resale each lower the hour; idle hours raise it."""
    free = own(CATALOG, H100, wacc=0.0)
    assert part(free.running, "financing").value == pytest.approx(0.0, abs=1e-12) and free.wacc == 0.0
    hour = own(CATALOG, H100).per["hour"][0]
    assert free.per["hour"][0] < hour and own(CATALOG, H100, lifetime=6 * YEAR).per["hour"][0] < hour
    assert own(CATALOG, H100, residual=0.3).per["hour"][0] < hour
    assert own(CATALOG, H100, utilisation=0.435).per["hour"][0] == pytest.approx(2.0 * hour)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.0), st.floats(0.0, 0.2), st.floats(1.0, 10.0))
def test_more_use_never_costs_more_an_hour(used: float, wacc: float, life: float) -> None:
    """An hour in use is cheapest at full use."""
    whole, some = (own(CATALOG, H100, utilisation=u, wacc=wacc, lifetime=life * YEAR) for u in (1.0, used))
    assert whole.per["hour"][0] <= some.per["hour"][0] * (1 + 1e-9)


def test_break_even_with_the_rent_of_the_day() -> None:
    """Cash of owning and renting meet after that much use; a machine that wears out before has none."""
    made = own(CATALOG, H100, on=AUGUST)
    assert made.rent is not None and made.break_even is not None and 0.5 * YEAR < made.break_even < 5 * YEAR
    hall = part(made.capital, "facility").value
    bought = sum(item.value for item in made.capital) - hall
    cash = sum(item.value for item in made.running if item.name not in ("depreciation", "financing"))
    cash += cost.annuity_rate(hall, made.wacc, CATALOG.ownership["facility_lifetime"].value or 0.0)
    owned = bought + cash / made.utilisation * made.break_even
    assert owned == pytest.approx(made.rent / 3600.0 * 1024 * made.break_even)
    idle = own(CATALOG, H100, on=AUGUST, utilisation=0.1)
    assert idle.break_even is None and any("wears out" in note for note in idle.assumptions)


def test_chips_alone_are_bought_by_the_chip() -> None:
    """A price of the chip alone buys twelve of them, with the hall of two nodes; servers come as whole nodes."""
    chip, node = replace(H100.chip, name="card"), replace(H100.node, name="box", price=None, figures={})
    row = next(row for row in CATALOG.prices if (row.item, row.kind, row.place) == ("h100-sxm", "chip", "US"))
    catalog = replace(CATALOG)
    catalog.__dict__["prices"] = (*CATALOG.prices, replace(row, item="card"))
    made = own(catalog, replace(H100, chip=chip, node=node, count=12))
    price = made.per["chip"][0] * 12
    chips, host = part(made.capital, "chips"), part(made.capital, "host")
    assert chips.value == pytest.approx(12 * (row.figure.value or 0.0)) and made.it_power == 2 * 10_200.0
    assert host.value == pytest.approx(chips.value * (CATALOG.ownership["host_share"].value or 0.0))
    assert price == pytest.approx(sum(item.value for item in made.capital))
    whole = own(CATALOG, of(12))
    assert whole.cluster.count == 16 and made.cluster.count == 12 and whole.per == own(CATALOG, of(16)).per
    assert part(whole.capital, "servers").formula == "price of the servers"
    assert "2 tiers" in part(own(CATALOG, H100).capital, "network").formula
    assert any("whole nodes are bought: 16 chips" in note for note in whole.assumptions)
    assert not any("whole nodes" in note for note in made.assumptions)


def test_an_undated_price_is_of_the_day() -> None:
    """A node file's own price has no date: nothing is said of another day."""
    node = replace(H100.node, figures={"price": Figure(2e5, "user")})
    made = own(CATALOG, replace(H100, node=node), on="2015-01-01")
    assert part(made.capital, "servers").value == pytest.approx(128 * 2e5)
    assert not any("purchase price" in note for note in made.assumptions)


def test_duties_are_on_the_bill() -> None:
    """Shipped to China: duty and VAT of the day stand beside the hardware with their source, and bear interest."""
    abroad = replace(H100, site=CATALOG.site("china"))
    plain, taxed = (own(CATALOG, abroad, basis=Basis(place="US", duties=flag)) for flag in (False, True))
    duties = CATALOG.duties.at("CN")
    assert duties is not None and duties.vat.value
    bare = sum(item.value for item in plain.capital if item.name != "facility")
    customs = bare * (duties.customs.value or 0.0)
    assert part(taxed.capital, "vat").value == pytest.approx((bare + customs) * duties.vat.value)
    assert part(taxed.capital, "vat").source == duties.vat.source in taxed.sources
    assert part(taxed.running, "financing").value > part(plain.running, "financing").value
    assert part(taxed.running, "maintenance").value == pytest.approx(part(plain.running, "maintenance").value)


def test_a_chip_that_nobody_rents_has_no_break_even() -> None:
    """No rent is known: none is compared with, and the answer says so."""
    node = replace(H100.node, name="mine", figures={}, price=None)
    alone = replace(H100, chip=replace(H100.chip, name="gb300-like"), node=node)
    with pytest.raises(InputError, match="no purchase price"):
        own(CATALOG, alone)
    priced = replace(alone, node=replace(H100.node, figures=H100.node.figures))
    made = own(CATALOG, priced)
    assert made.rent is None and made.break_even is None and any("no rent" in note for note in made.assumptions)


# -------------------------------------------------------------------------------------------------- cooling and carbon


def test_sea_water_cools_a_floating_cluster() -> None:
    """10,000 H100: heat over density, heat capacity and rise of sea water; no fresh water; less cooling than air."""
    sea, air = own(CATALOG, of(10_000), cooling="sea-water"), own(CATALOG, of(10_000), cooling="air")
    assert sea.it_power == pytest.approx(12.75e6) and sea.water == pytest.approx(sea.power / (1025.0 * 3995.0 * 7.0))
    assert 0.2 < (sea.water or 0.0) < 0.5 and air.water is None
    assert "water" not in {item.name for item in sea.running} and "water" in {item.name for item in air.running}
    assert part(sea.running, "cooling").value < part(air.running, "cooling").value
    assert any("pumps" in note for note in sea.assumptions) and {"sharqawy-2010", "natick-pue", "ciw-2004"} <= set(
        sea.sources
    )


def test_liquid_is_asked_or_needed() -> None:
    """A rack beyond what air carries is cooled by liquid at the site's PUE; asked for, it has a PUE of its own."""
    assert own(CATALOG, H100).cooling == "air" and own(CATALOG, of(72, "gb200")).cooling == "liquid"
    usual, asked = own(CATALOG, of(72, "gb200")), own(CATALOG, of(72, "gb200"), cooling="liquid")
    with pytest.raises(InputError, match="cooling: air does not carry away the 132 kW of a gb200-nvl72"):
        own(CATALOG, of(72, "gb200"), cooling="air")
    assert usual.power / usual.it_power > asked.power / asked.it_power


def test_carbon_of_the_grid_and_of_making() -> None:
    """Energy at the meter times the grid; what making a chip emits spread over its life, with its range."""
    made = own(CATALOG, H100)
    assert made.carbon["grid"] == pytest.approx(made.power * YEAR * H100.site.carbon)
    assert made.carbon["embodied"] == pytest.approx(1024 * 318.0 / 5)
    low, value, high = (made.carbon[name] or 0.0 for name in ("embodied low", "embodied", "embodied high"))
    assert low < value < high < (made.carbon["grid"] or 0.0) and "chien-2023" in made.sources


def test_a_measured_draw_replaces_the_rating() -> None:
    """Given watts stand for load times rating in electricity and heat; the hall is still built for the rating."""
    made, rated = own(CATALOG, H100, watts=5e5), own(CATALOG, H100)
    assert made.power == pytest.approx(5e5 * H100.site.pue) and made.it_power == rated.it_power
    assert part(made.running, "electricity").value == pytest.approx(5e5 * H100.site.electricity)
    assert part(made.capital, "facility") == part(rated.capital, "facility")
    assert "nodes in use draw 75% of their rated power" in rated.assumptions
    assert "draw as measured" in made.assumptions and not any("rated power" in note for note in made.assumptions)


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("given_", "word"),
    [
        ({"lifetime": 0.0}, "life"),
        ({"lifetime": -YEAR}, "life"),
        ({"wacc": -0.01}, "cost of capital"),
        ({"residual": 1.0}, "residual"),
        ({"utilisation": 0.0}, "utilisation"),
        ({"utilisation": 1.2}, "utilisation"),
        ({"cooling": "magic"}, "way of cooling"),
        ({"facility": "tent"}, "facility"),
        ({"utilisation": 2.0}, "^utilisation: "),
        ({"cooling": "magic"}, "^cooling: "),
        ({"wacc": 11.0}, "^wacc: "),
        ({"residual": 1.5}, "^residual: "),
        ({"lifetime": -1.0}, "^lifetime: "),
        ({"tokens": 0.0}, "tokens"),
        ({"watts": -1.0}, "draw"),
    ],
)
def test_what_cannot_be_is_refused(given_: dict[str, float], word: str) -> None:
    """A life or share that cannot be, an unknown way of cooling: an error that names it and helps."""
    with pytest.raises(InputError, match=word) as error:
        own(CATALOG, H100, **given_)  # type: ignore[arg-type]
    assert error.value.hint


def test_what_is_only_rented_out_is_not_owned() -> None:
    """A cloud instance has no purchase: the error says so, as a plan that buys it does."""
    with pytest.raises(InputError, match="node: aws-p5 is only rented out"):
        own(CATALOG, CATALOG.assemble(CATALOG.chip("h100-sxm"), 16, node=CATALOG.node("aws-p5")))


def test_prices_of_another_day_are_told() -> None:
    """Asked for a day before anybody asked a price: the bill says of which day purchase and rent are."""
    told = own(CATALOG, H100, on="2015-01-01").assumptions
    assert {"purchase price", "rent"} <= {
        kind for kind in ("purchase price", "rent") if f"the {kind} is of 20" in str(told)
    }
    assert not any("from the day asked" in note for note in own(CATALOG, H100).assumptions)


def test_unknown_power_is_refused() -> None:
    """Without a rating there is no hall and no electricity to reckon."""
    dark = replace(H100, chip=replace(H100.chip, power=None), node=replace(H100.node, power=None))
    with pytest.raises(InputError, match="power"):
        own(CATALOG, dark)


@pytest.mark.parametrize("line", ["lifetime: 0 y", "wacc: -5%", "utilisation: 120%", "sea-water.density: 5", "spam: 1"])
def test_ownership_of_ones_own_is_checked(tmp_path: Path, line: str) -> None:
    """A figure of an overlay that cannot be is refused with file and line."""
    (tmp_path / "ownership.yaml").write_text(line + "\n")
    overlay = Catalog((*CATALOG.layers, Layer(tmp_path, "user:here")))
    with pytest.raises(InputError, match=r"ownership\.yaml:1"):
        overlay.ownership  # noqa: B018


def test_a_longer_life_of_ones_own(tmp_path: Path) -> None:
    """An overlay's figure is used and is its own source."""
    (tmp_path / "ownership.yaml").write_text("lifetime: 8 y\nwacc: 0%\n")
    overlay = Catalog((*CATALOG.layers, Layer(tmp_path, "user:here")))
    made: Owned = own(overlay, H100)
    assert made.life == pytest.approx(8 * YEAR) and part(made.running, "financing").value == pytest.approx(
        0.0, abs=1e-9
    )


def test_builds_are_checked(tmp_path: Path) -> None:
    """A part without a price, a count that is none, an unknown field: errors of the catalogue."""
    from exaplan.catalog.builds import read_builds

    texts = (
        "a: {}\n",
        "a: {parts: {b: {count: 0, price: $1, power: 1 W}}}\n",
        "a: {parts: {b: {count: 1, price: $1}}}\n",
        "a: {parts: {b: {count: 1, price: $1, power: 1 W, spam: 2}}}\n",
    )
    for text in texts:
        (tmp_path / "builds.yaml").write_text(text)
        with pytest.raises((InputError, CatalogError)):
            read_builds((Layer(tmp_path, "user:here"),), {})
    (tmp_path / "builds.yaml").write_text("a: {parts: {b: {count: 2, price: $1, power: 1 W}}}\n")
    ((component,),) = read_builds((Layer(tmp_path, "user:here"),), {}).values()
    assert component.count == 2 and component.price.value == 1.0
