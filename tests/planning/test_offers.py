"""Rent, purchase and electricity: what chips cost per second and up front, and which offer a plan takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exaplan import cost
from exaplan.catalog.duties import Duties
from exaplan.catalog.tuning import yaml_data
from exaplan.nouns import Figure, Layout, Limits
from exaplan.planning import plan
from exaplan.planning.burden import cooling_of, node_power, swing
from exaplan.planning.drafts import bills, option_of
from exaplan.planning.limits import missed
from exaplan.planning.offers import Asked, Basis, billed, fitted, hardware, least_cash, notes, quotes
from exaplan.planning.resolving import sized

from .asked import CATALOG, asked, drafted, priced_in, setting

LAYOUT = Layout(dp=8, tp=2, etp=2)
YEAR = 365.25 * 86400.0
H100 = setting().cluster


def owning(name: str) -> float:
    """A figure of data/ownership.yaml."""
    found = CATALOG.ownership[name].value
    assert found is not None
    return found


def test_a_rent_is_that_of_the_chip() -> None:
    """The usual rent of the chip per hour, no capital, electricity included."""
    (rent,) = quotes(CATALOG, H100, "rent")
    figure = CATALOG.price("h100-sxm", "rent")
    assert figure is not None and figure.value is not None
    assert rent.rate == pytest.approx(figure.value / 3600.0) and rent.capital == 0.0 and not rent.electric
    assert rent.low <= rent.rate <= rent.high and rent.figure == figure


def test_a_nodes_own_rent_comes_first_and_is_paid_whole() -> None:
    """A node with a rent is paid by the node-hour: twelve chips pay for two nodes of eight."""
    made = setting(cluster={"node": "aws-p5", "count": 16}).cluster
    (rent,) = quotes(CATALOG, made)
    assert made.node.rent is not None and rent.rate == pytest.approx(made.node.rent / 8 / 3600)
    assert rent.whole and billed(rent, sized(made, 12), 2) == 16


PARTS = {"network", "storage", "residual", "financing", "facility", "staff", "maintenance", "water"}


def test_a_purchase_is_the_whole_cost_of_owning() -> None:
    """Servers at their price, network and storage over the lifetime, less resale, with interest, hall and people."""
    (buy,) = quotes(CATALOG, H100, "buy")
    assert buy.figure.value is not None
    server = buy.figure.value if buy.figure.value < 1e5 else buy.figure.value / 8
    assert buy.capital == pytest.approx(server * (1.0 + owning("storage_share")) + owning("link_price"))
    assert buy.wear == pytest.approx(buy.capital / owning("lifetime")) and 2 * YEAR < owning("lifetime") < 10 * YEAR
    assert sum(buy.parts.values()) == pytest.approx(buy.rate) and set(buy.parts) == PARTS | {"servers"}
    assert buy.parts["residual"] == pytest.approx(-owning("residual") * buy.wear) and buy.parts["financing"] > 0.0
    annuity = cost.annuity_rate(buy.capital, owning("wacc"), owning("lifetime"), owning("residual"))
    assert annuity + buy.upkeep[0] == pytest.approx(buy.rate)
    assert buy.low < buy.rate < buy.high and buy.least < buy.capital < buy.largest and buy.electric and buy.whole


def test_a_hall_is_charged_as_its_annuity() -> None:
    """Facility: price per watt of the rated node over its own life with interest; close to what colocation asks."""
    (buy,) = quotes(CATALOG, H100, "buy")
    watts = (H100.node.power or 0.0) / 8
    year = cost.annuity(owning("air.facility") * watts, owning("wacc"), owning("facility_lifetime"))
    assert buy.parts["facility"] * cost.YEAR == pytest.approx(year)
    assert (
        buy.upkeep[0] * cost.YEAR - owning("maintenance") * buy.capital < 2.0 * owning("colocation") * 12 * watts / 1e3
    )


def test_the_network_grows_with_the_count() -> None:
    """More nodes need more tiers of switches per chip: one node none; the count of an option picks its own."""
    (buy,) = quotes(CATALOG, H100, "buy")
    found = [fitted(buy, sized(H100, count)).parts["network"] for count in (8, 16, 512, 1024, 32_768)]
    assert found[0] == 0.0 and found == sorted(found) and len(set(found)) == 5
    (whole,) = quotes(CATALOG, sized(H100, 1024), "buy")
    option = option_of(sized(H100, 1024), (buy,), 8e9)
    assert option.quotes[0].capital == pytest.approx(whole.capital) and option.quotes[0].rate == pytest.approx(
        whole.rate
    )
    assert least_cash(whole, 1.0) <= fitted(buy, sized(H100, 8)).capital + 1.0


def test_the_least_cash_is_by_the_cheapest_network() -> None:
    """Rent by the second; a purchase its price, or its wear over more than a life, with hall and people as they come,
    at the network of a single node: no more than what any count pays."""
    (rent,), (buy,) = quotes(CATALOG, H100, "rent"), quotes(CATALOG, sized(H100, 4096), "buy")
    assert least_cash(rent, 7200.0) == pytest.approx(rent.rate * 7200.0)
    single = fitted(buy, sized(H100, 8))
    assert least_cash(buy, 1e6) == pytest.approx(single.capital + single.upkeep[0] * 1e6)
    assert least_cash(buy, 1e9) == pytest.approx((single.wear + single.upkeep[0]) * 1e9)
    assert least_cash(buy, 1e6) < buy.capital + buy.upkeep[0] * 1e6


def test_a_torus_is_a_share_of_the_servers() -> None:
    """Its links are no switches of a fat tree, whatever their rate; a rail of the same rate is priced by switches."""
    torus = replace(H100, fabric=replace(H100.fabric, kind="torus"))
    (buy,), (rail,) = quotes(CATALOG, torus, "buy"), quotes(CATALOG, H100, "buy")
    assert torus.node.network is not None and buy.parts["network"] != pytest.approx(rail.parts["network"])
    assert buy.parts["network"] == pytest.approx(owning("network_share") * buy.parts["servers"])


def test_a_node_without_a_rating_has_that_of_its_chips_and_what_is_beside() -> None:
    """Eight chips of 700 W and 82% beside them; unknown chips leave it unknown, and the hall is cooled by air."""
    bare = replace(H100, node=replace(H100.node, power=None))
    beside = float(yaml_data("fits/power.yaml")["node"]["beside"])
    assert node_power(bare) == pytest.approx(8 * 700.0 * (1.0 + beside)) and node_power(H100) == 10_200.0
    dark = replace(bare, chip=replace(bare.chip, power=None))
    assert node_power(dark) is None and cooling_of(CATALOG, dark) == "air"


def test_a_network_of_unknown_rate_is_a_share_of_the_servers() -> None:
    """Where nobody knows the rate, the share of data/ownership.yaml stands for switches and cables."""
    made = replace(H100, node=replace(H100.node, network=None))
    (buy,) = quotes(CATALOG, made, "buy")
    assert buy.parts["network"] == pytest.approx(owning("network_share") * buy.parts["servers"])


def test_chips_alone_take_the_share_of_the_host() -> None:
    """Where only the chip has a price, the rest of the server is a share of it."""
    names = [row.item for row in CATALOG.prices if row.kind == "chip" and row.item in CATALOG.chips]
    clusters = (CATALOG.assemble(CATALOG.chip(name), 16) for name in names)
    bought = ((made, quotes(CATALOG, made, "buy")) for made in clusters if made.node.rent is None)
    made, (buy,) = next((made, found) for made, found in bought if found and not found[0].whole)
    figure = CATALOG.price(made.chip.name, "chip")
    assert figure is not None and figure.value is not None
    assert set(buy.parts) == PARTS | {"chips", "host"}
    assert buy.parts["chips"] == pytest.approx(figure.value / owning("lifetime"))
    assert sum(buy.parts.values()) == pytest.approx(buy.rate)
    assert buy.parts["host"] == pytest.approx(owning("host_share") * buy.parts["chips"])


def test_the_band_of_a_bare_chip_spans_the_share_of_its_host() -> None:
    """What nobody knows of the host widens capital and rate: a server of the same price, known, is narrower."""
    figure = Figure(1e4, "user", 9e3, 11e3)
    bare, known = (Asked(figure, 1.0, "", bare=flag) for flag in (True, False))
    wide, sure = (hardware(CATALOG, H100, price, 1).total for price in (bare, known))
    assert wide[0] > sure[0] and (wide[2] - wide[1]) / wide[0] > (sure[2] - sure[1]) / sure[0]


def test_what_follows_from_one_price_moves_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price that is 10% higher makes storage, VAT and the host of a bare chip 10% dearer, too: the sum spans it."""
    ownership = {name: replace(figure, low=None, high=None) for name, figure in CATALOG.ownership.items()}
    catalog = taxed(monkeypatch)
    monkeypatch.setitem(catalog.__dict__, "ownership", ownership)
    figure = Figure(1e4, "user", 9e3, 11e3)
    for bare in (True, False):
        made = hardware(catalog, H100, Asked(figure, 1.0, "US", bare=bare), -1, Table().at("US"))
        assert made.parts["network"] == (0.0, 0.0, 0.0) and made.net[0] < made.total[0]
        for span in (made.net, made.total, made.parts["storage"], made.parts["vat"]):
            assert span == pytest.approx((span[0], 0.9 * span[0], 1.1 * span[0]))
        assert made.total[0] == pytest.approx(sum(span[0] for span in made.parts.values()))
        assert made.net[0] == pytest.approx(made.total[0] - made.parts["vat"][0])


