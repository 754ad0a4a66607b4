"""Plans under export rules: only usable chips, the clause of a refusal, what the law cost, and where none is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exaplan.answers import Answer
from exaplan.ask import Ask, parse
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Deal, Verdict
from exaplan.planning import best_of, estimate, plan, solving
from exaplan.planning.candidates import candidates
from exaplan.planning.drafts import goal_of
from exaplan.planning.legal import Law, accepted, deal_of, law_of, mildest, released, settle, told, too_early
from exaplan.planning.opening import law_cost
from exaplan.planning.solving import Desk, possible, solve
from exaplan.planning.standing import with_prices

from .asked import CATALOG

FIXED = {"tp": 2, "cp": 1, "pp": 1, "micro_batch": 1}
LAW = {"to": "CN", "on": "2024-01-15"}


def asked(**parts: Any) -> Ask:
    """Llama 3.1 8B on 16 H100, under the law of a day in China; ``parts`` replace top-level fields."""
    plain: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "work": {"tokens": "10B", "seq_len": 4096, "global_batch": 128},
        "cluster": {"chip": "h100-sxm", "count": 16},
        "layout": FIXED,
        "law": LAW,
    }
    return parse({key: value for key, value in (plain | parts).items() if value is not None})


@pytest.fixture(scope="module")
def swapped() -> Answer:
    """The answer to a question whose chip may not be had."""
    return plan(asked(), CATALOG, 3)


def law(**parts: Any) -> Law:
    """The law of a question."""
    found = law_of(settle(asked(law=LAW | parts), CATALOG), CATALOG)
    assert found is not None
    return found


# --------------------------------------------------------------------------------------------- only usable chips


def test_a_plan_uses_only_chips_that_may_be_had(swapped: Answer) -> None:
    """Every chip of every plan is free or needs notice only, or is made there; the asked H100 is none of them."""
    rules = law()
    chips = [item.cluster.chip for item in swapped.estimates if item.cluster]
    assert chips and all(rules.usable(chip) for chip in chips)
    assert "h100-sxm" not in {chip.name for chip in chips}
    assert {item.chip for item in swapped.verdicts} == {chip.name for chip in chips}


def test_the_count_stays_the_asked_one(swapped: Answer) -> None:
    """The choice is opened among chips, not among counts, and the answer says so loudly, with the clause."""
    assert {item.cluster.count for item in swapped.estimates if item.cluster} == {16}
    loud = [line for line in swapped.warnings if line.startswith("NOT THE ASKED CHIP")]
    assert (
        len(loud) == 1
        and loud[0] == swapped.warnings[0]
        and "h100-sxm" in loud[0]
        and "3A090.a.1" in loud[0]
        and "TPP" in loud[0]
    )


def test_the_law_binds_and_says_what_it_cost(swapped: Answer) -> None:
    """Relief of the law is the answer of the same question without it, at the same place and day."""
    worth = {item.limit: item for item in swapped.relief}
    free = plan(asked(law=None, start="2024-01-15", cluster=_h100("china")), CATALOG, 1).estimates[0]
    assert "law" in swapped.binding and worth["law"].step == "no export rule"
    assert worth["law"].before == swapped.estimates[0].time
    assert worth["law"].after == pytest.approx(free.time) and worth["law"].after < worth["law"].before
    (line,) = [text for text in swapped.assumptions if text.startswith("what the law cost")]
    assert "instead of 16 x h100-sxm" in line and "%" in line


def test_a_purchase_and_a_rent_are_not_set_against_each_other() -> None:
    """Bought under the law and rented without it: no ratio of the two, and the share of the purchase that is the
    run's own is told, which is less than the whole."""
    whole = asked(cluster={"chip": "h100-sxm", "count": 64})
    drafts = {}
    for name, terms in (("h20", "buy"), ("h100-sxm", "rent")):
        ask = asked(law=None, start="2024-01-15", cluster={"chip": name, "count": 64, "terms": terms})
        goal = replace(goal_of(ask), by_cash=True)
        drafts[terms] = best_of(Desk(ask, 4, may_compile=False), candidates(ask, CATALOG).tried, goal)
    bought, rented = drafts["buy"], drafts["rent"]
    assert bought and rented
    (line,) = law_cost(bought, rented, goal_of(whole))
    assert "buy instead of rent" in line and "(the whole purchase, of which this run wears off $" in line
    assert line.count("%") == 1 and " h (+" in line
    (same,) = law_cost(bought, replace(bought, time_high=bought.time_high * 0.5), goal_of(whole))
    assert "whole purchase" not in same and same.count("%") == 2


