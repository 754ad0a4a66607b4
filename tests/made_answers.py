"""Answers made by hand, with round numbers, for tests of what is shown (never of what is right)."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from exaplan.answers import (
    Answer,
    Nearest,
    Offer,
    Point,
    Priced,
    Relief,
    Score,
    Scored,
    Tried,
    Validation,
)
from exaplan.answers.casebook import CaseAnswer, Given
from exaplan.answers.owning import Item, Made, Owned
from exaplan.answers.tax import BreakEven, Tax, TaxPoint, TaxSide
from exaplan.ask import parse
from exaplan.catalog import Catalog, Price
from exaplan.catalog.prices import Reading
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import (
    Clause,
    Deal,
    Duty,
    Estimate,
    Figure,
    Layout,
    Missing,
    Outcome,
    Verdict,
)

SMALL = Spec(name="small", layers=4, hidden=512, heads=8, vocab=1000, ffn=2048, family="llama")
BREAKDOWN = {"product": 3.0, "attention": 0.5, "bubble": 0.4, "tp": 0.25, "dp": 0.0, "floor": -0.05}
MEMORY = {"weights": 20e9, "optimizer": 15e9, "activations": 30e9}
ASKED = {
    "model": "small",
    "work": {"tokens": "1T", "seq_len": 8192, "global_batch": 1024},
    "cluster": {"chip": "h100-sxm", "count": 64},
    "seed": 7,
}


def estimate(layout: Layout, step_time: float = 4.1) -> Estimate:
    """An estimate of that layout; the breakdown sums to the default step time."""
    return Estimate(layout, step_time, 0.9 * step_time, 1.1 * step_time, 65e9, 0.42, 650.0, 1e17, BREAKDOWN, MEMORY)


def answer(catalog: Catalog, kind: str = "training") -> Answer:
    """A plan with two layouts on 64 H100."""
    chip = catalog.chip("h100-sxm")
    cluster = catalog.assemble(chip, 64)
    ask = parse(ASKED)
    ranges = {"time": (4.0e6, 6.0e6), "cost": (1.5e5, 4.2e5), "cost_quoted": (2.0e5, 3.0e5)}
    best = Priced(estimate(Layout(dp=8, tp=8)), 8, 5.0e6, 2.5e5, 3.0e11, 3.1e4, 0.93, ranges, "scaling-book-gpus")
    second = replace(best, estimate=estimate(Layout(dp=4, tp=8, pp=2, vpp=2, cp=1), 4.3), time=5.4e6, cost=None)
    return Answer(
        kind=kind,
        ask=ask.resolved(),
        model=build(SMALL),
        chip=chip,
        node=cluster.node,
        cluster=cluster,
        count=64,
        estimates=(best, second),
        binding=("memory",),
        relief=(Relief("memory", "+10%", 5.0e6, 4.8e6),),
        rejected={"memory": 12, "tp > heads": 3},
        considered=17,
        rate=1.2e6,
        assumptions=("fused attention",),
        defaults=ask.defaults(),
        warnings=("the chip was never measured",),
        inputs={"product": {"flops": 1e17, "rate": 4e14}},
    )


OFFERS = (
    Offer("rent", 9.0e5, 0.0, {"rent": 9.0e5}, 7.5e5, 1.1e6, "mercatus-2026", "2026-03", "US"),
    Offer(
        "buy", 1.2e6, 4.9e6, {"chips": 8e5, "network": 1e5, "electricity": 3e5}, 1.0e6, 1.5e6, "epoch-prices", "2025"
    ),
)
NEAREST = Nearest(
    "T-12", "llm-foundry", "MPT-30B on 256 H100", 1.26, {"chips": (128, 256), "model": ("small", "mpt-30b")}, -0.042
)


def points() -> tuple[Point, ...]:
    """Two chips at four and three counts: time falls, cost rises; one breaks the budget."""
    made = []
    for chip, node, counts, speed, rent in (
        ("h100-sxm", "hgx-h100", (32, 64, 128, 512), 1.0, 2.5),
        ("a100-sxm-80gb", "hgx-a100", (64, 128, 256), 0.35, 1.2),
    ):
        for count in counts:
            time = 3.2e8 / count / speed * (1 + count / 2000)
            cost = time / 3600 * count * rent
            missed = ("money",) if count == 512 else ()
            layout = Layout(dp=count // 8, tp=8)
            upper = (1.15 * time, 1.2 * cost)
            made.append(
                Point(chip, count, count // 8, node, layout, time, upper[0], cost, upper[1], time * count * 900.0,
                      time * count * 1e-4, 4.1, 65e9, "rent", 1e12, missed, not missed and chip == "h100-sxm",
                      1.9 * cost)
            )  # fmt: skip
    return tuple(made)


def decided(catalog: Catalog) -> Answer:
    """A plan for which chips and counts were open: two chips, rent and purchase, money and deadline bind."""
    asked = parse(
        {"model": "small", "work": ASKED["work"], "cluster": {"chip": "h100-sxm"}, "seed": 7}
        | {"limits": {"money": "$1.2M", "deadline": "60 d"}, "objective": "time"}
    )
    big, small = (
        catalog.assemble(catalog.chip(chip), count) for chip, count in (("h100-sxm", 128), ("a100-sxm-80gb", 256))
    )
    ranges = {"time": (2.4e6, 3.1e6), "cost": (7.1e5, 1.6e6), "cost_quoted": (8.1e5, 1.05e6)}
    best = Priced(
        estimate(Layout(dp=16, tp=8)), 16, 2.66e6, 9.0e5, 3.0e11, 3.1e4, 0.93, ranges, "mercatus-2026",
        cluster=big, terms="rent", capital=0.0, offers=OFFERS, tokens=1e12, nearest=NEAREST,
    )  # fmt: skip
    second = replace(
        best,
        estimate=estimate(Layout(dp=32, tp=4, pp=2, vpp=4), 6.3),
        nodes=32,
        cluster=small,
        time=4.1e6,
        cost=1.0e6,
        ranges={"time": (3.6e6, 4.7e6), "cost": (8e5, 1.8e6), "cost_quoted": (8.8e5, 1.15e6)},
        offers=(),
    )
    return replace(
        answer(catalog),
        ask=asked.resolved(),
        cluster=big,
        count=128,
        estimates=(best, second),
        binding=("money",),
        relief=(Relief("money", "+10%", 2.66e6, 2.4e6), Relief("memory", "+10%", 2.66e6, 2.66e6)),
        objective="time",
        searched=True,
        front=points(),
        tried=(
            Tried("h100-sxm", "hgx-h100", (32, 64, 128, 512), 12_000),
            Tried("a100-sxm-80gb", "hgx-a100", (64, 128, 256), 9_000),
            Tried("v100-sxm-32gb", "dgx-v100", (64,), 0, "no layout fits its memory"),
        ),
        warnings=(),
    )


def validation() -> Validation:
    """Two scored rows and two skipped ones."""
    score = Score(2, 0.08, 0.1, -0.02, 0.8, 0.5)
    rows = (
        Scored("T-1", "step_time", 1.1, 1.0, 0.1, 0.9, 1.3, "llm-foundry"),
        Scored("T-2", "step_time", 1.8, 2.0, -0.1, 1.6, 2.1, "mlperf"),
    )
    return Validation(
        rows=rows,
        summary={"step_time": score},
        by_source={"llm-foundry": replace(score, n=1), "mlperf": replace(score, n=1)},
        groups={"precision": {"bf16": score}},
        skipped=(("T-9", "no step time"), ("line 12", "unknown chip Cerebras")),
        publishers_mean={"median_abs_error": 0.09},
        notes=("recompute blank: the cheapest that fits",),
        input_hash="0" * 64,
    )


# ------------------------------------------------------------------------------------------------ law and money

TO_CHINA = Deal("CN", "2023-11-17")
AC_2023 = Clause(
    "ac-2023", "3A090.a.1", "Advanced computing, second rule", "2023-11-17", "", "TPP 15831 >= 4800", True,
    "class 3A090.a.1", True, "bis-2023", "quoted", "The threshold reads as or more.",
)  # fmt: skip
DIFFUSION = Clause(
    "diffusion-2025", "worldwide", "Framework for diffusion", "2025-01-13", "2025-05-13", "3A090.a anywhere", None,
    "licence", False, "owid-carbon", "memo",
)  # fmt: skip


def verdict(chip: str = "h100-sxm", **changes: Any) -> Verdict:
    """A licence with two clauses, a duty, facts and an assumption."""
    made = Verdict(
        chip, TO_CHINA, "licence", "presumption of denial", "3A090.a.1", (AC_2023, DIFFUSION), (), "2026-09-25",
        ("the recipient is headquartered in CN",), ("the rules were read to 2026-09-25",),
        (Duty("revenue share", 0.15, "price", "owid-carbon", "second-hand"),),
        {"tpp": 15831.0, "pd": 19.4, "io": 964e9, "data_center": 1.0, "area": None},
    )  # fmt: skip
    return replace(made, **changes)


def undecided() -> Verdict:
    """A chip of unknown die area, with what each area would mean."""
    outcomes = (
        Outcome(0.0, 5e-4, "3A090.a.2", "licence"),
        Outcome(5e-4, 1e-3, "3A090.b.1", "notify"),
        Outcome(1e-3, inf, "not controlled", "free"),
    )
    missing = (Missing("applicable_area", "m2", outcomes), Missing("io_bandwidth", "B/s"))
    return verdict("mystery", verdict="unknown", review="", class_name="PD needed", missing=missing, duties=())


def steps() -> tuple[tuple[str, Verdict], ...]:
    """A chip that was free, then needed a licence."""
    free = verdict(verdict="free", review="", class_name="not controlled", clauses=(), duties=(), warnings=())
    return (("2022-08-01", replace(free, deal=replace(TO_CHINA, on="2022-08-01"))), ("2023-11-17", verdict()))


LINES: tuple[dict[str, Any], ...] = (
    {"class": "3A090.a.1", "tpp_low": 4800.0, "tpp_high": inf, "pd_low": 0.0, "pd_high": inf, "data_center": True},
    {"class": "3A090.a.2", "tpp_low": 1600.0, "tpp_high": 4800.0, "pd_low": 5.92, "pd_high": inf, "data_center": True},
    {"class": "3A090.b.1", "tpp_low": 2400.0, "tpp_high": 4800.0, "pd_low": 1.6, "pd_high": 5.92, "data_center": True}
    | {"io_low": 600e9},
    {"class": "Note 2", "tpp_low": 0.0, "tpp_high": 4800.0, "pd_low": 0.0, "pd_high": inf, "data_center": False},
)


def judged() -> dict[str, Verdict]:
    """Three chips of the catalogue and their verdicts; one has no performance density."""
    return {
        "h100-sxm": verdict(),
        "h20": verdict("h20", verdict="free", review="", class_name="not controlled", facts={"tpp": 2368.0, "pd": 2.9}),
        "v100-sxm-32gb": verdict("v100-sxm-32gb", verdict="unknown", review="", facts={"tpp": 1000.0, "pd": None}),
    }


def side(catalog: Catalog, terms: str = "buy") -> TaxSide:
    """Half again as dear: capability, price and duties; nothing by quantity."""
    best, other = decided(catalog).estimates
    reference = replace(best, cost=1.0e6, terms=terms)
    local = replace(other, cost=1.5e6, terms=terms, offers=(replace(OFFERS[1], terms=terms, place="CN"),))
    parts = {"capability": 0.25, "price": 0.2, "duties": 0.1, "quantity": -0.05}
    return TaxSide(terms, 0.5, parts, 0.3, 0.8, reference, local, 1.54, notes=("both plans hold the deadline",))


def tax(catalog: Catalog) -> Tax:
    """Bought it is dearer, rented there is no plan; a series of three quarters."""
    bought = side(catalog)
    rented = TaxSide("rent", None, why="no rent is known in CN")
    cheaper = replace(side(catalog, "rent"), tax=-0.1, parts={"price": -0.1}, low=None, high=None, time_ratio=None)
    days = ("2023-10-01", "2024-01-01", "2024-04-01")
    sides = ({"buy": replace(bought, tax=0.2)}, {"buy": bought, "rent": rented}, {"buy": bought, "rent": cheaper})
    return Tax(
        ask=answer(catalog).ask,
        deal=TO_CHINA,
        headline="buy",
        sides={"rent": rented, "buy": bought},
        break_even=(
            BreakEven("ascend-910b", 9_500.0, 14_000.0, 1.6, "its own price"),
            BreakEven("ascend-910", None, None, None),
        ),
        series=tuple(TaxPoint(day, found) for day, found in zip(days, sides, strict=True)),
        verdicts=tuple(judged().values())[:2],
        counterfactual="without ac-2023",
        assumptions=("the deadline is that of the plan as asked",),
        warnings=("the price of CN is of another year",),
    )


def owned(catalog: Catalog) -> Owned:
    """A cluster of 64 H100 by the sea."""
    return Owned(
        cluster=catalog.assemble(catalog.chip("h100-sxm"), 64),
        cooling="sea-water",
        capital=(
            Item("servers", 2.0e6, 1.8e6, 2.4e6, "epoch-prices", "price x chips"),
            Item("network", 3.0e5, 2.5e5, 4.0e5, "epoch-prices"),
        ),
        running=(Item("depreciation", 0.016, 0.014, 0.02), Item("electricity", 0.002, 0.001, 0.003, "owid-carbon")),
        life=1.2e8,
        wacc=0.08,
        residual=0.1,
        utilisation=0.8,
        it_power=8.2e4,
        power=9.4e4,
        per={"chip": (35_937.5, 32_000.0, 43_750.0), "hour": (1.27, 1.1, 1.6), "flop": (3.6e-19, 3e-19, 5e-19)},
        rent=2.35,
        break_even=4.2e7,
        carbon={"grid": 2.4e5, "embodied": 1.1e4, "embodied low": 8.0e3, "embodied high": 1.6e4},
        water=0.004,
        assumptions=("full load around the clock",),
        sources=("epoch-prices",),
    )


def made_chip() -> Made:
    """A chip of one's own that pays from 50,000 on."""
    return Made(
        name="tigris", title="Tigris", once=(Item("design", 5.0e8, 3.0e8, 8.0e8, "epoch-prices", "quoted"),),
        unit=(Item("wafer", 300.0, 250.0, 340.0, "epoch-prices"), Item("memory", 1500.0, 1200.0, 2000.0)),
        cost=1800.0, low=1450.0, high=2340.0, dies=42.0, yield_share=0.68, rival="h100-sxm", ratio=1.25,
        measure="bf16", rival_price=30_000.0, volume=5.0e4, volume_low=2.8e4, volume_high=None, wafers=1191.0,
        assumptions=("the software is as good",), sources=("epoch-prices",),
    )  # fmt: skip