def test_what_is_only_rented_out_cannot_be_bought() -> None:
    """A cloud instance has no purchase."""
    made = setting(cluster={"node": "aws-p5", "count": 16}).cluster
    assert quotes(CATALOG, made, "buy") == [] and [q.terms for q in quotes(CATALOG, made)] == ["rent"]


def test_prices_are_those_of_the_day() -> None:
    """The rent of an H100 in early 2024 is another one than the latest; its date is no later than the day."""
    (old,), (new,) = quotes(CATALOG, H100, "rent", "2024-03-01"), quotes(CATALOG, H100, "rent")
    assert old.figure.date <= "2024-03-01" < new.figure.date and old.rate != new.rate


def test_a_fleet_costs_its_electricity() -> None:
    """What is there already: energy times the price of the place, and nothing else."""
    answer = plan(asked(cluster={"fleet": "16xH100"}), CATALOG, 1)
    item = answer.estimates[0]
    assert item.terms == "own" and item.capital == 0.0 and item.energy is not None
    assert item.cost == pytest.approx(item.energy * answer.cluster.site.electricity)
    assert [offer.parts.keys() for offer in item.offers] == [{"electricity", "cooling"}]
    pue = answer.cluster.site.pue
    assert item.offers[0].parts["cooling"] == pytest.approx((pue - 1.0) * item.offers[0].parts["electricity"])


