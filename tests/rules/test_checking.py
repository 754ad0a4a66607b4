"""What the rules say of known chips on known days: dates, places, exceptions, duties, and what is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import pytest
from deals import BOOK, CATALOG, made, verdict

from exaplan import rules
from exaplan.catalog.laws import Book
from exaplan.errors import InputError
from exaplan.nouns import Deal


@pytest.mark.parametrize(
    ("name", "on", "to", "expected", "class_name"),
    [
        ("a100-sxm-80gb", "2022-08-01", "CN", "free", "not controlled"),
        ("a100-sxm-80gb", "2022-08-26", "CN", "licence", "not controlled"),
        ("a100-sxm-80gb", "2022-08-26", "RU", "denial", "not controlled"),
        ("a100-sxm-80gb", "2022-10-07", "CN", "licence", "3A090"),
        ("a100-sxm-80gb", "2022-10-21", "CN", "denial", "3A090"),
        ("a100-sxm-80gb", "2022-12-01", "MO", "free", "3A090"),
        ("a100-sxm-80gb", "2023-01-17", "MO", "denial", "3A090"),
        ("a800-sxm-80gb", "2023-10-01", "CN", "free", "not controlled"),
        ("a800-sxm-80gb", "2023-10-22", "CN", "free", "not controlled"),
        ("a800-sxm-80gb", "2023-10-23", "CN", "denial", "not controlled"),
        ("a800-sxm-80gb", "2023-11-17", "CN", "denial", "3A090.a.1"),
        ("rtx-4090", "2023-11-16", "CN", "free", "not controlled"),
        ("rtx-4090", "2023-11-17", "CN", "notify", "3A090.a (NAC-eligible, not DC)"),
        ("rtx-4090-d", "2024-01-15", "CN", "free", "not controlled (Note 2)"),
        ("l4", "2023-11-17", "CN", "denial", "3A090.a.2"),
        ("l40", "2023-11-17", "CN", "notify", "3A090.b.1"),
        ("a40", "2023-11-17", "CN", "notify", "3A090.b.2"),
        ("rtx-4090", "2024-06-01", "VN", "free", "3A090.a (NAC-eligible, not DC)"),
        ("h100-sxm", "2023-11-17", "VN", "licence", "3A090.a.1"),
        ("h100-sxm", "2024-01-01", "IL", "free", "3A090.a.1"),
        ("h100-sxm", "2024-01-01", "SG", "free", "3A090.a.1"),
        ("h100-sxm", "2024-01-01", "US", "free", "3A090.a.1"),
        ("h20", "2025-04-08", "CN", "free", "not controlled"),
        ("h20", "2025-04-09", "CN", "licence", "not controlled"),
        ("h200-sxm", "2026-01-10", "CN", "denial", "3A090.a.1"),
        ("h200-sxm", "2026-02-15", "CN", "licence", "3A090.a.1"),
        ("b200", "2026-02-15", "CN", "denial", "3A090.a.1"),
        ("h100-sxm", "2026-07-09", "AE", "licence", "3A090.a.1"),
        ("h100-sxm", "2026-07-10", "AE", "free", "3A090.a.1"),
        ("h100-sxm", "2026-02-02", "KH", "denial", "3A090.a.1"),
        ("h100-sxm", "2026-02-03", "KH", "licence", "3A090.a.1"),
        ("h100-sxm", "2025-06-01", "FR", "free", "3A090.a.1"),
        ("h100-sxm", "2025-06-01", "MY", "free", "3A090.a.1"),
        ("ascend-910c", "2025-05-12", "CN", "free", "3A090.a.1"),
        ("ascend-910c", "2025-05-13", "CN", "licence", "3A090.a.1"),
        ("ascend-910c", "2025-05-13", "FR", "licence", "3A090.a.1"),
        ("h100-sxm", "2023-01-01", "IR", "denial", "3A090"),
    ],
)
def test_known_verdicts(name: str, on: str, to: str, expected: str, class_name: str) -> None:
    """Each rule bites from its day on, and not a day earlier, in the places that it names."""
    found = verdict(name, on, to)
    assert (found.verdict, found.class_name) == (expected, class_name)


def test_a_clause_carries_its_test_with_the_numbers_and_its_source() -> None:
    """The class comes first, with threshold, figure, day, source and grade of reading."""
    first = verdict("a800-sxm-80gb", "2023-11-17").clauses[0]
    assert (first.rule, first.clause, first.effective) == ("advanced-computing-2023", "a.1", "2023-11-17")
    assert first.test == "TPP >= 4800 [TPP = 4992]"
    assert first.holds is True and first.enforced
    assert first.source in CATALOG.sources and first.read == "quoted"


def test_each_clause_is_told_once_and_those_that_hold_come_first() -> None:
    """No duplicates; holding before undecided before not holding."""
    for name, on in (("h100-sxm", "2026-02-15"), ("inferentia2", "2024-01-15")):
        clauses = verdict(name, on).clauses
        assert len({(one.rule, one.clause) for one in clauses}) == len(clauses)
        order = [{True: 0, None: 1, False: 2}[one.holds] for one in clauses if one.enforced]
        assert order == sorted(order) and (1 in order) == (name == "inferentia2")


def test_the_headquarters_test_holds_anywhere_since_november_2023() -> None:
    """A company with its parent in China needs a licence for a site in Singapore or at sea, but not before the rule."""
    for to in ("SG", "XZ", "MY", "JP"):
        assert verdict("h100-sxm", "2023-10-22", to, headquarters="CN").verdict == "free"
        assert verdict("l40", "2023-11-16", to, headquarters="CN").verdict == "free"
        assert verdict("h100-sxm", "2023-11-17", to, headquarters="CN").verdict == "licence"
        assert verdict("h100-sxm", "2026-02-01", to, headquarters="CN").verdict == "denial"
    assert verdict("h100-sxm", "2024-01-01", "US", headquarters="CN").verdict == "free"
    assert verdict("h100-sxm", "2024-01-01", "VN", headquarters="CN").verdict == "denial"


def test_international_waters_warn_that_headquarters_decide() -> None:
    """At sea no group of places applies, which is said."""
    warnings = verdict("h100-sxm", "2024-01-01", "XZ").warnings
    assert any("headquarters of the operator" in text for text in warnings)


def test_exceptions_say_what_would_follow_without_them() -> None:
    """NAC gives `notify`; the policy that holds if the notice is refused is among the clauses."""
    found = verdict("rtx-4090", "2024-05-01")
    assert found.review.startswith("licence exception NAC")
    assert any(one.effect == "review: case-by-case (since 2024-04-04)" and one.holds for one in found.clauses)
    assert verdict("rtx-4090", "2024-05-01", "SA").review == "licence exception ACA (no notice)"


def test_letters_bind_everybody_or_their_addressees() -> None:
    """The reading of letters is a choice of the deal, and an assumption says which one was taken."""
    tpu = CATALOG.chip("tpu-v4")
    all_makers = rules.check(tpu, Deal("CN", "2025-05-01"), BOOK)
    addressees = rules.check(tpu, Deal("CN", "2025-05-01", letters="addressees"), BOOK)
    assert any(one.rule == "letters-2025" and one.holds for one in all_makers.clauses)
    assert not any(one.rule == "letters-2025" for one in addressees.clauses)
    assert any("every maker" in text for text in all_makers.assumes)
    h20 = verdict("h20", "2025-05-01", letters="addressees")
    assert h20.verdict == "licence" and any("addressees only" in text for text in h20.assumes)


def test_a_domestic_chip_is_no_export_but_may_fall_under_general_prohibition_10() -> None:
    """A chip made at home is no export, which is said; the guidance on Ascend holds all the same."""
    found = verdict("br100", "2024-01-01")
    assert found.verdict == "free" and any("domestic" in text for text in found.assumes)
    assert any("Entity List" in text for text in verdict("br100", "2024-01-01", "SG").warnings)
    ascend = verdict("ascend-910b", "2025-06-01")
    assert (ascend.verdict, ascend.clauses[1].rule) == ("licence", "ascend-guidance-2025")


def test_a_listed_end_user_is_denied_since_its_listing() -> None:
    """Biren as the buyer: nothing before 17 October 2023, denial from then on, by any of its names."""
    for name in ("Biren", "biren technology", "\u58c1\u4ede"):
        assert verdict("l2", "2023-10-16", end_user=name).verdict == "free"
        assert verdict("l2", "2023-10-17", end_user=name).verdict == "denial"
    assert verdict("l2", "2023-10-17", end_user="Nobody in particular").verdict == "free"


def test_china_bars_foreign_chips_from_state_funded_sites() -> None:
    """The Chinese side, since November 2025 and second-hand; a domestic chip stays free."""
    assert verdict("l20", "2025-11-04", buyer="state-funded").verdict == "free"
    barred = verdict("l20", "2025-11-05", buyer="state-funded")
    assert barred.verdict == "denial" and barred.clauses[0].read == "second-hand"
    assert verdict("ascend-950pr", "2025-11-05", buyer="state-funded").verdict == "free"


def test_chinese_customs_warn_but_do_not_decide() -> None:
    """The report on H200 at customs is a note with its grade: the verdict and the duty stay those of export law."""
    found = verdict("h200-sxm", "2026-01-20")
    assert (found.verdict, found.review) == ("licence", "case-by-case eligible")
    assert [duty.rate for duty in found.duties] == [0.25]
    (clause,) = [one for one in found.clauses if one.rule == "china-customs-2026"]
    assert clause.holds and clause.read == "second-hand"
    assert any("not to be let in" in text for text in found.warnings)
    assert any("one by one" in text for text in verdict("h200-sxm", "2026-03-01").warnings)
    assert not any("not to be let in" in text for text in verdict("h200-sxm", "2026-03-01").warnings)
    assert not any("not to be let in" in text for text in verdict("mi325x", "2026-01-20").warnings)


def test_duties_and_shares_of_revenue() -> None:
    """H20 pays 15% of revenue since August 2025; H200 and MI325X 25% on entry, MI300X and H200 NVL do not."""
    (share,) = verdict("h20", "2025-09-01").duties
    assert share.rate == 0.15 and "revenue" in share.base
    assert verdict("h20", "2025-08-01").duties == ()
    for name in ("h200-sxm", "mi325x"):
        (duty,) = verdict(name, "2026-02-15").duties
        assert duty.rate == 0.25
    for name in ("mi300x", "h200-nvl", "h20"):
        assert not any(one.rate == 0.25 for one in verdict(name, "2026-02-15").duties)


def test_the_diffusion_rule_stands_but_is_not_enforced() -> None:
    """Malaysia stays free in June 2025; without the announcement of May 2025 it would need a licence."""
    found = verdict("h100-sxm", "2025-06-01", "MY")
    (clause,) = [one for one in found.clauses if one.rule == "diffusion-2025"]
    assert clause.holds and not clause.enforced
    counterfactual = verdict("h100-sxm", "2025-06-01", "MY", without=("diffusion-unenforced-2025",))
    assert counterfactual.verdict == "licence"
    assert any("counterfactual" in text for text in counterfactual.warnings)
    assert verdict("h100-sxm", "2025-06-01", "JP", without=("diffusion-unenforced-2025",)).verdict == "free"


def test_the_affiliates_rule_warns_but_for_its_year_of_suspension() -> None:
    """A named end user is warned of owners in October 2025, not in 2026 while suspended."""

    def warned(on: str) -> bool:
        return any("50%" in text for text in verdict("l2", on, end_user="Acme").warnings)

    assert warned("2025-10-15") and not warned("2025-09-28") and not warned("2026-03-01")


def test_foundry_due_diligence_warns_for_designs_from_china() -> None:
    """Since January 2025 a foundry must presume a Chinese design to be 3A090.a."""
    assert any("foundry" in text for text in verdict("br100", "2025-03-01").warnings)
    assert not any(text.startswith("foundry-2025: ") for text in verdict("h100-sxm", "2025-03-01").warnings)


def test_memory_sold_as_memory_is_3a090c() -> None:
    """A stack of 1,000 GB/s on 121 mm2 is .c since December 2024; the same memory inside a package is not."""
    stack = made(0, None, architecture="memory", peak=MappingProxyType({}), bandwidth=1e12, die_area=121e-6)
    assert rules.check(stack, Deal("CN", "2024-12-01"), BOOK).class_name == "not controlled"
    found = rules.check(stack, Deal("CN", "2025-01-02"), BOOK)
    assert (found.class_name, found.verdict) == ("3A090.c", "denial")
    assert rules.check(stack, Deal("CN", "2024-12-15"), BOOK).verdict == "free"
    assert rules.check(made(1000.0, bandwidth=1e12), Deal("CN", "2025-01-02"), BOOK).class_name == "not controlled"


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        (
            "mtt-s4000",
            [("not controlled", 0.0), ("3A090.a.2", 270.27), ("3A090.b.2", 500.0), ("not controlled", math.inf)],
        ),
        (
            "inferentia2",
            [("not controlled", 0.0), ("3A090.a.2", 513.51), ("3A090.b.1", 1900.0), ("not controlled", math.inf)],
        ),
        (
            "tpu-v3",
            [("not controlled", 0.0), ("3A090.a.2", 332.43), ("3A090.b.2", 615.0), ("not controlled", math.inf)],
        ),
    ],
)
def test_an_unknown_area_is_broken_at_the_thresholds(name: str, outcomes: list[tuple[str, float]]) -> None:
    """What each applicable area would mean, as in the reference notes: planar, a.2, b.1 or b.2, nothing."""
    found = verdict(name, "2024-01-15", "CN" if name != "mtt-s4000" else "RU")
    (missing,) = found.missing
    assert (missing.field, missing.unit) == ("applicable_area", "m2")
    assert [(one.class_name, pytest.approx(one.high * 1e6, rel=1e-4)) for one in missing.outcomes] == outcomes
    assert found.class_name == "PD needed"
    assert found.verdict == ("unknown" if name != "mtt-s4000" else "denial")


def test_a_missing_figure_that_decides_nothing_is_not_asked_for() -> None:
    """From TPP 4800 on the area does not matter, below 1600 nothing does; without a rule the verdict is known."""
    assert rules.check(made(5000, None), Deal("CN", "2024-01-15"), BOOK).missing == ()
    assert rules.check(made(1500, None, data_center=None), Deal("CN", "2024-01-15"), BOOK).missing == ()
    abroad = rules.check(made(3000, None), Deal("FR", "2024-01-15"), BOOK)
    assert (abroad.verdict, abroad.class_name) == ("free", "PD needed") and abroad.missing


def test_unknown_marketing_and_unknown_area_are_both_asked_for() -> None:
    """A chip of TPP 3000 without either: each outcome of the marketing still hangs on the area."""
    found = rules.check(made(3000, None, data_center=None), Deal("CN", "2024-01-15"), BOOK)
    assert [one.field for one in found.missing] == ["data_center", "applicable_area"]
    marketing = found.missing[0].outcomes
    assert [(one.class_name, one.verdict) for one in marketing] == [
        ("not controlled (Note 2)", "free"),
        ("PD needed", "unknown"),
    ]


def test_unknown_io_is_asked_for_where_the_letters_test_it() -> None:
    """820 GB/s of memory bandwidth: a licence from 880 GB/s of I/O on (the sum), free below."""
    found = rules.check(made(1000, io_bandwidth=None, bandwidth=820e9), Deal("CN", "2025-06-01"), BOOK)
    (missing,) = found.missing
    assert missing.field == "io_bandwidth"
    assert [(one.verdict, one.high) for one in missing.outcomes] == [
        ("free", pytest.approx(880e9)),
        ("licence", math.inf),
    ]


def test_a_chip_without_rates_is_broken_along_tpp() -> None:
    """Without a peak the class hangs on TPP: the axis is broken also where the density turns."""
    found = rules.check(made(1, 500.0, peak=MappingProxyType({"tf32": 1e12})), Deal("CN", "2024-01-15"), BOOK)
    (missing,) = found.missing
    assert found.class_name == "TPP needed" and missing.field == "peak"
    assert [one.class_name for one in missing.outcomes] == [
        "not controlled",
        "3A090.b.2",
        "3A090.b.1",
        "3A090.a.2",
        "3A090.a.1",
    ]
    assert [one.low for one in missing.outcomes] == pytest.approx([0.0, 1600.0, 2400.0, 2960.0, 4800.0])


def test_without_rates_and_area_only_the_rates_are_asked_for_first() -> None:
    """Both unknown: each piece of TPP says what it would mean, `unknown` where the area would then decide."""
    bare = made(1, None, peak=MappingProxyType({"tf32": 1e12}))
    found = rules.check(bare, Deal("CN", "2024-01-15"), BOOK)
    (missing,) = found.missing
    assert [(one.low, one.verdict) for one in missing.outcomes] == [
        (0.0, "free"),
        (1600.0, "unknown"),
        (4800.0, "denial"),
    ]
    planar = rules.check(replace(bare, applicable_area=0.0), Deal("CN", "2024-01-15"), BOOK)
    assert [(one.low, one.verdict) for one in planar.missing[0].outcomes] == [(0.0, "free"), (4800.0, "denial")]


def test_an_unknown_bandwidth_leaves_the_review_open() -> None:
    """In 2026 the policy of the review hangs on the memory bandwidth: case by case below 6500 GB/s, denial above."""
    found = rules.check(made(5000, bandwidth=0.0), Deal("CN", "2026-02-15"), BOOK)
    (missing,) = found.missing
    assert missing.field == "bandwidth" and found.verdict == "unknown"
    assert [(one.verdict, one.high) for one in missing.outcomes] == [
        ("licence", pytest.approx(6500e9)),
        ("denial", math.inf),
    ]


def test_planar_chips_have_no_density() -> None:
    """An applicable area of zero: no PD, so only the performance counts."""
    found = rules.check(made(3000, 0.0), Deal("CN", "2024-01-15"), BOOK)
    assert (found.class_name, found.facts["pd"]) == ("not controlled", None)


@pytest.mark.parametrize(
    ("name", "on", "told"),
    [
        ("inferentia2", "2024-01-15", True),
        ("trainium2", "2026-02-15", True),
        ("a100-sxm-80gb", "2024-01-15", False),
        ("mi355x", "2026-02-15", False),
    ],
)
def test_open_questions_are_told_where_they_would_change_the_answer(name: str, on: str, told: bool) -> None:
    """TF32 as 32 bit lifts Inferentia2 and Trainium2 over a line; FP6 at the FP4 rate changes nothing for MI355X."""
    assert any("not settled" in text for text in verdict(name, on).warnings) is told


def test_counterfactual_thresholds_replace_named_numbers() -> None:
    """With a line of 6000 the A800 leaves .a.1 but falls under .a.2 by its density; without the rule it is free."""
    moved = verdict("a800-sxm-80gb", "2024-01-15", thresholds={"advanced-computing-2023.tpp": 6000})
    assert moved.class_name == "3A090.a.2"
    assert "TPP >= 6000" in " ".join(clause.test for clause in moved.clauses)
    assert any("advanced-computing-2023.tpp = 6000" in text for text in moved.warnings)
    assert verdict("a800-sxm-80gb", "2024-01-15", without=("advanced-computing-2023",)).verdict == "free"
    assert verdict("h100-sxm", "2026-02-15", without=tuple(BOOK.rules)).verdict == "free"


def test_days_outside_of_the_rules_are_answered_with_a_warning() -> None:
    """Before the first rule and after the last day read."""
    assert any("before the first" in text for text in verdict("h100-sxm", "2018-01-01").warnings)
    assert any("read up to" in text for text in verdict("h100-sxm", "2027-01-01").warnings)
    assert not any("read up to" in text for text in verdict("h100-sxm", BOOK.through).warnings)


def test_what_was_only_recalled_is_warned_of() -> None:
    """With D:1 and D:4 recalled, Viet Nam hangs on them, so does Malaysia's absence; China does not, nor does an L2."""
    recalled = {name: replace(BOOK.groups[name], read="recalled") for name in ("D:1", "D:4")}
    book = replace(BOOK, groups=MappingProxyType({**BOOK.groups, **recalled}), _regimes={}, _actives={})

    def told(name: str, to: str, rules_book: Book = book) -> list[str]:
        found = rules.check(CATALOG.chip(name), Deal(to, "2024-01-15"), rules_book)
        return [text for text in found.warnings if "hangs on" in text]

    assert told("h100-sxm", "VN") == ["hangs on VN being in country group D:1 or D:4: recalled, not read"]
    assert told("h100-sxm", "MY") == ["hangs on MY not being in country group D:1 or D:4: recalled, not read"]
    assert told("h100-sxm", "CN") == told("l2", "VN") == told("h100-sxm", "VN", BOOK) == []


