"""What an answer says in sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_answers import NEAREST, OFFERS, answer, decided

from exaplan.answers import Answer, Relief
from exaplan.catalog import Catalog, load
from exaplan.report import screen, tables, told
from exaplan.report.words import speaking


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


@pytest.fixture
def made(catalog: Catalog) -> Answer:
    """An answer for which chips and counts were open."""
    return decided(catalog)


def with_best(made: Answer, **fields: Any) -> Answer:
    """The answer with other fields of its best plan."""
    best, *rest = made.estimates
    return replace(made, estimates=(replace(best, **fields), *rest))


def test_the_decision_is_one_sentence(made: Answer) -> None:
    """What to take, for how long, for how much, what it trains, and what binds: with both upper ends."""
    assert told.headline(made) == (
        "Rent 128 h100-sxm (16 hgx-h100) for 30.8 d (upper end 35.9 d), about $900k (upper end $1.05M), training 1T "
        "tokens; money binds: +10% gives 27.8 d instead of 30.8 d."
    )


def test_a_purchase_says_what_is_paid_up_front(made: Answer) -> None:
    """The capital stands beside what the run costs: the whole purchase, or under terms of buying its share of it."""
    ends = {"cost_quoted": (5.1e6, 5.4e6), "cost": (4e6, 7e6)}
    sentence = told.headline(with_best(made, terms="buy", capital=4.9e6, cost=5.2e6, ranges=ends))
    assert sentence.startswith("Buy 128 h100-sxm (16 hgx-h100, $4.9M up front) and run them for 30.8 d")
    assert "about $5.2M (upper end $5.4M) for the whole purchase and electricity," in sentence
    asked = {**made.ask, "cluster": {"chip": "h100-sxm", "terms": "buy"}}
    sentence = told.headline(replace(with_best(made, terms="buy", capital=4.9e6, cost=1.2e6), ask=asked))
    assert "about $1.2M (upper end $1.05M) for this run's share of the purchase and electricity," in sentence


def test_a_limit_that_was_not_checked_stands_in_the_sentence(made: Answer, catalog: Catalog) -> None:
    """An unchecked budget is said with the decision, and alone where there is none; other warnings are not."""
    mind = ("the limit on money was not checked: cost is unknown", "the batch is large")
    sentence = told.headline(replace(with_best(made, cost=None), warnings=mind))
    assert sentence.endswith("instead of 30.8 d; the limit on money was not checked: cost is unknown.")
    alone = told.headline(replace(with_best(made, time=None), warnings=mind))
    assert alone == "The limit on money was not checked: cost is unknown."


def test_the_sentence_gives_what_was_to_be_small(made: Answer) -> None:
    """Energy in watt-hours or carbon in tonnes, and the place where several were asked."""
    ranges = {**made.estimates[0].ranges, "energy": (2.5e11, 3.6e11), "carbon": (2.6e4, 4.0e4)}
    asked = {**made.ask, "cluster": {"chip": "h100-sxm", "site": ["us-average", "france"]}}
    many = replace(with_best(made, ranges=ranges), ask=asked)
    sentence = told.headline(replace(many, objective="carbon"))
    assert "(upper end 35.9 d) in us-average, about" in sentence
    assert "causing 31 t (upper end 40 t) of CO2e, training" in sentence
    assert "using 83.3 MWh (upper end 100 MWh) of electricity" in told.headline(replace(many, objective="energy"))
    assert "CO2e" not in told.headline(many) + told.headline(replace(with_best(many, carbon=None), objective="carbon"))


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"terms": "own"}, "Use your 128 h100-sxm"),
        ({"terms": "", "cost": None}, "Run on 128 h100-sxm"),
        ({"terms": "buy", "capital": None}, "Run on 128 h100-sxm"),
    ],
)
def test_each_way_to_pay_has_its_verb(made: Answer, fields: dict[str, Any], start: str) -> None:
    """Own chips are used; without a price nobody is told to rent or buy."""
    sentence = told.headline(with_best(made, **fields))
    assert sentence.startswith(start)
    assert ("$900k" in sentence) == ("cost" not in fields)


def test_a_given_cluster_is_told_how_to_be_used(catalog: Catalog) -> None:
    """Nobody asked what to buy: the layout, and what the run costs by each way to pay."""
    made = answer(catalog)
    sentence = told.headline(with_best(made, terms="rent", offers=OFFERS))
    assert sentence.startswith("Run on 64 h100-sxm (8 hgx-h100) as dp 8 tp 8 pp 1 for 57.9 d (upper end 69.4 d), about")
    assert "about $250k (upper end $300k) if rented or $1.2M if bought and written off" in sentence
    asked = {**made.ask, "cluster": {"chip": "h100-sxm", "count": 64, "terms": "rent"}}
    assert told.headline(replace(with_best(made, terms="rent"), ask=asked)).startswith("Rent 64 h100-sxm")


def test_a_single_step_has_no_sentence(made: Answer) -> None:
    """Without a length of the run there is nothing to decide."""
    assert told.headline(with_best(made, time=None)) == ""
    assert told.headline(replace(made, estimates=())) == ""


def test_the_most_valuable_relief_is_told(made: Answer) -> None:
    """Of two binding limits the sentence names both, and the step that gains more."""
    both = (Relief("money", "+10%", 100.0, 95.0), Relief("memory", "+10%", 100.0, 80.0))
    sentence = told.headline(replace(made, binding=("money", "memory"), relief=both))
    assert "money and memory bind: memory +10% gives" in sentence


def test_relief_that_gains_nothing_is_not_promised(made: Answer) -> None:
    """A limit may bind though one step more of it brings nothing."""
    none = (Relief("money", "+10%", 100.0, 99.9),)
    assert told.headline(replace(made, relief=none)).endswith("money binds.")
    assert told.relief_line(made, none[0]).endswith("(no gain)")
    assert told.headline(replace(made, binding=())).endswith("training 1T tokens.")


def test_relief_speaks_of_the_objective(made: Answer) -> None:
    """Time, money or tokens; more tokens are a gain, more time is none."""
    step = Relief("money", "+10%", 2e12, 2.2e12)
    ask = {**made.ask, "work": {"seq_len": 8192, "global_batch": 1024}}
    most = replace(made, ask=ask, objective="throughput")
    assert told.relief_line(most, step) == "money +10%: 2T -> 2.2T (10.0% better)"
    given = replace(made, objective="throughput")
    assert told.relief_line(given, Relief("chips", "x 2", 1e6, 2e6)) == "chips x 2: 1M/s -> 2M/s (100.0% better)"
    cheap = replace(made, objective="cost")
    assert told.relief_line(cheap, Relief("power", "+10%", 1e6, 9e5)) == "power +10%: $1M -> $900k (10.0% better)"
    unpriced = with_best(cheap, cost=None)
    assert told.relief_line(unpriced, Relief("power", "+10%", 86400.0, 43200.0)).startswith("power +10%: 1 d -> 12 h")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (-0.042, "predicted 4% too fast there"),
        (0.11, "predicted 11% too slow there"),
        (0.001, "predicted right there"),
        (0.012, "predicted 1.2% too slow there"),
        (None, "not scored there"),
    ],
)
def test_the_nearest_run_says_its_error(made: Answer, error: float | None, words: str) -> None:
    """A predicted step that is too short is too fast; an unscored run says so."""
    best = replace(made.estimates[0], nearest=replace(NEAREST, error=error))
    assert list(told.nearest_lines(best))[-1].startswith(words)


def test_the_nearest_run_says_what_differs(made: Answer) -> None:
    """Its distance, its row and source, and both values of each difference."""
    first, second, _ = told.nearest_lines(made.estimates[0])
    assert first == "MPT-30B on 256 H100, 1.3 doublings away (row T-12, llm-foundry)"
    assert "chips 128 (256), model small (mpt-30b)" in second
    alike = replace(made.estimates[0], nearest=replace(NEAREST, differs={}, title=""))
    lines = list(told.nearest_lines(alike))
    assert len(lines) == 2 and lines[0].startswith("T-12, ")
    assert not list(told.nearest_lines(replace(made.estimates[0], nearest=None)))


def test_the_work_says_how_long_it_is(catalog: Catalog) -> None:
    """Tokens, steps, as much as the limits allow, or one step only."""
    made = answer(catalog)
    work = {key: value for key, value in made.ask["work"].items() if key != "tokens"}
    open_run = replace(made, ask={**made.ask, "work": work})
    assert told.work_line(made).endswith("; 1T tokens")
    assert told.work_line(replace(open_run, ask={"work": work | {"steps": 5000}})).endswith("; 5,000 steps")
    assert told.work_line(replace(open_run, objective="throughput")).endswith(
        "as many tokens as the limits leave room for"
    )
    assert told.work_line(open_run).endswith("one step only")
    assert told.work_line(replace(made, ask={})).startswith("full training, ?, batch ? x ? tokens")


def test_another_chip_is_told_first_and_once(made: Answer) -> None:
    """That not the asked chip is planned stands under the title, not again among the warnings or assumptions."""
    text = "NOT THE ASKED CHIP: b200: law: would be denied"
    for changed in (replace(made, warnings=(text, "mind this")), replace(made, assumptions=(text,))):
        drawn = screen.draw(tables.plan_view(changed))
        assert drawn.count(text) == 1 and text in drawn.splitlines()[3]
        assert told.swapped(changed) == [text]
    assert told.minded(replace(made, warnings=(text, "mind this"))) == ["mind this"]


def test_a_plan_in_chinese_names_what_it_was_ranked_by(made: Answer) -> None:
    """The objective, the limits and the reasons of what was rejected are words of that language, without its spaces."""
    changed = replace(made, rejected={"batch does not divide over dp": 12}, considered=7, binding=("memory", "chips"))
    with speaking("zh"):
        drawn = screen.draw(tables.plan_view(changed))
    assert "按时间由优到劣" in drawn and "12 批量不整除 dp" in drawn
    assert " 和" not in drawn and "divide" not in drawn
