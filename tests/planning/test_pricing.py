"""Time, money, energy and carbon of a run, from the estimate of a step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from exaplan.draws import Interval
from exaplan.errors import InputError
from exaplan.models.count import parameters
from exaplan.nouns import Figure, Layout
from exaplan.planning.failures import checkpoint_every, useful_share
from exaplan.planning.pricing import assess, memory_range, power_band, power_of, quotes_of, terms_of
from exaplan.planning.resolving import fill

from .asked import asked, drafted, priced_in, setting

LAYOUT = Layout(dp=8, tp=2, etp=2)


def test_terms_add_up() -> None:
    """The breakdown of an estimate sums to its step, the memory terms to its memory, and the range holds the step."""
    made, interval = assess(setting(), LAYOUT)
    assert sum(made.breakdown.values()) == pytest.approx(made.step_time)
    assert sum(made.memory_terms.values()) == pytest.approx(made.memory)
    assert interval.low < made.step_time < interval.high


def test_mfu_is_flops_over_peak() -> None:
    """MFU = model FLOPs / (step x peak x chips); 6 N D bounds the FLOPs of 8B parameters from below."""
    made, _ = assess(setting(), LAYOUT)
    assert made.mfu == pytest.approx(made.flops / (made.step_time * 989.4e12 * 16), rel=1e-3)
    assert 6 * 7.5e9 * 128 * 4096 < made.flops < 6 * 9.5e9 * 128 * 4096


def test_the_whole_run_follows_from_the_step() -> None:
    """time = step x steps / goodput; cost = rent x chips x time; energy = power x chips x time; carbon by the grid."""
    made = setting(cluster={"chip": "h100-sxm", "count": 16, "terms": "rent"})
    item = priced_in(made, LAYOUT)
    (rent,) = quotes_of(made)
    assert rent and item.time and item.energy and item.goodput
    steps = 10e9 / (4096 * 128)
    assert item.time == pytest.approx(item.estimate.step_time * steps / item.goodput)
    assert item.cost == pytest.approx(rent.rate * 16 * item.time)
    assert item.energy == pytest.approx(item.estimate.power * 16 * item.time)
    assert item.carbon == pytest.approx(item.energy * made.cluster.site.carbon)
    assert item.price_source == rent.figure.source
    for name in ("time", "cost", "energy", "carbon"):
        low, high = item.ranges[name]
        assert low < getattr(item, name) < high


@pytest.mark.parametrize("terms", ["rent", "buy", "any"])
def test_the_quoted_range_is_what_is_ranked(terms: str) -> None:
    """The upper end of cost_quoted is the cost at the upper end of the time; the span of prices lies around it."""
    made = setting(cluster={"chip": "h100-sxm", "count": 16, "terms": terms})
    item, draft = priced_in(made, LAYOUT), drafted(made, LAYOUT)
    low, high = item.ranges["cost_quoted"]
    assert draft.bill is not None and high == pytest.approx(draft.cost_high)
    assert low == pytest.approx(draft.bill.cost(item.ranges["time"][0])) and low < (item.cost or 0.0) < high
    assert item.ranges["cost"][0] < low and item.ranges["cost"][1] > high


def at_end(end: int, value: float, *factors: tuple[float, float]) -> float:
    """The lower (0) or upper (1) end of a product whose factors move from the first to the second of each pair."""
    swing = math.exp(math.hypot(*(math.log(moved / usual) for usual, moved in factors)))
    return value * swing if end else value / swing


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("terms", "tokens"), [("rent", "10B"), ("buy", "10B"), ("any", "10T"), ("any", "40T")])
def test_the_span_of_a_cost_by_hand(terms: str, tokens: str, end: int) -> None:
    """Time, and rent, or wear with interest, upkeep and electricity each at the ends of their sources, in logs; what is
    paid in full at once stands beside it at the ends of its price."""
    made = setting(cluster={"chip": "h100-sxm", "count": 16, "terms": terms},
                   work={"tokens": tokens, "seq_len": 4096, "global_batch": 128})  # fmt: skip
    wide = {"electricity": Figure(2e-8, "user", 1.5e-8, 4e-8), "carbon": Figure(1e-7, "user", 0.75e-7, 1.75e-7)}
    site = replace(made.cluster.site, electricity=2e-8, carbon=1e-7, figures=wide)
    made = replace(made, cluster=replace(made.cluster, site=site))
    item, draft = priced_in(made, LAYOUT), drafted(made, LAYOUT)
    bill, time, watts, band = draft.bill, item.time or 0.0, draft.watts or 0.0, power_band()[end]
    assert bill is not None and bill.quote.terms == (
        "buy" if tokens[-1] == "T" else "rent" if terms == "any" else terms
    )
    quote, span = bill.quote, (time, item.ranges["time"][end])
    assert item.ranges["energy"][end] == pytest.approx(at_end(end, watts * time, span, (1.0, band)))
    carbon = at_end(end, watts * time * 1e-7, span, (1.0, band), (1.0, (0.75, 1.75)[end]))
    assert item.ranges["carbon"][end] == pytest.approx(carbon)
    paid = watts * 2e-8 if quote.electric else 0.0
    swung = paid * band * (0.75, 2.0)[end]
    rate, moved = 16 * quote.rate + paid, 16 * (quote.low, quote.high)[end] + swung
    offer = next(offer for offer in item.offers if offer.terms == quote.terms)
    assert (offer.low, offer.high)[end] == pytest.approx(moved * time)
    once, prices = 0.0, (quote.least, quote.largest)
    if tokens[-1] == "T":
        rate, moved = 16 * quote.upkeep[0] + paid, 16 * quote.upkeep[1 + end] + swung
        again = time > quote.capital / quote.wear
        once = 0.0 if again else 16 * prices[end]
        if again:
            rate, moved = rate + 16 * quote.wear, moved + 16 * quote.wear * prices[end] / quote.capital
        assert again == (tokens == "40T")
    assert item.ranges["cost"][end] == pytest.approx(once + at_end(end, rate * time, span, (rate, moved)))


def test_without_tokens_only_a_step_is_answered() -> None:
    """No tokens and no steps: no time, cost or energy of a run, but goodput and memory."""
    item = priced_in(setting(work={"seq_len": 4096, "global_batch": 128}), LAYOUT)
    assert (item.time, item.cost, item.energy, item.carbon) == (None, None, None, None)
    assert set(item.ranges) == {"goodput", "memory"}


def test_an_unknown_rent_is_an_unknown_cost() -> None:
    """A chip without any known rent has a time, and no cost to rent: nothing is made up."""
    made = setting(cluster={"chip": "br100", "count": 16, "terms": "rent"})
    assert quotes_of(made) == ()
    item = priced_in(made, LAYOUT)
    assert item.time and item.cost is None and "cost" not in item.ranges and item.price_source == ""


def test_an_observation_recentres() -> None:
    """The asker's own step time is hit exactly for its layout, and scales any other one, with a narrower range."""
    plain, wide = assess(setting(), LAYOUT)
    seen = setting(layout={"dp": 8, "tp": 2, "pp": 1}, observed={"step_time": f"{2 * plain.step_time:.6f} s"})
    own = fill(seen, Layout(dp=8, tp=2, pp=1))
    made, narrow = assess(seen, own)
    assert made.step_time == pytest.approx(2 * plain.step_time, rel=1e-5)
    assert narrow.high / narrow.low < wide.high / wide.low
    other, _ = assess(seen, replace(own, dp=16, tp=1, etp=1))
    free = terms_of(seen.case, replace(own, dp=16, tp=1, etp=1)).total
    assert other.step_time == pytest.approx(2 * free, rel=1e-5)


