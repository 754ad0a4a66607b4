"""The AI tax: its parts add up, each part is what its definition says, and a domestic chip ends it where it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.answers.tax import PARTS, Tax
from exaplan.ask import Ask, parse
from exaplan.catalog import Catalog, load
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Cluster
from exaplan.planning.candidates import clusters_of
from exaplan.planning.offers import asked_price, quotes
from exaplan.planning.solving import Desk
from exaplan.planning.standing import timely, with_prices
from exaplan.planning.taxing import field, tax
from exaplan.planning.taxing.doubts import doubts
from exaplan.planning.taxing.even import break_even, priced_at
from exaplan.planning.taxing.field import searched
from exaplan.planning.taxing.market import Day, Market, dutied, on_day, was_usable
from exaplan.planning.taxing.question import Question, question_of
from exaplan.planning.taxing.series import days
from exaplan.planning.taxing.sides import Costs, costs, free, least, side

from .asked import CATALOG

FEW = ("a100-sxm-80gb", "a800-sxm-80gb", "ascend-910b", "h100-sxm", "h20", "h800-sxm", "mi300x", "rtx-4090")
LAW = {"to": "CN", "on": "2024-01-15"}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight chips are enough to tell the sides apart."""
    only(monkeypatch, FEW)


def only(monkeypatch: pytest.MonkeyPatch, names: Sequence[str]) -> None:
    """Leave some chips in the comparison."""

    def some(ask: Ask, catalog: Catalog) -> Iterator[Cluster]:
        return (item for item in clusters_of(ask, catalog) if item.chip.name in names)

    monkeypatch.setattr(field, "clusters_of", some)


def asked(**parts: Any) -> Ask:
    """Llama 3.1 8B on 64 H100, for China in January 2024; ``parts`` replace top-level fields."""
    plain: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "work": {"tokens": "100B", "seq_len": 4096, "global_batch": 256},
        "cluster": {"chip": "h100-sxm", "count": 64},
        "law": LAW,
    }
    return parse({key: value for key, value in (plain | parts).items() if value is not None})


def taxed(catalog: Catalog = CATALOG, **law: Any) -> Tax:
    """The tax under a changed law."""
    return tax(asked(law=LAW | law), catalog)


@pytest.fixture(scope="module")
def usual() -> Tax:
    """The tax of the usual question, over the whole catalogue."""
    return tax(asked(), CATALOG)


LORA = {
    "model": "llama-2-70b",
    "work": {"method": "lora", "rank": 16, "steps": 1024, "seq_len": 8192, "global_batch": 8},
    "cluster": {"chip": "h100-sxm", "count": 8},
}


# -------------------------------------------------------------------------------------------------- definition


@pytest.mark.parametrize("parts", [{}, LORA, {"law": LAW | {"on": "2023-10-01"}}, {"law": LAW | {"on": "2025-06-01"}}])
def test_the_parts_add_up_to_the_tax(parts: dict[str, Any]) -> None:
    """Capability, price, duties and quantity are the tax, for purchase and rent, pretraining and LoRA."""
    found = tax(asked(**parts), CATALOG)
    told = [item for item in found.sides.values() if item.tax is not None]
    assert told and set(found.sides) == {"buy", "rent"}
    for item in told:
        assert set(item.parts) == set(PARTS)
        assert sum(value or 0.0 for value in item.parts.values()) == pytest.approx(item.tax)
        assert item.low is not None and item.high is not None and item.tax is not None
        assert item.low <= item.tax <= item.high


def test_the_tax_is_local_over_reference(usual: Tax) -> None:
    """The two plans that are shown are those that the number is made of; the work is the same."""
    item = usual.sides["buy"]
    assert item.reference and item.local and item.reference.cost and item.local.cost and item.tax is not None
    assert item.local.cost / item.reference.cost - 1.0 == pytest.approx(item.tax)
    assert item.local.tokens == item.reference.tokens == pytest.approx(100e9)
    assert {plan.terms for plan in (item.local, item.reference)} == {"buy"}
    assert item.local.time and item.reference.time
    assert item.time_ratio == pytest.approx(item.local.time / item.reference.time)


