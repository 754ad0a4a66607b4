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
from exaplan.errors import InputError
from exaplan.nouns import Cluster
from exaplan.planning.candidates import clusters_of
from exaplan.planning.offers import asked_price, quotes
from exaplan.planning.solving import Desk
from exaplan.planning.standing import timely, with_prices
from exaplan.planning.taxing import field, tax
from exaplan.planning.taxing.even import break_even, priced_at
from exaplan.planning.taxing.field import searched
from exaplan.planning.taxing.market import Day, Market, dutied, on_day, was_usable
from exaplan.planning.taxing.question import Question, question_of
from exaplan.planning.taxing.series import days
from exaplan.planning.taxing.sides import costs, free

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
    for side in usual.sides.values():
        for plan in (side.reference, side.local):
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
    """Capability part of a purchase with other thresholds; infinite where no plan is left."""
    made = _question(thresholds=thresholds)
    day = on_day(made.law, "2024-01-15", Market(CATALOG, "CN", True))
    found = costs(made, _field(made), day, "buy", free)
    first, second = found.steps[:2]
    assert first is not None
    return float("inf") if second is None else second.cost / first.cost - 1.0


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
    none = taxed(count=8).sides["buy"]
    assert none.tax is None and none.parts["quantity"] is None and "not enough chips" in none.why
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
    for share, least, most in ((1.0, 1.0 - 1e-6, 1.0 + 1e-6), (0.5, 0.0, 0.9)):
        market = Market(_sold(first.price * share, bare), "CN", True)
        again = break_even(made, _field(made), on_day(made.law, "2024-01-15", market), reference)
        (now,) = (item for item in again if item.chip == "ascend-910b")
        assert now.now == pytest.approx(first.price * share)
        assert now.throughput is not None and least <= now.throughput <= most


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


def test_prices_of_a_later_year_say_nothing() -> None:
    """A price of the same year or earlier counts, whatever is known of its day."""
    assert timely("2024-12", "2024-01-15") and timely("2023", "2024-01-15") and timely("", "2024-01-15")
    assert not timely("2025", "2024-12-31")


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


def test_a_side_without_a_plan_says_why() -> None:
    """To a place under an embargo nothing may go: no number, and the reason."""
    found = taxed(to="CU", on="2024-01-15") if "CU" in {item.country for item in CATALOG.sites.values()} else None
    asked_ = asked(law={"to": "CU", "on": "2024-01-15"}, cluster={"chip": "h100-sxm", "count": 64, "site": "china"})
    found = found or tax(asked_, CATALOG)
    assert {item.tax for item in found.sides.values()} == {None}
    assert all("may be had in CU" in item.why for item in found.sides.values())


def test_a_side_without_a_price_or_in_no_time_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 910B is for sale and not for rent; and a deadline of an hour nobody meets: each reason in its own words."""
    only(monkeypatch, ("ascend-910b", "h100-sxm"))
    rent = taxed().sides["rent"]
    assert rent.tax is None and rent.reference is not None and rent.local is None
    assert rent.why == "no rent is known of any chip that may be had in CN on 2024-01-15"
    short = tax(asked(limits={"deadline": "1 h"}), CATALOG).sides["buy"]
    assert short.tax is None and "meets the deadline of 1 h" in short.why and "takes" in short.why


def test_the_way_to_pay_that_is_told_first() -> None:
    """A purchase, unless the ask rents, or only rents have a number."""
    rents = asked(cluster={"chip": "h100-sxm", "count": 64, "terms": "rent"})
    assert (tax(asked(), CATALOG).headline, tax(rents, CATALOG).headline) == ("buy", "rent")