def test_an_observation_needs_its_layout() -> None:
    """A step time without the layout it was measured with is refused, with the fields to give."""
    with pytest.raises(InputError, match="needs the layout") as caught:
        assess(setting(observed={"step_time": "2 s"}), LAYOUT)
    assert "layout.dp" in (caught.value.hint or "")


def test_power_lies_between_idle_and_rating() -> None:
    """Power at the meter: above the chip's idle share, at most the node's rating times the PUE."""
    made = setting()
    found = power_of(made, terms_of(made.case, LAYOUT))
    rating = (made.cluster.node.power or 0.0) / made.cluster.node.chips * made.cluster.site.pue
    assert 0.1 * 700 < found <= max(rating, 700 * made.cluster.site.pue) * 1.001


def test_goodput_of_llama_3_is_above_90_percent() -> None:
    """16,384 H100 trained 405B with more than 90% effective time in spite of 419 interruptions (arXiv:2407.21783)."""
    made = setting(model="llama-3.1-405b", work={"tokens": "1T", "seq_len": 8192, "global_batch": 2048},
                   cluster={"chip": "h100-sxm", "count": 16384})  # fmt: skip
    size = parameters(made.model)[0]
    value, (low, high) = useful_share(size, 16384)
    assert 0.9 < value < 0.97 and low < value < high < 1.0
    assert 60.0 < checkpoint_every(size, 16384) < 3600.0


def test_nodes_are_whole() -> None:
    """Ten chips fill two nodes of eight."""
    made = [drafted(setting(cluster={"chip": "h100-sxm", "count": n}), replace(LAYOUT, dp=n // 2)) for n in (8, 10, 16)]
    assert [item.option.nodes for item in made] == [1, 2, 2]


def test_memory_range_is_the_reserve() -> None:
    """The allocator may need no reserve, or twice of it."""
    made, _ = assess(setting(), LAYOUT)
    reserve = made.memory_terms["reserve"]
    assert memory_range(made) == Interval(made.memory - reserve, made.memory + reserve)


def test_an_ask_is_not_changed_by_its_answer() -> None:
    """Pricing twice gives the same figures."""
    made = setting()
    assert priced_in(made, LAYOUT) == priced_in(made, LAYOUT)
    assert asked().resolved() == made.ask.resolved()