def test_both_sides_have_the_same_deadline_and_place(usual: Tax) -> None:
    """The time of the asked plan bounds both; both stand in the destination, at its price of electricity."""
    deadline = usual.provenance["deadline"]
    assert any(line.startswith("deadline of both sides") for line in usual.assumptions)
    for one in usual.sides.values():
        for plan in (one.reference, one.local):
            assert plan and plan.time and plan.time <= deadline * (1.0 + 1e-9)
            assert plan.cluster and plan.cluster.site.country == "CN"
    given = tax(asked(limits={"deadline": "10 d"}), CATALOG)
    assert given.provenance["deadline"] == 10 * 86400.0


def test_the_local_plan_uses_only_chips_that_may_be_had(usual: Tax) -> None:
    """Bought: usable on the day. Rented: usable on the day, or let in before and rented there now."""
    law = question_of(asked(), CATALOG).law
    bought, rented = (usual.sides[terms].local for terms in ("buy", "rent"))
    assert bought and bought.cluster and law.usable(bought.cluster.chip)
    assert rented and rented.cluster
    chip = rented.cluster.chip
    assert law.usable(chip) or was_usable(law, chip)


# -------------------------------------------------------------------------------------------------- properties


def test_a_place_under_no_rule_has_no_capability_part() -> None:
    """To Germany every chip may go: nothing is lost but prices and duties."""
    found = taxed(to="DE")
    assert [item.parts["capability"] for item in found.sides.values()] == [0.0, 0.0]
    home = taxed(to="US").sides["buy"]
    assert (home.tax, home.low, home.high) == (0.0, 0.0, 0.0)


def test_without_every_rule_nothing_is_lost() -> None:
    """All rules left out: no capability part, and the answer names the counterfactual."""
    found = taxed(without=list(CATALOG.rules.rules))
    assert [item.parts["capability"] for item in found.sides.values()] == [0.0, 0.0]
    assert found.counterfactual.startswith("without ")


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(1000.0, 40000.0), min_size=2, max_size=2).map(sorted))
def test_a_looser_threshold_never_raises_the_capability_part(ends: list[float]) -> None:
    """More TPP allowed is never worse: the usable chips of the stricter rule stay usable."""
    names = ("advanced-computing-2023.tpp", "advanced-computing-2023.tpp_dense", "advanced-computing-2023.tpp_middle")
    parts = [_capability(dict.fromkeys(names, end)) for end in ends]
    assert parts[1] <= parts[0] + 1e-12


def _capability(thresholds: dict[str, float]) -> float:
    """Capability part of a purchase with other thresholds, by the upper ends that were chosen by; infinite where no
    plan is left. It is never negative: fewer chips are left to choose from."""
    made = _question(thresholds=thresholds)
    day = on_day(made.law, "2024-01-15", Market(CATALOG, "CN", True))
    found = costs(made, _field(made), day, "buy", free)
    first, second = found.steps[:2]
    assert first is not None
    assert second is None or second.top >= first.top
    return float("inf") if second is None else second.top / first.top - 1.0


_HELD: dict[str, Any] = {}


def _question(**law: Any) -> Question:
    return question_of(asked(law=LAW | law), CATALOG)


def _field(made: Question) -> field.Field:
    """The field of the few chips, searched once for all thresholds: it does not depend on the law."""
    if "field" not in _HELD:
        market = Market(CATALOG, "CN", True)
        _HELD["field"] = searched(made, lambda item: item.chip.name in FEW and market.priced(item), {"ascend-910b"})
    found: field.Field = _HELD["field"]
    return found


def test_rents_in_china_were_below_those_of_home() -> None:
    """An A100 rented for 0.75 $/h in China in September 2024 (prices.csv) and for more at home: the tax is negative."""
    found = tax(asked(cluster={"chip": "a100-sxm-80gb", "count": 64}, law={"to": "CN", "on": "2024-09-15"}), CATALOG)
    rent = found.sides["rent"]
    assert rent.tax is not None and rent.tax < 0.0
    assert rent.parts["price"] is not None and rent.parts["price"] < -0.2
    assert any(line.startswith("rented from what the law let in before") for line in found.assumptions)