def test_a_rule_to_come_is_announced() -> None:
    """Between 17 October and 17 November 2023 the new rule is known and not yet binding."""
    told = "announced, binding from 2023-11-17: advanced-computing-2023"
    assert told in verdict("h800-sxm", "2023-10-20").warnings
    assert told not in verdict("h800-sxm", "2023-10-16").warnings


@pytest.mark.parametrize(
    ("deal", "field", "remedy"),
    [
        (Deal("China", "2024-01-15"), "law.to", "CN"),
        (Deal("Chima", "2024-01-15"), "", "China (CN)"),
        (Deal("CN", "2024-01-15", headquarters="xx"), "", "ISO code"),
        (Deal("CN", "2024-13-15"), "law.on", "2023-11-17"),
        (Deal("CN", "20240115"), "law.on", "2023-11-17"),
        (Deal("CN", "2024-01-15", buyer="state funded"), "law.buyer", "state-funded"),
        (Deal("CN", "2024-01-15", letters="none"), "law.letters", "all, addressees"),
        (Deal("CN", "2024-01-15", without=("advanced-computing",)), "law.without", "advanced-computing-2023"),
        (Deal("CN", "2024-01-15", thresholds={"advanced-computing-2023.ttp": 1}), "law.thresholds", "2023.tpp"),
    ],
)
def test_a_wrong_deal_is_refused_with_its_remedy(deal: Deal, field: str, remedy: str) -> None:
    """Places, days, words and names that do not exist are refused with the nearest ones."""
    with pytest.raises(InputError) as caught:
        rules.check(CATALOG.chip("h100-sxm"), deal, BOOK)
    assert field in str(caught.value.place) and remedy in caught.value.hint