def cases() -> tuple[CaseAnswer, ...]:
    """A number that is wrong, and a truth that holds; the first is satire."""
    barge = CaseAnswer(
        name="barge-power",
        title={"en": "A floating cluster of 10,000 H100", "zh": "一万块 H100 的海上集群"},
        claim={"en": "The barge takes 100 MW.", "zh": "这艘驳船要用 100 兆瓦。"},
        article="article-ai-tax",
        ask={"inputs": {"servers": "1250", "power": "node dgx-h100 power"}, "steps": {"whole": "servers * power / 1e6"},
             "answer": "whole"},
        inputs=(
            Given("servers", 1250, ""),
            Given("power", 10_200.0, "W", 9_000.0, 10_200.0, "epoch-prices", "node dgx-h100 power"),
        ),
        results={"whole": 12.75, "deviation": -0.8725},
        answer=12.75, unit="MW", low=11.25, high=12.75, claimed=100.0, verdict="wrong",
        reason={"en": "About 13 MW, an eighth of the claim.", "zh": "约 13 兆瓦，是所说的八分之一。"},  # noqa: RUF001
        sources=("epoch-prices", "unheard-of"), notes=("satire: the barge never was",),
    )  # fmt: skip
    year = replace(
        barge, name="rule-date", title={"en": "The rule came in October 2023", "zh": "规则出自 2023 年 10 月"},
        claim={"en": "It came in October 2023.", "zh": "它出自 2023 年 10 月。"}, ask={}, inputs=(), results={},
        answer=True, unit="", low=None, high=None, claimed=None, verdict="holds", notes=(),
        reason={"en": "It did.", "zh": "属实。"}, sources=(), article="",
    )  # fmt: skip
    return (barge, year)


def price_rows() -> tuple[Price, ...]:
    """A rent, and a street price."""
    rent = Price("h100-sxm", "rent", "US", "2024-07-31", 2.1, 2.35, 2.9, unit="USD/chip-h", source="mercatus-2026",
                 confidence="high", note="", vat="excl")  # fmt: skip
    return (
        rent,
        replace(
            rent,
            kind="street",
            place="CN",
            low=None,
            mid=210_000.0,
            high=None,
            unit="CNY/chip",
            currency="CNY",
            rate=0.14,
            tax=0.13,
            vat="unknown",
        ),
    )


def readings() -> tuple[Reading, ...]:
    """One that holds for that day, one that is three months old."""
    rent, street = price_rows()
    return (
        Reading(Figure(2.35, "mercatus-2026", 2.1, 2.9), rent, 0.0, 12),
        Reading(Figure(30_000.0, "mercatus-2026", 22_000.0, 41_000.0), street, 7.9e6, 1),
    )