def test_what_only_stands_in_a_cloud_elsewhere_is_not_for_rent() -> None:
    """TPU v4 is rented out by its maker alone, and no rent in China is known: it is on no side of a rent there."""
    law, market = question_of(asked(), CATALOG).law, Market(CATALOG, "CN", True)
    day, home = on_day(law, "2024-01-15", market), Market(CATALOG, "US", True)
    cluster = CATALOG.assemble(CATALOG.chips["tpu-v4"], 64)
    assert day.out(cluster.chip) and not day.possible(cluster, "rent") and day.possible(cluster, "buy")
    assert home.stands_there(cluster, "2024-01-15")
    assert day.possible(CATALOG.assemble(CATALOG.chips["h100-sxm"], 64), "rent")


# -------------------------------------------------------------------------------- only what this work feels


def cut(folder: Path, line: str, new: str) -> Catalog:
    """The catalogue with one line of the file of H20 changed."""
    text = (Path(str(CATALOG.layers[0].folder)) / "chips" / "h20.yaml").read_text(encoding="utf-8")
    (folder / "chips").mkdir(parents=True)
    (folder / "chips" / "h20.yaml").write_text("replaces: h20\n" + text.replace(line, new), encoding="utf-8")
    return load(folder)


def test_capability_counts_only_what_the_work_feels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting the FP64 rate of the local chip changes nothing; cutting its links costs a work cut over tensors more."""
    only(monkeypatch, ("h100-sxm", "h20"))
    text = (Path(str(CATALOG.layers[0].folder)) / "chips" / "h20.yaml").read_text(encoding="utf-8")
    (fp64,) = (line for line in text.splitlines() if line.strip().startswith("fp64:"))
    (links,) = (line for line in text.splitlines() if line.startswith("link_bandwidth:"))
    slower = "  fp64: {value: 0.01 TFLOP/s, source: own-estimate}"
    narrow = "link_bandwidth: {value: 25 GB/s, source: own-estimate}"
    plain, blunt, tied = (
        _h20(tax(asked(model="llama-3.1-70b"), catalog))
        for catalog in (CATALOG, cut(tmp_path / "a", fp64, slower), cut(tmp_path / "b", links, narrow))
    )
    assert blunt == pytest.approx(plain) and tied > 1.05 * plain


def _h20(found: Tax) -> float:
    """Cost of the local purchase, which is of H20. [USD]"""
    plan = found.sides["buy"].local
    assert plan and plan.cluster and plan.cost and plan.cluster.chip.name == "h20"
    return plan.cost


# ------------------------------------------------------------------------------------------- duties, quantity


def test_value_added_tax_that_is_recovered_is_no_duty() -> None:
    """13% of VAT in China is the duties part of a purchase; who recovers it bears less."""
    paid, back = (taxed(vat=vat).sides["buy"].parts["duties"] for vat in ("paid", "recovered"))
    assert paid is not None and back is not None and paid > back >= 0.0


def test_chips_that_are_not_to_be_had_are_the_quantity_part() -> None:
    """A ceiling below what the cheapest plan takes costs something, or leaves none and says so; a high one nothing."""
    wide = taxed(count=10**6).sides["buy"]
    assert wide.parts["quantity"] == 0.0 and wide.local and wide.local.cluster
    with pytest.raises(NoPlan, match="bought, not enough chips are to be had in CN: the least plan takes"):
        taxed(count=8)
    tight = taxed(count=wide.local.cluster.count - 1).sides["buy"]
    assert tight.tax is None or (tight.parts["quantity"] or 0.0) > 0.0


def test_a_duty_of_the_rules_is_in_the_duties_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """25% on an H200 that comes from abroad (duty-2026) is borne by its buyer; leaving that rule out ends it."""
    only(monkeypatch, ("h200-sxm",))
    law = {"on": "2026-03-15", "accept": ["free", "licence"]}
    abroad = with_prices(CATALOG, (row for row in CATALOG.prices if (row.item, row.place) != ("h200-sxm", "CN")))
    with_, without = taxed(abroad, **law), taxed(abroad, **law, without=["duty-2026"])
    assert any("h200-sxm: 25%" in line for line in with_.assumptions)
    parts = [found.sides["buy"].parts["duties"] for found in (with_, without)]
    assert parts[0] is not None and parts[1] is not None and parts[0] > parts[1]
    assert not any("25%" in line for line in without.assumptions)


def test_a_further_duty_raises_what_follows_from_the_capital() -> None:
    """Capital and its wear grow by the share of the servers times the rate; upkeep stays; parts add up to the rate."""
    cluster = CATALOG.assemble(CATALOG.chips["h200-sxm"], 64, site=CATALOG.sites["china"])
    (plain,) = quotes(CATALOG, cluster, "buy", "2026-03-15")
    more = dutied(plain, 0.25)
    assert sum(more.parts.values()) == pytest.approx(more.rate) and more.upkeep == plain.upkeep
    assert 1.2 < more.capital / plain.capital < 1.25
    assert more.rate - plain.rate == pytest.approx(
        (plain.rate - plain.upkeep[0]) * (more.capital / plain.capital - 1.0)
    )
    assert all(more.ladder[tiers].capital > one.capital for tiers, one in plain.ladder.items())


# ---------------------------------------------------------------------------------------------------- break-even


def test_a_domestic_chip_ends_the_tax_at_its_break_even_price() -> None:
    """At that price the cheapest plan of the chip costs what the reference costs."""
    made = _question()
    found = next(item for item in tax(asked(), CATALOG).break_even if item.chip == "ascend-910b")
    day = on_day(made.law, "2024-01-15", Market(CATALOG, "CN", True))
    entry = _field(made).entries["ascend-910b"]
    reference = costs(made, _field(made), day, "buy", free).reference
    assert found.price is not None and found.now is not None and reference is not None
    paid = priced_at(CATALOG, entry, day, found.price, bare=_bare(day, entry))
    least = min(entry.bought(row, paid, made).cost or 0.0 for row in entry.fit)
    assert least == pytest.approx(reference.cost, rel=1e-6)
    assert found.throughput is not None and (found.throughput > 1.0) == (found.now > found.price)


def _bare(day: Day, entry: field.Entry) -> bool:
    """Whether today's price is that of the chip alone."""
    found = asked_price(CATALOG, entry.candidate.setting.cluster, day.on, day.market.taxed)
    assert found is not None
    return found.bare