def test_a_timeline_lists_the_days_of_change() -> None:
    """The A800: free, denied early, classed in November 2023, and looked at case by case in 2026."""
    steps = rules.timeline(CATALOG.chip("a800-sxm-80gb"), Deal("CN", "2024-01-01"), BOOK)
    assert [(day, one.verdict) for day, one in steps] == [
        ("2022-08-01", "free"),
        ("2023-10-23", "denial"),
        ("2023-11-17", "denial"),
        ("2026-01-15", "licence"),
    ]
    assert steps[-1][1].review == "case-by-case eligible"


def test_thresholds_draw_the_classes_as_boxes() -> None:
    """In 2024 four classes for data-centre chips; a point inside of a box has its class."""
    boxes = [box for box in rules.thresholds(Deal("CN", "2024-01-15"), BOOK) if box["data_center"]]
    assert sorted(box["class"] for box in boxes) == ["3A090.a.1", "3A090.a.2", "3A090.b.1", "3A090.b.2"]
    others = [box for box in rules.thresholds(Deal("CN", "2024-01-15"), BOOK) if not box["data_center"]]
    assert [(box["class"], box["tpp_low"], box["tpp_high"], box["pd_low"], box["pd_high"]) for box in others] == [
        ("3A090.a (NAC-eligible, not DC)", 4800, math.inf, 0, math.inf),
        ("not controlled (Note 2)", 1600, 4800, 0, math.inf),
    ]
    (middle,) = [box for box in boxes if box["class"] == "3A090.b.1"]
    assert (middle["tpp_low"], middle["tpp_high"], middle["pd_low"], middle["pd_high"]) == (2400, 4800, 1.6, 5.92)
    (old,) = [box for box in rules.thresholds(Deal("CN", "2022-12-01"), BOOK) if box["data_center"]]
    assert (old["class"], old["tpp_low"], old["io_low"]) == ("3A090", 4800, 600e9)
    assert rules.thresholds(Deal("CN", "2022-01-01"), BOOK) == ()


def test_tpp_is_rate_times_bits_over_the_formats() -> None:
    """300 TFLOP/s at 16 bit and 600 TOP/s at 8 bit are both 4800; TF32 is left out; nothing is known without rates."""
    assert rules.tpp(made(0, peak=MappingProxyType({"fp16": 300e12, "fp64": 10e12}))) == (4800.0, "fp16")
    assert rules.tpp(made(4800.0)) == (4800.0, "int8")
    assert rules.tpp(made(0, peak=MappingProxyType({"tf32": 500e12}))) == (None, "")