def _h100(site: str) -> dict[str, Any]:
    return {"chip": "h100-sxm", "count": 16, "site": site}


def test_refused_chips_carry_the_clause(swapped: Answer) -> None:
    """Every chip that the law keeps out is told with its verdict and the place and day; later ones with their day."""
    reasons = {item.chip: item.reason for item in swapped.tried}
    assert "would be denied to CN on 2024-01-15: 3A090.a.1" in reasons["a800-sxm-80gb"]
    assert reasons["b200"].startswith("law: would be denied")
    assert "not released by 2024-01-15" in reasons["rtx-5090-d"]


def test_a_legal_chip_is_left_alone() -> None:
    """H20 could go to China in January 2024: no chip is swapped, and the law binds nothing."""
    answer = plan(asked(cluster={"chip": "h20", "count": 16}), CATALOG, 1)
    assert answer.chip.name == "h20" and "law" not in {*answer.binding, *(item.limit for item in answer.relief)}
    assert [item.verdict for item in answer.verdicts] == ["free"]
    assert not any("NOT THE ASKED" in line for line in answer.warnings)


def test_the_day_decides() -> None:
    """An A800 could be had six weeks before 17 November 2023 and not after."""
    before, after = (
        plan(asked(cluster={"chip": "a800-sxm-80gb", "count": 16}, law={"to": "CN", "on": day}), CATALOG, 1)
        for day in ("2023-10-01", "2023-11-17")
    )
    assert before.chip.name == "a800-sxm-80gb" and after.chip.name != "a800-sxm-80gb"


def test_of_several_named_chips_the_lawful_one_is_taken() -> None:
    """H100 is kept out, H20 tried; without the law H100 would win, and the relief says so."""
    answer = plan(asked(cluster={"chip": ["h100-sxm", "h20"], "count": 16}), CATALOG, 2)
    worth = {item.limit: item for item in answer.relief}
    assert {item.cluster.chip.name for item in answer.estimates if item.cluster} == {"h20"}
    assert worth["law"].after < worth["law"].before and "law" in answer.binding


def test_a_domestic_chip_needs_no_export() -> None:
    """A chip made in the destination is usable whatever its class, and the answer warns of what US guidance says."""
    answer = plan(asked(cluster={"chip": "ascend-910b", "count": 16}, law={"to": "CN", "on": "2025-06-01"}), CATALOG, 1)
    assert answer.chip.name == "ascend-910b"
    assert any("made in CN" in line and "licence" in line for line in answer.warnings)
    assert not law(to="DE", on="2025-06-01").domestic(CATALOG.chips["ascend-910b"])


def test_an_unknown_verdict_is_not_usable() -> None:
    """TPU v3 has no die area, so its class is open: it is kept out and says what is missing."""
    chip = CATALOG.chips["tpu-v3"]
    assert law().verdict(chip).verdict == "unknown" and not law().usable(chip)
    assert "applicable area is not known" in law().reason(chip)
    assert law(accept=["free", "unknown"]).usable(chip)


def test_what_a_licence_allows_can_be_accepted() -> None:
    """H20 needed a licence in May 2025: refused by default, planned with where the asker accepts that."""
    parts = {"cluster": {"chip": "h20", "count": 16}}
    held = plan(asked(law={"to": "CN", "on": "2025-05-01"}, **parts), CATALOG, 1)
    open_ = plan(asked(law={"to": "CN", "on": "2025-05-01", "accept": ["free", "licence"]}, **parts), CATALOG, 1)
    assert held.chip.name != "h20" and open_.chip.name == "h20"


def test_who_takes_a_licence_takes_what_is_free() -> None:
    """Accepting a verdict accepts the milder ones; unknown is no milder than any; free alone is free alone."""
    assert accepted(["licence"]) == ("free", "notify", "licence") == accepted(["free", "licence"])
    assert accepted(["free"]) == ("free",) and accepted(["unknown"]) == ("free", "notify", "unknown")
    assert law(accept=["licence"]).usable(CATALOG.chips["rtx-a6000"])


def test_a_rule_that_is_left_out_keeps_nothing_out() -> None:
    """Without the rule of 2023, and the early date that it had, an A800 may be had in 2024."""
    without = {"without": ["advanced-computing-2023", "early-date-2023"]}
    answer = plan(asked(cluster={"chip": "a800-sxm-80gb", "count": 16}, law=LAW | without), CATALOG, 1)
    assert answer.chip.name == "a800-sxm-80gb" and "law" not in answer.binding


# ----------------------------------------------------------------------------------------------- none is left