def test_a_chip_that_is_cheap_enough_needs_no_more_speed() -> None:
    """Against the same reference, today's speed is just enough at the break-even price, and half of it allows less."""
    made = _question()
    day = on_day(made.law, "2024-01-15", Market(CATALOG, "CN", True))
    reference = costs(made, _field(made), day, "buy", free).reference
    (first,) = (item for item in break_even(made, _field(made), day, reference) if item.chip == "ascend-910b")
    assert first.price is not None
    bare = _bare(day, _field(made).entries["ascend-910b"])
    for share, lowest, most in ((1.0, 1.0 - 1e-6, 1.0 + 1e-6), (0.5, 0.0, 0.9)):
        market = Market(_sold(first.price * share, bare), "CN", True)
        again = break_even(made, _field(made), on_day(made.law, "2024-01-15", market), reference)
        (now,) = (item for item in again if item.chip == "ascend-910b")
        assert now.now == pytest.approx(first.price * share)
        assert now.throughput is not None and lowest <= now.throughput <= most


def _sold(price: float, bare: bool) -> Catalog:
    """The catalogue with another price of the 910B."""
    row = next(item for item in CATALOG.prices if item.item == "ascend-910b")
    plain: dict[str, Any] = {"low": None, "mid": price, "high": None, "vat": "excl", "currency": "USD", "rate": 1.0}
    kind, unit = ("chip", "USD") if bare else ("server", "USD/chip")
    return with_prices(CATALOG, (replace(row, **plain, kind=kind, unit=unit, date="2023"),))


