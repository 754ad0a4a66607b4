"""The little language of tests and formulas: what it computes, what it refuses, and that nothing crashes it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.errors import InputError, Place
from exaplan.expressions import day, parse

NAMES = ("a", "b", "place", "flag", "group", "case.cost")
TRUTH = st.sampled_from([True, False, None])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4 ** 2 / 8 - 1", 7.0),
        ("-(2 ** 3)", -8.0),
        ("min(a, 2, 3) + max(a, 2) + abs(-1)", 4.0),
        ("round(exp(log(8)) + sqrt(4), 3)", 10.0),
        ("round(2.6)", 3.0),
        ("round(2.6, 10 ** 300)", 2.6),
        ("round(2.6, -(10 ** 300))", 0.0),
        ("1 < 2 <= 2 != 3", True),
        ("a == 1 and not flag or false", True),
        ("place in ['CN', 'HK'] and 'US' not in ['CN']", True),
        ("place in group", True),
        ("case.cost * 2", 20.0),
        ("date('2023-11-17') - date('2023-10-17')", 31.0),
        ("'x' == 'x' and place != 'US'", True),
        ("'text'", "text"),
        ("unknown", None),
    ],
)
def test_values(text: str, value: object) -> None:
    """Arithmetic, comparisons (chained), logic, lists, functions and days are computed as written."""
    values = {"a": 1.0, "place": "CN", "flag": False, "group": frozenset({"CN"}), "case.cost": 10.0}
    assert parse(text, NAMES)(values) == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("text", ["a + 1", "a < 1", "abs(a)", "-a", "not flag", "1 < a < 2", "a in group", "max(1, a)"])
def test_an_unknown_value_stays_unknown(text: str) -> None:
    """What is computed from an unknown is unknown, whether it is None or left out."""
    assert parse(text, NAMES)({"a": None}) is None
    assert parse(text, NAMES)() is None


@given(TRUTH, TRUTH)
def test_logic_is_kleenes(left: bool | None, right: bool | None) -> None:
    """and = the lesser, or = the greater of false < unknown < true; De Morgan holds."""
    rank = {False: 0, None: 1, True: 2}
    values = {"a": left, "b": right}
    both, either = parse("a and b", NAMES)(values), parse("a or b", NAMES)(values)
    assert rank[both] == min(rank[left], rank[right])  # type: ignore[index]
    assert rank[either] == max(rank[left], rank[right])  # type: ignore[index]
    assert parse("not (a and b)", NAMES)(values) == parse("not a or not b", NAMES)(values)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("1 +", "cannot be read"),
        ("1or 2", "cannot be read"),
        ("(" * 300 + "1" + ")" * 300, "cannot be read"),
        ("-" * 1500 + "1", "nested deeper"),
        ("+".join(["1"] * 300), "nested deeper"),
        ("1" * 2001, "characters"),
        ("9" * 1000, "too large"),
        ("1e999", "too large"),
        ("'a\\n'", "backslash"),
        ("__import__('os')", "not part of the language"),
        ("a.b.c", "unknown name `a.b.c`"),
        ("a" + ".b" * 990, "unknown name"),
        ("a" + "()" * 900, "not part of the language"),
        ("not " * 490 + "flag", "nested deeper"),
        ("aa", "unknown name `aa`"),
        ("(1).real", "not part of the language"),
        ("[x for x in group]", "not part of the language"),
        ("lambda: 1", "not part of the language"),
        ("f'{a}'", "not part of the language"),
        ("a if flag else b", "not part of the language"),
        ("a is b", "not part of the language"),
        ("a[0]", "not part of the language"),
        ("a // 2", "not part of the language"),
        ("~a", "not part of the language"),
        ("1j", "not part of the language"),
        ("True", "not part of the language"),
        ("min(a, key=b)", "not part of the language"),
        ("abs(1, 2)", "takes 1 to 1"),
        ("[a, 1]", "a list holds only"),
        ("date('2023-13-01')", "not a date"),
        ("date(a)", "not a date"),
    ],
)
def test_what_is_not_of_the_language_is_refused_at_reading(text: str, problem: str) -> None:
    """Each refusal names the problem and a remedy, and never runs anything."""
    with pytest.raises(InputError) as caught:
        parse(text, NAMES)
    assert problem in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / (a - 1)", "division by zero"),
        ("a / 0", "division by zero"),
        ("10 ** 400", "too large"),
        ("exp(1000 * a)", "too large"),
        ("(-1) ** 0.5", "root of a negative"),
        ("sqrt(-a)", "sqrt(-a)"),
        ("log(0)", "log(0)"),
        ("place + 1", "'CN' is not a number"),
        ("-place", "is not a number"),
        ("flag + 1", "false is not a number"),
        ("a < place", "cannot be compared"),
        ("flag < flag", "has no order"),
        ("group < group", "has no order"),
        ("'CN' <= a", "cannot be compared"),
        ("flag == 1", "cannot be compared"),
        ("a + 1 == place", "cannot be compared"),
        ("a in place", "is not a list"),
        ("not a", "neither true nor false"),
        ("a and flag", "neither true nor false"),
        ("flag or a", "neither true nor false"),
        ("abs(place)", "is not a number"),
    ],
)
def test_what_cannot_be_computed_names_the_expression_and_the_position(text: str, problem: str) -> None:
    """A value that does not fit is an InputError with the expression, never a crash of Python."""
    values = {"a": 1.0, "place": "CN", "flag": False, "group": frozenset({"CN"})}
    with pytest.raises(InputError) as caught:
        parse(text, NAMES, place=Place("rule.yaml", 3))(values)
    assert problem in caught.value.problem and f"`{text}` at character" in caught.value.problem
    assert "rule.yaml:3" in str(caught.value)


def test_the_longest_text_is_read() -> None:
    """2000 characters are read, 2001 are refused."""
    assert parse("'" + "x" * 1998 + "'", NAMES)() == "x" * 1998
    with pytest.raises(InputError, match="2001 characters"):
        parse("'" + "x" * 1999 + "'", NAMES)


def test_the_position_counts_characters() -> None:
    """A name after text outside of ASCII is placed by characters, not bytes."""
    with pytest.raises(InputError, match="at character 9"):
        parse("'\u516c\u6d77' == bb", NAMES)


def test_the_nearest_name_is_offered() -> None:
    """A misspelt name gets the name that was meant."""
    with pytest.raises(InputError) as caught:
        parse("plase == 'CN'", NAMES)
    assert caught.value.hint == "did you mean `place`?"


def test_constants_are_put_in_and_shown() -> None:
    """Named numbers of a rule are replaced at once, in the value and in the shown text."""
    found = parse("a >= limit and place in here", NAMES, constants={"limit": 4800, "here": frozenset({"CN"})})
    assert found({"a": 4800.0, "place": "CN"}) is True
    assert found.shown == "a >= 4800 and place in here"
    assert found.names == {"a", "place"}
    assert (
        parse("place == 'limit' and a < limit", NAMES, constants={"limit": 0.5}).shown == "place == 'limit' and a < 0.5"
    )


def test_turns_are_where_comparisons_change() -> None:
    """Linear comparisons are solved for one name; others are left out."""
    found = parse("a >= 1400 or b >= 1100 or a + b >= 1700 or a * a >= 5 or place == 'CN'", NAMES)
    assert found.turns("b", {"a": 820.0}) == pytest.approx((880.0, 1100.0))
    assert found.turns("a", {"b": 100.0}) == pytest.approx((1400.0, 1600.0))
    assert found.turns("place", {}) == ()
    assert parse("1 / a > 2", NAMES).turns("a", {}) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a < 1", "truth"), ("flag and a < 1", "truth"), ("not flag", "truth"), ("true", "truth"), ("flag", "name"),
        ("a", "name"), ("a + 1", "value"), ("limit", "value"), ("'text'", "value"), ("-a", "value"),
        ("max(a, b)", "value"),
    ],
)  # fmt: skip
def test_the_kind_tells_tests_from_values(text: str, kind: str) -> None:
    """What comes to true or false is told apart from numbers and text, so that a rule can refuse the latter."""
    assert parse(text, NAMES, constants={"limit": 4800}).kind == kind


def test_days_count_days() -> None:
    """`day` and date() agree."""
    assert parse("date('2024-03-01')", NAMES)() == day("2024-03-01") == day("2024-02-28") + 2


@given(st.text(alphabet="ab1.+-*/()<>=' andotri[],", max_size=40))
def test_no_text_crashes_the_reader(text: str) -> None:
    """Whatever is written is either computed or refused with an InputError."""
    try:
        value = parse(text, NAMES)({"a": 1.0, "b": 2.0, "place": "CN", "flag": True, "group": frozenset()})
    except InputError:
        return
    assert not isinstance(value, float) or math.isfinite(value)