def test_no_chip_is_left() -> None:
    """To a place under an embargo nothing may go: the law binds, and the nearest miss and a remedy are told."""
    for cluster in ({"count": 8, "site": "china"}, {"chip": "h100-sxm", "count": 8}, {}):
        with pytest.raises(NoPlan) as caught:
            plan(asked(cluster=cluster, law={"to": "CU", "on": "2024-01-15"}), CATALOG)
        assert caught.value.limit == "law" and caught.value.nearest and "law.accept" in caught.value.hint


def test_an_estimate_of_a_chip_that_may_not_be_had_is_refused() -> None:
    """With and without a whole layout; with the clause, and no other chip in its place."""
    for layout in (FIXED | {"dp": 8}, FIXED):
        with pytest.raises(NoPlan) as caught:
            estimate(asked(layout=layout), CATALOG)
        assert caught.value.limit == "law" and "3A090.a.1" in caught.value.nearest
    made = estimate(asked(layout=FIXED | {"dp": 8}, cluster={"chip": "h20", "count": 16}), CATALOG)
    assert [item.chip for item in made.verdicts] == ["h20"]


def test_a_limit_that_only_forbidden_chips_meet_blames_the_law() -> None:
    """H100 would meet the deadline, H20 does not: both limits are named."""
    best = plan(asked(law=None, cluster=_h100("china")), CATALOG, 1).estimates[0]
    ask = asked(
        cluster={"chip": ["h100-sxm", "h20"], "count": 16}, limits={"deadline": f"{1.05 * best.ranges['time'][1]} s"}
    )
    with pytest.raises(NoPlan) as caught:
        plan(ask, CATALOG)
    assert caught.value.limit == "deadline and law" and "without the law 16 x h100-sxm" in caught.value.problem


# -------------------------------------------------------------------------------------- what a law fills in


def test_a_law_fills_in_place_and_day() -> None:
    """Site and start follow the destination and the day of the law, and are told as defaults; given ones stay."""
    ask = settle(asked(), CATALOG)
    assert ask.cluster.site == "china" and ask.start is not None and ask.start.isoformat() == "2024-01-15"
    assert {"cluster.site = china", "start = 2024-01-15"} <= set(ask.defaults())
    given = settle(asked(cluster=_h100("china-guizhou"), start="2024-03-01"), CATALOG)
    assert given.cluster.site == "china-guizhou" and str(given.start) == "2024-03-01"
    assert settle(asked(law={"to": "china-guizhou", "on": "2024-01-15"}), CATALOG).cluster.site == "china-guizhou"


def test_without_a_day_the_last_one_of_the_rules_holds() -> None:
    """Neither law.on nor start: the day to which the rules were read, told as a default."""
    ask = settle(asked(law={"to": "China"}), CATALOG)
    deal = deal_of(ask, CATALOG)
    assert deal is not None and (deal.to, deal.on) == ("CN", CATALOG.rules.through)
    assert f"law.on = {CATALOG.rules.through}" in ask.defaults()


def test_without_a_law_nothing_is_filled_in() -> None:
    """No destination: the ask is the same object, and no law is there."""
    ask = asked(law=None)
    assert settle(ask, CATALOG) is ask and law_of(ask, CATALOG) is None and deal_of(ask, CATALOG) is None


def test_prices_and_electricity_are_of_the_destination(swapped: Answer) -> None:
    """The plan stands in China; its purchase carries value-added tax, which a buyer who recovers it does not bear."""
    assert swapped.cluster.site.country == "CN"
    parts = {"chip": "h20", "count": 16, "terms": "buy"}
    paid, back = (
        plan(asked(cluster=parts, law=LAW | {"vat": vat}), CATALOG, 1).estimates[0] for vat in ("paid", "recovered")
    )
    assert paid.cost is not None and back.cost is not None and paid.cost > back.cost
    assert "vat" in paid.offers[0].parts and "vat" not in back.offers[0].parts


def test_a_site_elsewhere_is_warned_of() -> None:
    """The chips go to China and the cluster stands in Texas: both are done as asked, and the answer says so."""
    cluster = {"chip": "h20", "count": 16, "site": "us-texas"}
    answer = plan(asked(cluster=cluster), CATALOG, 1)
    assert answer.cluster.site.name == "us-texas"
    assert any("go to CN, and the site us-texas is in US" in line for line in answer.warnings)


def test_a_fleet_is_not_asked_for() -> None:
    """What is there already needs no export; the answer says that the law was not applied."""
    for cluster in ({"fleet": [{"chip": "h100-sxm", "count": 16}]}, _h100("china") | {"terms": "own"}):
        answer = plan(asked(cluster=cluster), CATALOG, 1)
        assert answer.chip.name == "h100-sxm" and "law" not in answer.binding and answer.verdicts == ()
        assert any("law was not applied" in line for line in answer.assumptions)