def test_every_domestic_chip_has_its_line(usual: Tax) -> None:
    """One per chip made in the destination and out by the day; without a price today the break-even is still told."""
    names = [item.chip for item in usual.break_even]
    assert "ascend-910b" in names and "h20" not in names and names == sorted(names)
    assert all(item.price is not None or item.note for item in usual.break_even)


# ----------------------------------------------------------------------------------------------------- series


def test_a_series_follows_the_rules() -> None:
    """By quarter: the A800 of 2023 makes the capability part small, the rule of November 2023 makes it large."""
    found = tax(asked(), CATALOG, since=date(2023, 5, 10))
    on = [point.on for point in found.series]
    assert on == ["2023-05-10", "2023-07-01", "2023-10-01", "2024-01-01", "2024-01-15"]
    parts = [point.sides["buy"].parts["capability"] for point in found.series]
    assert parts[0] is not None and parts[-1] is not None and parts[0] < parts[-1]
    assert found.series[-1].sides["buy"].tax == found.sides["buy"].tax
    assert found.series[-1].sides["buy"].local == found.sides["buy"].local


def test_days_of_a_series() -> None:
    """The first day, the begin of every period after it, and the last day; each once."""
    assert days(date(2023, 12, 31), date(2024, 7, 1), "quarter") == (
        "2023-12-31",
        "2024-01-01",
        "2024-04-01",
        "2024-07-01",
    )
    assert days(date(2024, 1, 1), date(2024, 2, 15), "month") == ("2024-01-01", "2024-02-01", "2024-02-15")
    assert days(date(2022, 6, 1), date(2024, 1, 15), "year") == ("2022-06-01", "2023-01-01", "2024-01-01", "2024-01-15")
    assert days(date(2024, 1, 15), date(2024, 1, 15), "year") == ("2024-01-15",)


@pytest.mark.parametrize(
    ("since", "step", "message"),
    [
        (date(2024, 1, 1), "week", "unknown step"),
        (date(2024, 2, 1), "quarter", "begins on 2024-02-01"),
        (date(1990, 1, 1), "month", "more than 120"),
    ],
)
def test_a_series_that_cannot_be(since: date, step: str, message: str) -> None:
    """An unknown step, a first day after the last, and far too many days: each with its remedy."""
    with pytest.raises(InputError, match=message) as caught:
        days(since, date(2024, 1, 15), step)
    assert caught.value.hint


def test_prices_of_more_than_a_season_later_say_nothing() -> None:
    """A price of before counts, and one of up to 90 days after, whatever is known of its day."""
    assert timely("2024-04-14", "2024-01-15") and timely("2019", "2024-01-15") and timely("", "2024-01-15")
    assert timely("2024", "2024-01-15") and not timely("2024-04-15", "2024-01-15")
    assert timely("2025", "2024-12-31") and not timely("2025-06", "2024-12-31")


def test_a_year_does_not_end_at_new_year() -> None:
    """A price counts from 90 days before its day, not from 1 January; that a chip is left out until then is told."""
    names = ("ascend-910b", "ascend-910b-node")
    rows = [replace(row, date="2024-04-19") if row.item in names else row for row in CATALOG.prices]
    later = with_prices(CATALOG, rows)
    early, late = (tax(asked(law=LAW | {"on": day}), later) for day in ("2024-01-15", "2024-01-25"))
    line = "left out, as no price of them says something of 2024-01-15: "
    assert any(text.startswith(line) and "ascend-910b" in text for text in early.assumptions)
    assert not any(text.startswith("left out") and "ascend-910b" in text for text in late.assumptions)


