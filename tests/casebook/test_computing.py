"""Steps, ranges, changes and verdicts of a case, against what they are defined to be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.catalog import load
from exaplan.catalog.cases import Claim, claim
from exaplan.catalog.loader import parse_yaml
from exaplan.catalog.sheet import Sheet
from exaplan.errors import InputError
from exaplan.planning.casebook.computing import run, span
from exaplan.planning.casebook.values import Known, changed, entering, iso, kind_of
from exaplan.planning.casebook.wording import worded, write

CATALOG = load()
HERE = "user:made.yaml"


def made(inputs: str, steps: str, answer: str = "x", rules: str = "") -> Claim:
    """A user's case of these parts."""
    text = (
        f"name: made\ntitle: T\nclaim: C\ninputs: {{{inputs}}}\nsteps: {{{steps}}}\nanswer: {answer}\n"
        f"verdict:\n{rules}  - {{else: holds, because: so}}\n"
    )
    return claim(Sheet(parse_yaml(text, "made.yaml"), CATALOG.sources, HERE))


def known(case: Claim) -> dict[str, Known]:
    return {
        item.name: Known(item.name, kind_of(item.value), item.value, low=item.low, high=item.high)
        for item in case.inputs
    }


def test_deviations_add_in_quadrature() -> None:
    """A product of two inputs that may be 10% and 20% too high is too high by sqrt(ln(1.1)^2 + ln(1.2)^2)."""
    case = made("a: {value: 10, high: 11, unit: 1}, b: {value: 5, low: 4, high: 6, unit: 1}", "x: a * b")
    low, high = span(case, known(case))
    assert high == pytest.approx(50 * math.exp(math.hypot(math.log(1.1), math.log(1.2))))
    assert low == pytest.approx(50 * 4 / 5)


def test_a_range_over_zero_takes_the_corners() -> None:
    """Where the answer can be zero or negative logarithms end, and the corners of the inputs are the range."""
    case = made("a: {value: 3, low: 1, high: 5, unit: 1}, b: {value: 2, low: 1, high: 4, unit: 1}", "x: a - b")
    assert span(case, known(case)) == (-3, 4)


def test_without_ranges_there_is_none() -> None:
    """An answer of exact inputs, one that no range enters, and a text have no range."""
    assert span(*_both(made("a: {value: 3, unit: 1}", "x: 2 * a"))) == (None, None)
    assert span(*_both(made("a: {value: 3, unit: 1}, b: {value: 3, high: 4, unit: 1}", "x: 2 * a"))) == (None, None)
    assert span(*_both(made("a: {value: word, unit: 1}, b: {value: 3, high: 4, unit: 1}", "x: b", "a"))) == (None, None)


def test_a_range_that_cannot_be_computed_is_not_told() -> None:
    """Where an end of an input divides by zero no range is made up."""
    assert span(*_both(made("a: {value: 3, low: 0, unit: 1}", "x: 1 / a"))) == (None, None)


def _both(case: Claim) -> tuple[Claim, dict[str, Known]]:
    return case, known(case)


@settings(max_examples=60, deadline=None)
@given(
    a=st.floats(0.01, 1e6), b=st.floats(0.01, 1e6),
    up=st.floats(1.0, 3.0), down=st.floats(0.3, 1.0), power=st.integers(-3, 3),
)  # fmt: skip
def test_a_range_holds_its_answer(a: float, b: float, up: float, down: float, power: int) -> None:
    """The answer lies in its range, and a wider input never narrows it."""
    case = made("a: {value: 1, unit: 1}, b: {value: 1, unit: 1}", f"x: a ** {power} * b")

    def at(wide: float) -> tuple[float, float, float]:
        inputs = {
            "a": Known("a", "number", a, low=a * down**wide, high=a * up**wide),
            "b": Known("b", "number", b, low=b * down, high=b),
        }
        base = run(case, entering(inputs.values()))["x"]
        low, high = span(case, inputs)
        return base, base if low is None else low, base if high is None else high

    (base, low, high), (_, lower, higher) = at(1.0), at(2.0)
    assert low <= base * (1 + 1e-9)
    assert high >= base * (1 - 1e-9)
    assert lower <= low * (1 + 1e-9)
    assert higher >= high * (1 - 1e-9)


def test_ends_have_names() -> None:
    """`a.low` and `a.high` are the ends of an input, its value where none is told."""
    values = entering([Known("a", "number", 5.0, low=4.0), Known("d", "date", "2024-01-31")])
    assert (values["a.low"], values["a"], values["a.high"]) == (4.0, 5.0, 5.0)
    assert iso(values["d"]) == "2024-01-31"


def test_changes_keep_the_distance_of_the_ends() -> None:
    """Twice the value has twice the ends; a negative factor swaps them; from zero no ends follow."""
    from exaplan.errors import Place

    item = Known("a", "number", 10.0, low=8.0, high=15.0)
    twice, turned = changed(item, 20, Place()), changed(item, -10, Place())
    assert (twice.low, twice.value, twice.high) == (16.0, 20.0, 30.0)
    assert (turned.low, turned.value, turned.high) == (-15.0, -10.0, -8.0)
    assert changed(Known("z", "number", 0.0, high=1.0), 5, Place()).high is None
    assert changed(item, None, Place()).kind == "unknown"


@pytest.mark.parametrize(
    ("kind", "value", "new"),
    [("number", 1.0, "much"), ("date", "2024-01-31", 5), ("text", "word", 5), ("truth", True, "yes")],
)
def test_changes_are_of_the_same_kind(kind: str, value: Any, new: Any) -> None:
    """A number is changed to a number, a date to a date: anything else is refused with an example."""
    from exaplan.errors import Place

    with pytest.raises(InputError, match=f"`a` is a {kind}"):
        changed(Known("a", kind, value), new, Place("made.yaml", 4))


def test_text_takes_a_date() -> None:
    """A text may become a date-like text."""
    from exaplan.errors import Place

    assert changed(Known("a", "text", "word"), "2024-01-31", Place()).value == "2024-01-31"


@pytest.mark.parametrize("days", [0, 1e12])
def test_days_beyond_the_calendar_are_refused(days: float) -> None:
    """A count of days that is no date is an error, not a crash."""
    with pytest.raises(InputError, match="no date"):
        iso(days)


def test_reasons_are_filled() -> None:
    """Numbers by their form, with a factor, dates as ISO, words in the reader's language, unknowns as a mark."""
    values = {"a": 1234.5, "d": 738916.0, "v": "licence", "u": None, "t": True}
    text = "{a:,.0f} {a*1e-3:.1f} {a} {d} {v} {u} {t}"
    assert worded(text, values, {"d"}, "zh") == "1,234 1.2 1,234 2024-01-31 须申请许可证 ? true"
    assert write(0.125, ".0%") == "12%"


def test_the_first_rule_that_holds_decides() -> None:
    """Rules are tried in order; one whose test is unknown does not hold."""
    rules = "  - {if: a > 5, then: wrong, because: high}\n  - {if: a > 2, then: garbled, because: middle}\n"
    case = made("a: {value: 3, unit: 1}", "x: a", "x", rules)
    from exaplan.planning.casebook.computing import rule_on

    assert rule_on(case, {"a": 9.0}, ())[0] == "wrong"
    assert rule_on(case, {"a": 3.0}, ()) == ("garbled", {"en": "middle", "zh": "middle"})
    assert rule_on(case, {"a": None}, ())[0] == "holds"