def test_the_most_chips_to_be_had_cap_the_count() -> None:
    """law.count: searched counts stay at or below it, a given one above it is refused; one node stays one node."""
    wide = {"chip": ["h20"]}
    answer = plan(
        asked(cluster=wide, layout={"tp": 2}, limits={"deadline": "60 d"}, law=LAW | {"count": 24}), CATALOG, 1
    )
    assert answer.count <= 24 and answer.ask["limits"]["count"] == 24
    with pytest.raises(NoPlan) as caught:
        plan(asked(cluster={"chip": "h20", "count": 16}, law=LAW | {"count": 8}), CATALOG)
    assert caught.value.limit == "count"
    assert plan(asked(cluster={"chip": "h20"}, layout={"tp": 2}, law=LAW | {"count": 24}), CATALOG, 1).count == 8


def test_a_package_is_what_is_judged() -> None:
    """Where a die is not sold alone, its package is checked; the verdict keeps the asked name and says so."""
    die, whole = CATALOG.chips["mi250x-gcd"], CATALOG.chips["mi250x"]
    made = law()
    assert made.verdict(die).verdict == made.verdict(whole).verdict == "denial"
    assert (
        made.verdict(die).chip == die.name
        and "judged as the package mi250x, in which it is sold" in made.verdict(die).assumes
    )


def test_a_published_cluster_whose_chips_may_not_be_had() -> None:
    """A cluster by name is swapped like a chip by name: its count stays, at the usual site of the destination."""
    answer = plan(asked(cluster={"name": "superpod-a100", "count": 16}), CATALOG, 1)
    assert answer.count == 16 and answer.cluster.site.country == "CN"
    assert any(line.startswith("NOT THE ASKED CHIP: a100-sxm-80gb") for line in answer.warnings)


@pytest.mark.parametrize(
    ("given", "message", "field"),
    [
        ({"to": "Chna"}, "Chna", "law.to"),
        ({"to": "CN", "headquarters": "Nowhereland"}, "Nowhereland", "law.headquarters"),
        ({"to": "CN", "without": ["advanced-computing-2032"]}, "advanced-computing-2032", "law.without"),
        ({"to": "CN", "thresholds": {"advanced-computing-2023.tp": 1}}, "advanced-computing-2023.tp", "law.thresholds"),
        ({"to": "VN"}, "no site in VN", "law.to"),
        ({"to": "HK"}, "no site in HK", "law.to"),
    ],
)
def test_what_nobody_knows_is_refused(given: dict[str, Any], message: str, field: str) -> None:
    """Unknown places, rules and thresholds, and a place without a site: the field and a remedy are told."""
    with pytest.raises(InputError, match=message) as caught:
        plan(asked(law={"on": "2024-01-15"} | given), CATALOG)
    assert caught.value.place.field == field and caught.value.hint


# ------------------------------------------------------------------------------------------------- released


def test_a_chip_of_later_release_is_no_answer_for_an_earlier_day() -> None:
    """Among several it is refused with its day; named alone it is warned about; without a start nothing is said."""
    both = {"chip": ["h100-sxm", "b200"], "count": 16}
    answer = plan(asked(law=None, start="2024-01-15", cluster=both), CATALOG, 2)
    assert answer.chip.name == "h100-sxm"
    assert any(item.chip == "b200" and "not released by" in item.reason for item in answer.tried)
    alone = plan(asked(law=None, start="2024-01-15", cluster={"chip": "b200", "count": 16}), CATALOG, 1)
    assert any("b200 was released in" in line for line in alone.warnings)
    assert plan(asked(law=None, cluster={"chip": "b200", "count": 16}), CATALOG, 1).warnings == ()


def test_a_release_that_nobody_knows_counts_only_where_the_chip_is_named() -> None:
    """Unknown is not early: a chip that the asker names is taken at his word."""
    chip = CATALOG.chips["b30a"]
    assert chip.release == "" and released(chip, "2026-01-01") is None
    assert too_early(chip, "2026-01-01", named=True) == "" and "unknown" in too_early(chip, "2026-01-01", named=False)
    assert released(CATALOG.chips["h100-sxm"], "") is True


# ---------------------------------------------------------------------------------------------------- wording


def test_the_mildest_verdict_is_the_nearest_miss() -> None:
    """Of refused chips the one whose verdict is mildest, then the one of least TPP."""
    deal = Deal("CN", "2024-01-15")
    made = [Verdict(name, deal, word, "", "", facts={"tpp": tpp}) for name, word, tpp in
            (("a", "denial", 1.0), ("b", "licence", 9.0), ("c", "licence", 8.0), ("d", "unknown", 0.0))]  # fmt: skip
    best = mildest(made)
    assert best is not None and best.chip == "c" and mildest([]) is None
    assert told(made[1]).startswith("law: needs a licence to CN on 2024-01-15")