def test_what_the_law_let_in_stands_there_before_its_rent_is_known() -> None:
    """A100 went to China until August 2022: that no rent of that year is known is no loss by law."""
    day = on_day(_question().law, "2022-09-30", Market(CATALOG, "CN", True))
    chip = CATALOG.chips["a100-sxm-80gb"]
    assert not day.law.usable(chip) and day.usable(chip, "rent") and not day.usable(chip, "buy")
    assert not day.usable(CATALOG.chips["h100-sxm"], "rent")


def test_a_domestic_chip_has_its_own_price_on_every_step() -> None:
    """The 910B is priced in China, whoever asks: from home to local its plan costs the same; VAT comes on top."""
    made, day = _question(), _day()
    entry = _field(made).entries["ascend-910b"]
    home, local, taxed_ = (
        least(made, [entry], day, basis, "buy", free) for basis in (day.market.home, day.market.local, day.market.taxed)
    )
    assert home and local and taxed_ and home.cost == local.cost < taxed_.cost
    assert home.draft.bill and home.draft.bill.quote.place == "CN"


def test_prices_and_days_share_their_searches() -> None:
    """Candidates that differ only in what they cost take what was found before."""
    made = _question()
    first = _field(made).entries["h20"].candidate
    desk = Desk(made.open, 2)
    found = desk.founds(first, first.counts[:2], 1.0, float("inf"))
    scored = desk.scored
    assert desk.founds(replace(first, quotes={}), first.counts[:2], 1.0, float("inf")) == found
    assert scored > 0 and desk.scored == scored


# ----------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"law": None}, "that of a destination"),
        ({"work": {"seq_len": 4096, "global_batch": 256}}, "its amount is not given"),
        ({"cluster": {"fleet": [{"chip": "h100-sxm", "count": 64}]}}, "there already"),
        ({"observed": {"step_time": "2 s"}, "layout": {"dp": 16, "tp": 4, "pp": 1}}, "says nothing of the others"),
    ],
)
def test_questions_without_a_tax(parts: dict[str, Any], message: str) -> None:
    """No destination, no amount of work, chips that are there already, a measurement of one chip."""
    with pytest.raises(InputError, match=message) as caught:
        tax(asked(**parts), CATALOG)
    assert caught.value.hint


def test_no_number_on_any_side_is_refused() -> None:
    """To a place under an embargo nothing may go: each side says why, the law binds, and a remedy is told."""
    ask = asked(law={"to": "CU", "on": "2024-01-15"}, cluster={"chip": "h100-sxm", "count": 64, "site": "china"})
    with pytest.raises(
        NoPlan, match=r"bought, no chip that can do this work may be had in CU.*; rented, no chip"
    ) as caught:
        tax(ask, CATALOG)
    assert caught.value.limit == "law" and "--accept licence" in caught.value.hint


def test_a_deadline_that_nobody_meets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free of every rule nothing is done in an hour: the deadline binds, and the quickest is told."""
    only(monkeypatch, ("ascend-910b", "h100-sxm"))
    with pytest.raises(NoPlan, match=r"meets the deadline of 1 h: the quickest, .* takes") as caught:
        tax(asked(limits={"deadline": "1 h"}), CATALOG)
    assert caught.value.limit == "deadline"


def test_a_series_with_some_numbers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last day on which nothing may be had leaves the days before it with theirs."""
    only(monkeypatch, ("a800-sxm-80gb", "h100-sxm"))
    found = tax(asked(), CATALOG, since=date(2023, 6, 1))
    assert found.sides["buy"].tax is None and found.series[0].sides["buy"].tax is not None