@pytest.mark.parametrize("terms", ["rent", "buy", "own", "any"])
def test_offers_add_up(terms: str) -> None:
    """Parts sum to the cost, the band holds it, and the first offer is what the plan pays; a short run is rented."""
    item = priced_in(setting(cluster={"chip": "h100-sxm", "count": 16, "terms": terms}), LAYOUT)
    assert item.cost == pytest.approx(item.offers[0].cost)
    assert item.terms == item.offers[0].terms == ("rent" if terms == "any" else terms)
    assert {offer.terms for offer in item.offers} == ({"rent", "buy"} if terms == "any" else {terms})
    for offer in item.offers:
        assert sum(offer.parts.values()) == pytest.approx(offer.cost)
        assert offer.low is not None and offer.high is not None and offer.low <= offer.cost <= offer.high
        assert CATALOG.source(offer.source)


def test_money_holds_cash() -> None:
    """A purchase needs its whole price at once: a budget between its share of the run and that does not hold it."""
    cluster: dict[str, Any] = {"chip": "h100-sxm", "count": 16, "terms": "buy"}
    free = drafted(setting(cluster=cluster), LAYOUT)
    assert free.bill is not None and free.cost is not None and free.cost < free.bill.base
    assert (
        missed(free, Limits(money=2 * free.cost)) == ("money",)
        and missed(free, Limits(money=1.1 * free.bill.base)) == ()
    )


