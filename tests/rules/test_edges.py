"""Each rule on its line, on its day and at the border of its place: what a lawyer would try first."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import pytest
from deals import BOOK, CATALOG, made, verdict

from exaplan import rules
from exaplan.errors import InputError
from exaplan.nouns import Deal


@pytest.mark.parametrize(
    ("to", "headquarters", "review"),
    [
        ("CN", "", "presumption of denial (early date)"),
        ("CN", "US", "presumption of denial (early date)"),
        ("MO", "US", "presumption of denial (early date)"),
        ("VN", "CN", "presumption of denial (early date)"),
        ("VN", "MO", "presumption of denial (early date)"),
        ("VN", "", "presumption of approval (early date)"),
        ("SG", "CN", "case-by-case (early date)"),
        ("SG", "MO", "case-by-case (early date)"),
        ("IL", "CN", "case-by-case (early date)"),
        ("SG", "", ""),
        ("IL", "", ""),
    ],
)
def test_the_early_date_reaches_as_far_as_the_rule(to: str, headquarters: str, review: str) -> None:
    """Places, headquarters and policy of the rule of 17 November hold for data-centre chips from 23 October on."""
    assert verdict("a800-sxm-80gb", "2023-10-23", to, headquarters=headquarters).review == review


@pytest.mark.parametrize(
    ("to", "headquarters", "on", "review"),
    [
        ("CN", "US", "2024-01-01", "presumption of denial"),
        ("MO", "US", "2024-01-01", "presumption of denial"),
        ("VN", "HK", "2024-01-01", "presumption of denial"),
        ("VN", "MO", "2024-01-01", "presumption of denial"),
        ("SA", "RU", "2024-01-01", "presumption of denial"),
        ("VN", "FR", "2024-01-01", "presumption of approval"),
        ("IL", "CN", "2024-01-01", "case-by-case (headquarters in D:5 or Macau, elsewhere)"),
        ("SG", "HK", "2024-01-01", "case-by-case (headquarters in D:5 or Macau, elsewhere)"),
        ("FR", "MO", "2024-01-01", "case-by-case (headquarters in D:5 or Macau, elsewhere)"),
        ("FR", "MO", "2026-01-15", "presumption of denial"),
        ("MO", "", "2026-01-15", "case-by-case eligible"),
        ("HK", "", "2026-01-15", "case-by-case eligible"),
        ("VN", "FR", "2026-01-15", "presumption of approval"),
    ],
)
def test_the_policy_hangs_on_place_and_headquarters(to: str, headquarters: str, on: str, review: str) -> None:
    """Hong Kong and Macau count as headquarters; the policy for D:1 and D:4 is stricter for companies from D:5."""
    assert verdict("h100-sxm", on, to, headquarters=headquarters).review == review


def test_the_review_of_2026_holds_only_for_exports_from_the_united_states() -> None:
    """The same H200 re-exported from Singapore keeps its presumption of denial; so does one of TPP 21000."""
    found = verdict("h200-sxm", "2026-02-15", origin="SG")
    assert (found.verdict, found.review, found.duties) == ("denial", "presumption of denial", ())
    for headquarters in ("", "US"):
        assert verdict("h200-sxm", "2026-02-15", origin="SG", headquarters=headquarters).verdict == "denial"
    for tpp, bandwidth, expected in ((20999, 6499e9, "licence"), (21000, 6499e9, "denial"), (20999, 6500e9, "denial")):
        assert rules.check(made(tpp, bandwidth=bandwidth), Deal("CN", "2026-02-15"), BOOK).verdict == expected


def test_a_transfer_within_a_country_needs_no_notice() -> None:
    """A gaming card that is already in China, or goes there from Hong Kong, needs no notice; from abroad it does."""
    for on in ("2023-11-17", "2024-04-04"):
        for origin, to, expected in (("CN", "CN", "free"), ("HK", "CN", "free"), ("MO", "CN", "notify")):
            assert verdict("rtx-4090", on, to, origin=origin).verdict == expected
        assert verdict("rtx-4090", on, "SG", origin="US", headquarters="MO").verdict == "notify"
        assert verdict("rtx-4090", on, "SG", origin="SG", headquarters="MO").verdict == "free"
    assert verdict("h100-sxm", "2024-06-01", origin="CN").verdict == "denial"


@pytest.mark.parametrize("to", ["PR", "GU", "US"])
def test_the_territories_are_the_united_states(to: str) -> None:
    """Puerto Rico and Guam are no export, whoever buys; American Samoa is told so, too."""
    found = verdict("h100-sxm", "2026-02-15", to, headquarters="CN", end_user="Biren")
    assert found.verdict == "free"
    assert "a delivery within the United States is no export" in found.assumes


def test_a_listed_company_that_buys_at_home_is_warned_of() -> None:
    """A chip made in the destination is no export, for a listed company neither; a foreign chip is denied."""
    found = verdict("br100", "2024-01-01", end_user="Huawei")
    assert found.verdict == "free" and any("foreign direct product" in text for text in found.warnings)
    assert verdict("l2", "2024-01-01", end_user="Huawei").verdict == "denial"
    assert not any("foreign direct product" in text for text in verdict("br100", "2024-01-01").warnings)


@pytest.mark.parametrize(
    ("tpp", "area", "class_name"),
    [
        (4800, 3000.0, "3A090.a.1"),
        (4799.9, 2999.0, "3A090.b.1"),
        (4736, 800.0, "3A090.a.2"),
        (4735, 800.0, "3A090.b.1"),
        (2400, 1500.0, "3A090.b.1"),
        (2400, 1500.1, "not controlled"),
        (2399, 749.0, "3A090.b.2"),
        (2399, 1490.0, "not controlled"),
        (1600, 500.0, "3A090.b.2"),
        (1600, 500.1, "not controlled"),
        (1599.9, 100.0, "not controlled"),
        (1600, 270.0, "3A090.a.2"),
        (1600, 271.0, "3A090.b.2"),
    ],
)
def test_each_line_belongs_to_the_stricter_side(tpp: float, area: float, class_name: str) -> None:
    """On 4800, 2400, 1600 and on densities 5.92, 3.2 and 1.6 the chip is controlled, just below it is not."""
    assert rules.check(made(tpp, area), Deal("CN", "2023-11-17"), BOOK).class_name == class_name


@pytest.mark.parametrize(
    ("on", "tpp", "io", "dram", "expected"),
    [
        ("2022-11-01", 4800, 600, 100, "denial"),
        ("2022-11-01", 4800, 599.9, 100, "free"),
        ("2022-11-01", 4799.9, 600, 100, "free"),
        ("2022-08-26", 4800, 600, 100, "licence"),
        ("2022-08-26", 4800, 599.9, 100, "free"),
        ("2022-08-26", 4799.9, 600, 100, "free"),
        ("2025-04-09", 100, 100, 1400, "licence"),
        ("2025-04-09", 100, 100, 1399, "free"),
        ("2025-04-09", 100, 1100, 100, "licence"),
        ("2025-04-09", 100, 1099, 100, "free"),
        ("2025-04-09", 100, 700, 1000, "licence"),
        ("2025-04-09", 100, 699, 1000, "free"),
    ],
)
def test_bandwidths_on_the_line_are_controlled(on: str, tpp: float, io: float, dram: float, expected: str) -> None:
    """600 GB/s in 2022; 1400, 1100 and 1700 GB/s (the sum) in the letters of 2025."""
    chip = made(tpp, io_bandwidth=io * 1e9, bandwidth=dram * 1e9)
    assert rules.check(chip, Deal("CN", on), BOOK).verdict == expected


@pytest.mark.parametrize(
    ("tpp", "dram", "rate"),
    [
        (14000, 4700, 0), (14001, 4700, 0.25), (17499, 4700, 0.25), (17500, 4700, 0),
        (15000, 4500, 0), (15000, 4501, 0.25), (15000, 4999, 0.25), (15000, 5000, 0),
        (20800, 6000, 0), (20801, 6000, 0.25), (21099, 6000, 0.25), (21100, 6000, 0),
        (21000, 5800, 0), (21000, 5801, 0.25), (21000, 6199, 0.25), (21000, 6200, 0), (15000, 6000, 0),
    ],
)  # fmt: skip
def test_the_bands_of_the_duty_are_open(tpp: float, dram: float, rate: float) -> None:
    """Greater than and less than: a chip on an edge pays nothing (seen at Saudi Arabia, which is no denial)."""
    found = rules.check(made(tpp, bandwidth=dram * 1e9), Deal("SA", "2026-01-15"), BOOK)
    assert sum(duty.rate for duty in found.duties) == rate
    assert rules.check(made(15000, bandwidth=4.7e12), Deal("SA", "2026-01-14"), BOOK).duties == ()
    for deal in (Deal("SA", "2026-01-15", origin="TW"), Deal("US", "2026-01-15")):
        assert rules.check(made(15000, bandwidth=4.7e12), deal, BOOK).duties == ()


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("Beijing Biren Technology Development", "Biren"),
        ("Huawei Germany GmbH", "Huawei"),
        ("\u5317\u4eac\u58c1\u4ede\u79d1\u6280", "Biren"),
        ("Cambricom", "Cambricon"),
        ("Inspur, Inc.", "Inspur"),
    ],
)
def test_a_name_that_resembles_a_listed_one_is_warned_of(name: str, like: str) -> None:
    """A daughter or a misspelling of a listed company is taken as not listed, and said to resemble it."""
    found = verdict("a10", "2024-01-01", end_user=name)
    assert found.verdict == "free"
    assert any(text.startswith(f"{name} resembles {like}, on the Entity List since 20") for text in found.warnings)


@pytest.mark.parametrize(
    ("name", "on"),
    [("Acme", "2024-01-01"), ("Birenholt", "2024-01-01"), ("Beijing Biren", "2023-10-16"), ("Biren", "2024-01-01")],
)  # fmt: skip
def test_other_names_resemble_nobody(name: str, on: str) -> None:
    """No warning for other words, before the listing, or for the listed name itself."""
    assert not any("resembles" in text for text in verdict("a10", on, end_user=name).warnings)


def test_conflicting_sources_are_told() -> None:
    """Companies from China elsewhere: the memo of 2023 and the rule of 2026 differ, which is warned of."""
    for on in ("2023-11-17", "2026-01-14", "2026-01-15"):
        assert any("sources differ" in text for text in verdict("h100-sxm", on, "DE", headquarters="CN").warnings)
        assert any("sources differ" in text for text in verdict("h100-sxm", on, "IL", headquarters="MO").warnings)
    for to, headquarters in (("CN", ""), ("MO", "CN"), ("VN", "CN"), ("DE", ""), ("US", "CN")):
        told = verdict("h100-sxm", "2026-01-15", to, headquarters=headquarters).warnings
        assert not any("sources differ" in text for text in told)
    assert not any("sources differ" in text for text in verdict("l40", "2024-01-15", "DE", headquarters="CN").warnings)


def test_private_recipients_in_the_emirates_are_warned_of() -> None:
    """Free by the text since July 2026, but the source is unclear for those that it does not name."""
    found = verdict("h100-sxm", "2026-07-10", "AE")
    assert found.verdict == "free" and any("G42" in text and "unclear" in text for text in found.warnings)


def test_a_threshold_that_is_no_number_is_refused() -> None:
    """A counterfactual of nan or infinity would make every test fail silently."""
    for value in (math.nan, math.inf):
        with pytest.raises(InputError, match=r"2023\.tpp` is (nan|inf)"):
            verdict("h100-sxm", "2024-01-01", thresholds={"advanced-computing-2023.tpp": value})


@pytest.mark.parametrize(
    ("name", "to", "day", "before", "since"),
    [
        ("a100-sxm-80gb", "HK", "2022-10-21", "licence by letter, no review policy published", "presumption of denial"),
        ("a100-sxm-80gb", "CN", "2022-10-21", "licence by letter, no review policy published", "presumption of denial"),
        ("a100-sxm-80gb", "CN", "2022-08-26", "", "licence by letter, no review policy published"),
        ("a100-sxm-80gb", "RU", "2022-08-26", "presumption of denial (embargo)", "presumption of denial (embargo)"),
        ("a100-sxm-80gb", "HK", "2022-08-26", "", "licence by letter, no review policy published"),
        ("h100-sxm", "NI", "2024-03-15", "", "presumption of denial"),
        ("rtx-4090", "CN", "2024-04-04", "licence exception NAC (notice to BIS 25 days ahead)",
         "licence exception NAC (notice to BIS 25 days ahead)"),
        ("rtx-4090", "VN", "2024-04-04", "licence exception NAC (no notice)", "licence exception ACA (no notice)"),
        ("h100-sxm", "SA", "2023-11-17", "presumption of approval (early date)", "presumption of approval"),
        ("a800-sxm-80gb", "CN", "2023-11-17", "presumption of denial (early date)", "presumption of denial"),
        ("h200-sxm", "HK", "2026-01-15", "presumption of denial", "case-by-case eligible"),
    ],
)  # fmt: skip
def test_the_policy_changes_on_the_very_day(name: str, to: str, day: str, before: str, since: str) -> None:
    """The day before has the old policy, the day itself the new one."""
    days = [
        one for one in ("2022-08-25", "2022-10-20", "2023-11-16", "2024-03-14", "2024-04-03", "2026-01-14") if one < day
    ]
    assert (verdict(name, days[-1], to).review, verdict(name, day, to).review) == (before, since)


@pytest.mark.parametrize("to", ["CU", "IR", "KP", "SY", "RU", "BY"])
def test_every_embargo_is_a_denial(to: str) -> None:
    """Even the smallest chip, before any rule on chips; a chip made at home is no export."""
    assert verdict("l2", "2022-03-02", to).verdict == "denial"
    assert verdict("l2", "2022-03-01", to).verdict == "free"


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Huawei", "2019-05-16"), ("Sugon", "2019-06-24"), ("Hygon", "2019-06-24"), ("Phytium", "2021-04-08"),
        ("National Supercomputing Center Wuxi", "2021-04-08"), ("Cambricon", "2022-12-16"), ("Inspur", "2023-03-02"),
        ("Loongson", "2023-03-02"), ("4Paradigm", "2023-03-02"), ("Biren", "2023-10-17"),
        ("Moore Threads", "2023-10-17"),
    ],
)  # fmt: skip
def test_each_company_is_listed_from_its_day_on(name: str, day: str) -> None:
    """The days of the Federal Register notices."""
    (listing,) = [one for one in BOOK.listings if one.name == name]
    assert listing.listed == day
    assert verdict("l2", day, end_user=name).review == "presumption of denial (Entity List)"


def test_the_rules_were_read_to_the_day_of_the_notes() -> None:
    """25 September 2026."""
    assert BOOK.through == "2026-09-25"


def warned(part: str, name: str, on: str, to: str = "CN", **deal: object) -> bool:
    """Whether a warning holds some words."""
    return any(part in text for text in verdict(name, on, to, **deal).warnings)


@pytest.mark.parametrize(
    ("part", "name", "to", "day", "before"),
    [
        ("a foundry at 16/14 nm", "br100", "CN", "2025-01-31", "2025-01-30"),
        ("keep that status", "br100", "CN", "2026-04-07", "2026-04-06"),
        ("50%", "l2", "CN", "2025-09-29", "2025-09-28"),
        ("50%", "l2", "CN", "2025-11-09", "2025-11-10"),
        ("50%", "l2", "CN", "2026-11-10", "2026-11-09"),
        ("not to be let in", "h200-sxm", "CN", "2026-01-14", "2026-01-13"),
        ("not to be let in", "h200-nvl", "CN", "2026-01-27", "2026-01-28"),
        ("one by one", "h200-nvl", "CN", "2026-01-28", "2026-01-27"),
        ("headquarters test for this place", "h100-sxm", "DE", "2026-05-31", "2026-05-30"),
        ("red flag of 2023", "br100", "FR", "2023-11-17", "2023-11-16"),
        ("conditions of a licence", "h200-sxm", "MO", "2026-01-15", "2026-01-14"),
        ("headquarters of the operator", "h100-sxm", "XZ", "2023-11-17", "2023-11-16"),
    ],
)
def test_a_note_holds_from_its_day_to_its_end(part: str, name: str, to: str, day: str, before: str) -> None:
    """Warnings come and go on the day of the rule, not a day earlier or later."""
    headquarters = "CN" if to == "DE" else ""
    assert warned(part, name, day, to, end_user="Acme", headquarters=headquarters)
    assert not warned(part, name, before, to, end_user="Acme", headquarters=headquarters)


def test_notes_stay_silent_where_they_do_not_reach() -> None:
    """No red flag for a chip at home, no guidance for China itself, no conditions for a re-export, no planar chip."""
    assert not warned("red flag", "br100", "2024-01-01", "CN")
    assert not warned("headquarters test for this place", "h100-sxm", "2026-06-01", "CN")
    assert not warned("conditions of a licence", "h200-sxm", "2026-02-15", "CN", origin="SG")
    planar = replace(made(1000, 0.0), vendor="Biren")
    found = rules.check(planar, Deal("FR", "2026-05-01"), BOOK)
    assert not any("foundry" in text or "keep that status" in text for text in found.warnings)


@pytest.mark.parametrize("name", ["910b", "910b1", "910b2", "910b3", "910b4", "910c", "910d"])
def test_each_ascend_of_the_guidance_needs_permission(name: str) -> None:
    """The list of the guidance of May 2025, with the variants of the 910B; the 910A is not on it."""
    chip = replace(made(1000), name=f"ascend-{name}", vendor="Huawei")
    assert rules.check(chip, Deal("CN", "2025-05-13"), BOOK).verdict == "licence"
    assert rules.check(chip, Deal("CN", "2025-05-12"), BOOK).verdict == "free"
    assert rules.check(replace(chip, name="ascend-910a"), Deal("CN", "2025-05-13"), BOOK).verdict == "free"


def test_the_bar_for_state_funded_sites_holds_in_mainland_china() -> None:
    """Not in Hong Kong, not elsewhere."""
    for to in ("HK", "FR"):
        assert verdict("l2", "2025-11-05", to, buyer="state-funded").verdict == "free"


@pytest.mark.parametrize(
    ("to", "headquarters", "on", "review"),
    [
        ("MY", "", "2025-05-14", ""),
        ("MY", "", "2025-05-15", "presumption of approval within the caps of the country"),
        ("JP", "US", "2025-05-15", ""),
        ("JP", "DE", "2025-05-15", ""),
        ("JP", "MY", "2025-05-15", "presumption of approval within the caps of the country"),
        ("US", "MY", "2025-05-15", ""),
    ],
)
def test_the_diffusion_rule_as_it_would_have_been(to: str, headquarters: str, on: str, review: str) -> None:
    """From 15 May 2025, outside of the partner countries or for companies from outside of them."""
    deal = {"headquarters": headquarters, "without": ("diffusion-unenforced-2025",)}
    assert verdict("h100-sxm", on, to, **deal).review == review


def test_the_diffusion_rule_would_have_denied_companies_from_macau() -> None:
    """Its own policy for D:5 and Macau, with the rule of 2023 left out."""
    without = ("diffusion-unenforced-2025", "advanced-computing-2022", "letters-2025")
    moved = {"advanced-computing-2023.tpp": 4800}
    for to, headquarters in (("MY", "MO"), ("MO", "US"), ("MY", "CN"), ("CN", "US")):
        found = verdict("h100-sxm", "2025-05-15", to, headquarters=headquarters, without=without, thresholds=moved)
        (policy,) = [one for one in found.clauses if (one.rule, one.clause) == ("diffusion-2025", "arms embargo")]
        assert policy.holds and policy.enforced and found.verdict == "denial"


def test_a_rule_that_will_not_be_enforced_is_not_announced_as_binding() -> None:
    """Between 13 and 15 May 2025 the diffusion rule is told as not enforced; before, as binding from the 15th."""
    told = "announced, binding from 2025-05-15: diffusion-2025"
    assert warned(told, "h100-sxm", "2025-05-12", "MY") and not warned(told, "h100-sxm", "2025-05-13", "MY")
    (clause,) = [one for one in verdict("h100-sxm", "2025-05-13", "MY").clauses if one.rule == "diffusion-2025"]
    assert not clause.enforced and "not enforced from 2025-05-13" in clause.note


@pytest.mark.parametrize(
    ("vendor", "on", "expected"),
    [
        ("NVIDIA", "2022-08-26", "licence"), ("AMD", "2022-08-26", "licence"), ("Intel", "2022-08-26", "free"),
        ("NVIDIA", "2025-04-09", "licence"), ("AMD", "2025-04-09", "licence"), ("Intel", "2025-04-09", "licence"),
        ("Google", "2025-04-09", "free"), ("NVIDIA", "2023-10-23", "denial"), ("AMD", "2023-10-23", "free"),
    ],
)  # fmt: skip
def test_letters_read_for_their_addressees(vendor: str, on: str, expected: str) -> None:
    """Who had a letter: NVIDIA and AMD in 2022, NVIDIA alone in 2023, Intel as well in 2025."""
    tpp = 4000 if on > "2025" else 5000
    chip = made(tpp, 3000.0, vendor=vendor, io_bandwidth=599e9 if on[:4] == "2023" else 600e9, bandwidth=1.4e12)
    assert rules.check(chip, Deal("CN", on, letters="addressees"), BOOK).verdict == expected


def test_the_letters_of_2025_reach_companies_from_macau() -> None:
    """Headquarters in China, Hong Kong or Macau, anywhere."""
    for headquarters, expected in (("CN", "licence"), ("HK", "licence"), ("MO", "licence"), ("FR", "free")):
        assert verdict("h20", "2025-04-09", "DE", headquarters=headquarters).verdict == expected


@pytest.mark.parametrize(
    ("density", "on", "class_name", "expected", "exception"),
    [
        (2.0, "2024-12-31", "not controlled", "free", False),
        (2.001, "2024-12-31", "3A090.c", "denial", True),
        (2.001, "2024-12-30", "3A090.c", "free", True),
        (2.001, "2024-12-01", "not controlled", "free", False),
        (3.299, "2024-12-31", "3A090.c", "denial", True),
        (3.3, "2024-12-31", "3A090.c", "denial", False),
    ],
)
def test_memory_on_its_lines(density: float, on: str, class_name: str, expected: str, exception: bool) -> None:
    """More than 2 GB/s per mm2 is controlled, less than 3.3 may have the exception; binding from 31 December 2024."""
    stack = made(0, None, architecture="memory", bandwidth=density * 1e11, die_area=100e-6)
    found = rules.check(stack, Deal("CN", on), BOOK)
    assert (found.class_name, found.verdict) == (class_name, expected)
    assert any("licence exception HBM (740.25)" in text for text in found.warnings) is exception
    assert found.facts["tpp"] == 0.0


def test_the_share_of_revenue_is_that_of_h20_and_mi308_in_china() -> None:
    """China, Hong Kong and Macau since 11 August 2025; nowhere else."""
    for to, rates in (("CN", [0.15]), ("HK", [0.15]), ("MO", [0.15]), ("FR", [])):
        for chip in ("h20", "mi308x"):
            made_up = replace(CATALOG.chip("h20"), name=chip)
            found = rules.check(made_up, Deal(to, "2025-08-11"), BOOK)
            assert [duty.rate for duty in found.duties] == rates
    assert verdict("h20", "2025-08-10").duties == ()
    halved = verdict("h20", "2025-08-11", thresholds={"revenue-share-2025.share": 0.1})
    assert [duty.rate for duty in halved.duties] == [0.1]


def test_a_denied_sale_owes_no_duty() -> None:
    """What may not be sold pays nothing: a chip in the band of the duty to a listed company."""
    chip = made(15000, bandwidth=4.7e12)
    assert rules.check(chip, Deal("CN", "2026-01-15"), BOOK).duties
    assert rules.check(chip, Deal("CN", "2026-01-15", end_user="Biren"), BOOK).duties == ()


def test_a_timeline_tells_changes_of_policy_and_ends_with_the_rules() -> None:
    """The exception that changes its name, and a change on the last day of the book; none after it."""
    gaming = rules.timeline(CATALOG.chip("rtx-4090"), Deal("VN", "2024-01-01"), BOOK, since="2023-11-17")
    assert [(day, one.review) for day, one in gaming] == [
        ("2023-11-17", "licence exception NAC (no notice)"),
        ("2024-04-04", "licence exception ACA (no notice)"),
    ]
    for through, last in (("2026-07-10", "2026-07-10"), ("2026-07-09", "2023-11-17")):
        steps = rules.timeline(CATALOG.chip("h100-sxm"), Deal("AE", "2024-01-01"), replace(BOOK, through=through))
        assert steps[-1][0] == last


def test_what_is_taken_for_granted_is_told() -> None:
    """Headquarters in the destination unless said, the end user, the origin, and a maker whose home is not known."""
    plain = verdict("h100-sxm", "2024-01-15").assumes
    assert "headquarters of the buyer and its parents: CN (the destination)" in plain
    assert "shipped from US; civil end use; end user not on the Entity List" in plain
    told = verdict("h100-sxm", "2024-01-15", headquarters="FR", origin="TW", end_user="Biren").assumes
    assert "headquarters of the buyer and its parents: FR" in told
    assert "shipped from TW; civil end use; end user Biren (on the Entity List as encoded)" in told
    nobody = rules.check(made(100, vendor=""), Deal("CN", "2024-01-15"), BOOK).assumes
    assert "headquarters of the maker (not named) unknown: taken as an import" in nobody


def test_an_open_question_counts_the_density_anew() -> None:
    """TF32 as 32 bit: TPP 2000 on 500 mm2 would be b.2, where 1500 is nothing."""
    chip = made(1500, 500.0)
    for tf32, told in ((62.5e12, True), (1504e12 / 32, False), (40e12, False)):
        rated = replace(chip, peak=MappingProxyType({**chip.peak, "tf32": tf32}))
        warnings = rules.check(rated, Deal("CN", "2024-01-15"), BOOK).warnings
        assert any("TPP is 2000 and the answer is notify (3A090.b.2" in text for text in warnings) is told
    assert rules.facts(replace(chip, peak=MappingProxyType({**chip.peak, "tf32": 47e12}))).open_tpp is None
    assert rules.facts(replace(chip, peak=MappingProxyType({**chip.peak, "tf32": 48e12}))).open_tpp == 1536


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("fp64", 64), ("fp32", 32), ("fp16", 16), ("bf16", 16), ("fp8", 8), ("int8", 8), ("fp6", 6), ("fp4", 4),
        ("int4", 4),
    ],
)  # fmt: skip
def test_each_format_counts_its_bits(name: str, bits: int) -> None:
    """10 Tera-operations a second at so many bits."""
    assert rules.tpp(made(0, peak=MappingProxyType({name: 10e12}))) == (10 * bits, name)


def test_memory_on_the_chip_is_no_dram() -> None:
    """80 TB/s of SRAM count nothing in the letters of 2025; the same of HBM do."""
    for kind, expected in (("SRAM", "free"), ("HBM3", "licence")):
        chip = made(100, bandwidth=80e12, memory_kind=kind)
        assert rules.check(chip, Deal("CN", "2025-04-09"), BOOK).verdict == expected


def test_a_review_that_hangs_on_an_unknown_is_left_open() -> None:
    """A licence either way, by letter or case by case: the verdict stands, its policy is not guessed."""
    chip = made(5000, data_center=None, bandwidth=1.5e12)
    found = rules.check(chip, Deal("SG", "2025-05-01", headquarters="CN"), BOOK)
    assert (found.verdict, found.review, found.class_name) == ("licence", "", "marketing needed")
    assert [one.field for one in found.missing] == ["data_center"]


def test_only_requirements_that_sleep_are_told_as_not_enforced() -> None:
    """For China the diffusion rule shows its requirement once, not the policy that would go with it."""
    told = [one for one in verdict("h100-sxm", "2025-06-01").clauses if one.rule == "diffusion-2025"]
    assert [(one.clause, one.enforced) for one in told] == [("worldwide", False)]


def test_the_first_and_the_last_day_of_the_rules_are_inside() -> None:
    """On 26 August 2022 and on the last day read there is no warning of days outside; a day beyond there is."""
    assert BOOK.since == "2022-08-26" and not warned("before the first", "h100-sxm", BOOK.since)
    assert warned("before the first", "h100-sxm", "2022-08-25")


def test_what_is_known_second_hand_is_told() -> None:
    """The numbers of the letters of 2025 are press reports."""
    assert "letters-2025 (letter): known only second-hand" in verdict("h20", "2025-05-01").warnings