def test_a_side_without_a_price_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 910B is for sale and not for rent: the other side has its number, this one its reason."""
    only(monkeypatch, ("ascend-910b", "h100-sxm"))
    rent = taxed().sides["rent"]
    assert rent.tax is None and rent.reference is not None and rent.local is None
    assert rent.why == "no rent is known of any chip that may be had in CN on 2024-01-15"


def test_the_way_to_pay_that_is_told_first() -> None:
    """A purchase, unless the ask rents, or only rents have a number."""
    rents = asked(cluster={"chip": "h100-sxm", "count": 64, "terms": "rent"})
    assert (tax(asked(), CATALOG).headline, tax(rents, CATALOG).headline) == ("buy", "rent")


# ------------------------------------------------------------------------------------------- chosen by the upper end


def _day(on: str = "2024-01-15") -> Day:
    return on_day(_question().law, on, Market(CATALOG, "CN", True))


def _slanted(entry: field.Entry, time: float, high: float) -> field.Entry:
    """The same chip with every time and its upper end scaled."""
    rows = [
        replace(row, bare=replace(row.bare, step=row.bare.step * time, high=row.bare.high * high)) for row in entry.fit
    ]
    return replace(entry, fit=tuple(rows))


def test_a_chip_that_nobody_measured_does_not_win_by_optimism() -> None:
    """3% less expected cost and an upper end 40% higher lose; 3% less with the same upper end win."""
    made, day = _question(), _day()
    known = _field(made).entries["h100-sxm"]
    hopeful, better = _slanted(known, 0.97, 1.4), _slanted(known, 0.97, 1.0)
    home = day.market.home
    alone = [least(made, [entry], day, home, "buy", free) for entry in (known, hopeful)]
    assert alone[0] and alone[1] and alone[1].cost < alone[0].cost and alone[1].top > alone[0].top
    for entries in ([known, hopeful], [hopeful, known]):
        best = least(made, entries, day, home, "buy", free)
        assert best and best.entry is known and best.top == alone[0].top
    best = least(made, [known, better], day, home, "buy", free)
    assert best and best.entry is better


def test_the_told_capability_may_be_negative() -> None:
    """Where the surest chip may not be had, one that is cheaper by expectation and less sure takes its place."""
    made, day = _question(), _day()
    known = _field(made).entries["h100-sxm"]
    hopeful = _slanted(known, 0.97, 1.4)
    first, second = (least(made, chips, day, day.market.home, "buy", free) for chips in ([known, hopeful], [hopeful]))
    assert first and second and second.top > first.top and second.cost < first.cost
    told = side(made, _field(made), Costs("buy", day, (first, second, second, second, second)))
    assert told.parts["capability"] is not None and told.parts["capability"] < 0.0
    assert sum(part or 0.0 for part in told.parts.values()) == pytest.approx(told.tax)


def test_no_layout_of_less_upper_end_is_lost_on_the_way() -> None:
    """Of all layouts of a chip those are kept that win by the upper end, though slower by expectation."""
    entry = _field(_question()).entries["h100-sxm"]
    row = entry.rows[0]
    sure = replace(row, bare=replace(row.bare, time=row.bare.time * 1.05, time_high=row.bare.time_high * 0.9))
    worse = replace(row, bare=replace(row.bare, time=row.bare.time * 1.05, time_high=row.bare.time_high * 1.1))
    assert field.front([row, sure], timed=False) == (row, sure)
    assert field.front([row, worse], timed=False) == (row,)


# -------------------------------------------------------------------------------------------------- what is told


def _doubts(chip: str, on: str, place: str = "home", terms: str = "buy") -> tuple[str, ...]:
    """What is told of a chip that is the plan of both sides on a day."""
    made, day = _question(), _day(on)
    best = least(made, [_field(made).entries[chip]], day, getattr(day.market, place), terms, free)
    assert best is not None
    return doubts({terms: Costs(terms, day, (best, None, None, None, best))})


def test_a_price_of_another_season_is_told() -> None:
    """More than 90 days before the day, with the place and the distance; a near one is not told."""
    assert timely("2024-12", "2024-09-15")
    (far,) = [line for line in _doubts("h800-sxm", "2025-06-15", "local", "rent") if "is of" in line]
    assert far == "the rent of h800-sxm in CN is of 2024-12, 166 d before 2025-06-15: its range is widened"
    (before,) = [line for line in _doubts("ascend-910b", "2024-01-15") if "is of" in line]
    assert "in CN is of 2023-08, " in before and "d before 2024-01-15" in before
    assert not [line for line in _doubts("h100-sxm", "2023-12-20") if "is of" in line]


def test_a_chip_that_nobody_measured_is_told() -> None:
    """The 910B's curves are those of a relative; the H100's were measured, and nothing is said of its speed."""
    line = "no kernel of ascend-910b was measured: its speed is inherited from a relative, and its range widened"
    assert _doubts("ascend-910b", "2024-01-15").count(line) == 1
    assert not [text for text in _doubts("h100-sxm", "2024-01-15") if "kernel" in text]


def test_a_price_of_another_country_is_told_of_the_local_plan() -> None:
    """H20 is sold in China and rented nowhere near: its rent there is that of the United States, and that is said."""
    line = "no rent of h20 in CN of that time is known: that of US was taken, so its price part is unknown (told as 0)"
    assert line in _doubts("h20", "2024-01-15", "local", "rent")
    assert _doubts("h20", "2024-01-15", "local", "buy") == _doubts("a800-sxm-80gb", "2024-01-15", "local", "buy") == ()


def test_a_place_that_loses_no_chip_says_so() -> None:
    """To Germany the rules take nothing: what is dearer is VAT; to China they do, and nothing of the kind is told."""
    line = "the rules keep no chip from DE on 2024-01-15: what is dearer or cheaper there is its prices, duties and VAT"
    assert taxed(to="DE").warnings[0] == line
    assert not any(text.startswith("the rules keep no chip") for text in taxed().warnings)


# ---------------------------------------------------------------------------------------- what the range is made of


def test_one_price_on_both_sides_has_no_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same chips at the same published price: VAT alone is between them, and it is known."""
    only(monkeypatch, ("ascend-910b",))
    item = tax(asked(cluster={"chip": "ascend-910b", "count": 64}), CATALOG).sides["buy"]
    assert item.tax is not None and 0.0 < item.tax < 0.15 and (item.low, item.high) == (item.tax, item.tax)
    assert item.parts["price"] == item.parts["capability"] == 0.0