def test_a_purchase_wins_where_it_pays_within_the_run() -> None:
    """Terms any: a run of days is rented; one beyond the break-even of full use is bought, at its whole price."""
    short = priced_in(setting(), LAYOUT)
    (buy,) = [offer for offer in short.offers if offer.terms == "buy"]
    (rent,) = [offer for offer in short.offers if offer.terms == "rent"]
    assert short.terms == "rent" and short.time is not None and buy.break_even is not None
    cash = ("electricity", "cooling", "facility", "staff", "maintenance", "water")
    saved = (rent.cost - sum(buy.parts[name] for name in cash)) / short.time
    assert buy.break_even == pytest.approx(buy.capital / saved) and buy.break_even > short.time
    tokens = 10e9 * buy.break_even / short.time
    for share, terms in ((0.9, "rent"), (1.1, "buy")):
        work = {"tokens": f"{share * tokens:.0f}", "seq_len": 4096, "global_batch": 128}
        item = drafted(setting(work=work, limits={"hold": "expected"}), LAYOUT)
        assert item.bill is not None and item.bill.quote.terms == terms
    whole = item.bill.base + item.bill.running * item.time
    assert item.cost == pytest.approx(whole) and item.cash == pytest.approx(whole)


def test_what_needs_electricity_of_unknown_power_has_no_price() -> None:
    """A purchase whose power is unknown is left out of the bills; a rent is not."""
    option = drafted(setting(), LAYOUT).option
    assert [bill.quote.terms for bill in bills(option, None, True)] == ["rent"]
    assert sorted(bill.quote.terms for bill in bills(option, 1e4, True)) == ["buy", "rent"]


def test_a_node_with_a_price_on_a_later_day_is_not_used() -> None:
    """Of several server prices the newest up to the day counts."""
    figure = Figure(8e5, "user", date="2030-01")
    node = replace(H100.node, price=8e5, figures={**H100.node.figures, "price": figure})
    made = replace(H100, node=node)
    assert quotes(CATALOG, made, "buy")[0].figure == figure
    assert quotes(CATALOG, made, "buy", "2025-06-01")[0].figure != figure


def test_the_askers_own_node_price_comes_first(tmp_path: Path) -> None:
    """A node file's own price, which has no date, beats what the catalogue knows; with a rent both are offered."""
    text = "name: mine\nchip: h100-sxm\nchips: 8\nnetwork: 400 Gb/s\npower: 10200 W\nprice: $100000\nrent: $20/h\n"
    (tmp_path / "node.yaml").write_text(text)
    cluster = setting(cluster={"node": str(tmp_path / "node.yaml"), "count": 16}).cluster
    rent, buy = quotes(CATALOG, cluster)
    assert buy.capital == pytest.approx(100_000 / 8 * (1.0 + owning("storage_share")) + owning("link_price"))
    assert rent.rate == pytest.approx(20.0 / 8 / 3600.0)


def test_a_listed_system_has_the_place_of_its_row() -> None:
    """A supernode that is only sold in China costs the same on the basis of either place, and is not sold in the US."""
    made = CATALOG.assemble(CATALOG.chip("ascend-910c"), 384, site=CATALOG.site("china"))
    row = next(row for row in CATALOG.prices if row.item == made.node.name and row.kind == "system")
    home, there = (quotes(CATALOG, made, "buy", "2026-06-30", basis=Basis(place=name))[0] for name in ("US", "CN"))
    assert home.place == there.place == row.place == "CN" and made.node.figures["price"].value
    assert home.capital == pytest.approx(there.capital) and home.figure.source == row.figure.source


def test_a_rack_is_bought_at_the_price_of_the_year() -> None:
    """The name of a rack is also an alias of its chip: as a system it is the rack that the table prices."""
    rows = [row for row in CATALOG.prices if row.item == "gb200-nvl72" and row.kind == "system"]
    assert len(rows) > 1
    made = CATALOG.assemble(CATALOG.chip("gb200"), 72)
    for row in rows:
        (buy,) = quotes(CATALOG, made, "buy", f"{row.date}-12-31"[:10])
        assert buy.figure.value == row.figure.value and buy.parts["servers"] == pytest.approx(
            (row.figure.value or 0.0) / 72 / owning("lifetime")
        )


def test_a_range_is_never_beyond_all_figures_at_their_ends() -> None:
    """In quadrature; a product of wide positive ranges stays positive, a quotient below its largest."""
    assert swing(lambda a, b: a + b, a=(1.0, 0.7, 1.3), b=(2.0, 1.6, 2.4)) == pytest.approx((3.0, 2.5, 3.5))
    assert swing(lambda a, b: a * b, a=(1.0, 0.05, 3.0), b=(10.0, 1.0, 12.0))[1] == pytest.approx(0.05)
    assert swing(lambda a, b: a / (a + b), a=(1.0, 1.0, 9.0), b=(1.0, 0.0, 1.0)) == pytest.approx((0.5, 0.5, 1.0))
    assert swing(lambda a: -a, a=(1.0, 0.5, 3.0)) == pytest.approx((-1.0, -3.0, -0.5))


