"""Answers made by hand, with round numbers, for tests of what is shown (never of what is right)."""

from __future__ import annotations

from dataclasses import replace

from exaplan.answers import Answer, Priced, Relief, Score, Scored, Validation
from exaplan.ask import parse
from exaplan.catalog import Catalog
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Estimate, Layout

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
    ranges = {"time": (4.0e6, 6.0e6), "cost": (2.0e5, 3.0e5)}
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