def test_an_unmeasured_reference_is_told_beside_a_measured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against Gaudi 3, whose kernels nobody measured, the tax is also told against the best chip that was."""
    only(monkeypatch, ("gaudi3", "h100-sxm", "rtx-a6000"))
    item = taxed(on="2025-03-15").sides["buy"]
    assert item.reference and item.reference.cluster and item.reference.cluster.chip.name == "gaudi3"
    (line,) = [text for text in item.notes if text.startswith("against the best chip whose kernels were measured")]
    assert "(h100-sxm, $" in line
    only(monkeypatch, ("h100-sxm", "rtx-a6000"))
    assert not any(text.startswith("against the best") for text in taxed(on="2025-03-15").sides["buy"].notes)


def test_a_local_plan_that_is_cheaper_by_expectation_is_told() -> None:
    """Chosen by the upper end; a plan that may be had, costs less by expectation and is less sure is told beside it."""
    made, day = _question(), _day()
    known = _field(made).entries["h20"]
    hopeful = _slanted(known, 0.9, 1.4)
    both = replace(_field(made), entries={"h100-sxm": _field(made).entries["h100-sxm"], "a": known, "b": hopeful})
    found = costs(made, both, day, "buy", free)
    assert found.local and found.local.entry is known and found.hopeful and found.hopeful.entry is hopeful
    told = [line for line in side(made, both, found).notes if line.startswith("by the expected cost alone")]
    assert len(told) == 1 and "x h20, $" in told[0]
    alone = costs(made, replace(both, entries={"h100-sxm": both.entries["h100-sxm"], "a": known}), day, "buy", free)
    assert alone.hopeful and alone.local and alone.hopeful.cost <= alone.local.cost


def test_duties_that_nobody_knows_are_told() -> None:
    """Of Brazil neither VAT nor import duty is known: none is counted, and the answer says so."""
    assert CATALOG.duties.at("BR", "2024-01-15") is None
    assert "import duty and VAT of BR are not known: counted as 0" in taxed(to="BR").warnings
    assert not any("counted as 0" in line for line in taxed().warnings)