# ------------------------------------------------------------------------------------------------- bases of prices


class Table:
    """Duties that hold everywhere."""

    def at(self, place: str, on: str = "") -> Duties:
        """13% of VAT, 5% of duty."""
        return Duties(Figure(0.13, "user"), Figure(0.05, "user"))


def taxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The catalogue with those duties."""
    made = replace(CATALOG)
    monkeypatch.setitem(made.__dict__, "duties", Table())
    return made


def test_duties_and_vat_go_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """From abroad: duty on the price and VAT on both; at home VAT alone; recovered VAT is none; a rent bears VAT."""
    catalog, abroad = taxed(monkeypatch), replace(H100, site=CATALOG.site("china"))
    (plain,) = quotes(catalog, abroad, "buy", basis=Basis(place="US"))
    (full,) = quotes(catalog, abroad, "buy", basis=Basis(place="US", duties=True))
    assert full.capital == pytest.approx(plain.capital * 1.05 * 1.13) and sum(full.parts.values()) == pytest.approx(
        full.rate
    )
    assert full.parts["duties"] == pytest.approx(0.05 * plain.wear)
    assert full.parts["vat"] == pytest.approx(0.13 * 1.05 * plain.wear)
    (home,) = quotes(catalog, H100, "buy", basis=Basis(duties=True))
    assert "duties" not in home.parts and home.parts["vat"] == pytest.approx(0.13 * home.wear / 1.13)
    (saved,) = quotes(catalog, abroad, "buy", basis=Basis(place="US", duties=True, vat=False))
    assert "vat" not in saved.parts and saved.capital == pytest.approx(plain.capital * 1.05)
    (rent,) = quotes(catalog, abroad, "rent", basis=Basis(place="US", duties=True))
    assert rent.parts["vat"] == pytest.approx(0.13 * rent.parts["rent"]) and sum(rent.parts.values()) == pytest.approx(
        rent.rate
    )


def test_duties_that_nobody_knows_are_told() -> None:
    """No entry for the country: nothing is put on top, and a note says so."""
    nowhere = replace(H100, site=replace(H100.site, country="AQ"))
    (plain,), (asked_for,) = (quotes(CATALOG, nowhere, "buy", basis=basis) for basis in (Basis(), Basis(duties=True)))
    assert asked_for.capital == plain.capital
    assert any("AQ" in note for note in notes(CATALOG, nowhere, "", Basis(duties=True)))
    assert notes(CATALOG, nowhere) == ()


def test_a_cut_down_chip_may_take_the_price_of_its_parent() -> None:
    """Where asked and the chip itself has no price in that country; else its own price holds."""
    chip, node = replace(H100.chip, name="cut", parent="h100-sxm"), replace(H100.node, name="cut-box", price=None)
    bare = replace(H100, chip=chip, node=replace(node, figures={}))
    basis = Basis(place="US", parent=True)
    assert quotes(CATALOG, bare, "any") == []
    (rent, buy), (first, second) = quotes(CATALOG, bare, "any", basis=basis), quotes(CATALOG, H100, "any")
    assert rent.rate == first.rate and buy.capital == pytest.approx(second.capital)
    assert any("h100-sxm" in note for note in notes(CATALOG, bare, "", basis))
    own = quotes(CATALOG, replace(H100, chip=replace(H100.chip, parent="a100-sxm-80gb")), "any", basis=basis)
    assert [quote.rate for quote in own] == [first.rate, second.rate]


def test_a_grey_price_is_no_offer() -> None:
    """Prices that were paid on the street are never bought at, also where nothing else has a price there."""
    rows = [row for row in CATALOG.prices if row.kind.startswith("street") and row.item in CATALOG.chips]
    assert rows and {"street", "street-server"} >= {row.kind for row in rows}
    for row in rows:
        made = CATALOG.assemble(CATALOG.chip(row.item), 16, site=replace(H100.site, country=row.place))
        for basis in (Basis(), Basis(place=row.place, duties=True, parent=True)):
            assert all(quote.figure.value != row.figure.value for quote in quotes(CATALOG, made, basis=basis))