# ------------------------------------------------------------------------------------------- where a chip stands


def test_what_only_stands_in_a_cloud_is_not_rented_in_the_destination() -> None:
    """TPU v2 may go to China in 2024, and nobody sells it: unnamed it is refused with the reason, as in the AI tax;
    named it is answered with a warning; without a law its rent counts anywhere."""
    many = {"chip": ["h100-sxm", "a100-sxm-80gb"], "count": 16}
    reasons = {item.chip: item.reason for item in plan(asked(cluster=many), CATALOG, 1).tried}
    assert reasons["tpu-v2"].startswith("it only stands in a cloud, of which no rent in CN is known")
    cluster = {"chip": "tpu-v2", "count": 64, "terms": "rent"}
    named = plan(asked(cluster=cluster, layout={"micro_batch": 1}), CATALOG, 1)
    line = "tpu-v2 is only known to stand in a cloud, and no rent of it in CN: its price is of US"
    assert named.chip.name == "tpu-v2" and line in named.warnings
    free = plan(asked(cluster=cluster, layout={"micro_batch": 1}, law=None), CATALOG, 1)
    assert not any("stand in a cloud" in text for text in free.warnings)


def test_prices_of_more_than_a_season_later_choose_no_chip() -> None:
    """H20 with a price of March 2025 alone: in a plan of January 2024 it is no choice of ours; named it is priced."""
    names = ("h20", "hgx-h20")
    rows = (replace(row, date="2025-03") if row.item in names else row for row in CATALOG.prices)
    later = with_prices(CATALOG, rows)
    reasons = {item.chip: item.reason for item in plan(asked(), later, 1).tried}
    assert reasons["h20"].startswith("its only price is of more than a season after 2024-01-15")
    assert plan(asked(cluster={"chip": "h20", "count": 16}), later, 1).estimates[0].cost


# ------------------------------------------------------------------------------------------- a place without a site


def test_a_place_without_a_site_names_those_that_may_stand_in() -> None:
    """Hong Kong has no site: China's is named first, then the others; a site that is given is planned with."""
    for place, words in (("HK", "--site china stands for the rest of the country"), ("VN", "one of us-average, china")):
        with pytest.raises(InputError) as caught:
            plan(asked(law={"to": place, "on": "2024-01-15"}), CATALOG)
        assert words in caught.value.hint and "singapore" in caught.value.hint
        assert caught.value.hint.count(" china") == 1
    cluster = {"chip": "h20", "count": 16, "site": "singapore"}
    answer = plan(asked(cluster=cluster, law={"to": "VN", "on": "2024-01-15"}), CATALOG, 1)
    assert answer.cluster.site.name == "singapore"
    assert any("go to VN, and the site singapore is in SG" in line for line in answer.warnings)


def test_a_chip_of_the_mainland_is_at_home_in_hong_kong() -> None:
    """By the rules Hong Kong is China: what is made there is no export."""
    made = Law(Deal("HK", "2024-01-15"), CATALOG.rules)
    assert made.domestic(CATALOG.chips["ascend-910b"]) and not made.domestic(CATALOG.chips["h20"])


# ------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("terms", ["buy", "rent", "any"])
def test_the_least_cash_never_rules_out_what_the_money_pays(terms: str) -> None:
    """A budget of just the cash of the plan, purchase or rent: the bound that skips counts keeps it. And the bound is
    below the cash of every draft."""
    work = {"tokens": "10B", "seq_len": 4096, "global_batch": 128}
    cluster = {"chip": ["h100-sxm"], "terms": terms}
    ask = asked(law=None, work=work, cluster=cluster, layout={"tp": 2}, limits={"deadline": "60 d", "count": 64})
    tried, goal = candidates(ask, CATALOG).tried, goal_of(ask)
    desk = Desk(ask, 4, may_compile=False)
    spots = solve(desk, tried, goal, skip=False)
    drafts = [(item.candidate, made) for item in spots for made in item.drafts]
    assert len({made.option.cluster.count for _, made in drafts}) > 2
    for candidate, made in drafts:
        count = made.option.cluster.count
        least = solving._least_cash(candidate, count, candidate.chip_seconds * (goal.steps or 1.0) / count)
        assert made.cash is not None and 0.0 < least <= made.cash
        tight = replace(goal, bounds=replace(goal.bounds, money=made.cash))
        assert possible(candidate, count, tight)
