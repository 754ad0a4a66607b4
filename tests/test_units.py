"""Quantities as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan import units
from exaplan.errors import InputError, Place
from exaplan.units import DIMENSIONS, parse, show

READ = [
    ("80 GiB", "bytes", 80 * 2**30),
    ("80 GB", "bytes", 80e9),
    ("0.5 TiB", "bytes", 2**39),
    ("900 GB/s", "bandwidth", 900e9),
    ("400 Gb/s", "bandwidth", 50e9),
    ("400Gbps", "bandwidth", 50e9),
    ("1e25 FLOP", "flops", 1e25),
    ("989 TFLOP/s", "rate", 989e12),
    ("3.2 kW", "power", 3200.0),
    ("1 MWh", "energy", 3.6e9),
    ("2.5 GJ", "energy", 2.5e9),
    ("90 d", "time", 7_776_000.0),
    ("30 min", "time", 1800.0),
    ("4.1 s", "time", 4.1),
    ("4.1ms", "time", 0.0041),
    ("7 us", "time", 7e-6),
    ("7 µs", "time", 7e-6),
    ("$129k", "money", 129e3),
    ("$2M", "money", 2e6),
    ("1.5 USD", "money", 1.5),
    ("2 million USD", "money", 2e6),
    ("US$ 3.5bn", "money", 3.5e9),
    ("814 mm2", "area", 814e-6),
    ("814 mm²", "area", 814e-6),
    ("1T", "tokens", 1e12),
    ("15T tokens", "tokens", 15e12),
    ("15.6 trillion tokens", "tokens", 15.6e12),
    ("1e12", "tokens", 1e12),
    (1e12, "tokens", 1e12),
    ("16,384", "count", 16384),
    ("16_384", "count", 16384),
    (16384, "count", 16384),
    ("1.1", "ratio", 1.1),
    ("85%", "ratio", 0.85),
    ("0.4 kg/kWh", "carbon", 0.4 / 3.6e6),
    ("400 g CO2e/kWh", "carbon", 0.4 / 3.6e6),
    ("120 t", "mass", 120e3),
    ("$0.08/kWh", "price_energy", 0.08 / 3.6e6),
    ("80 USD / MWh", "price_energy", 80 / 3.6e9),
    ("$2.35/h", "price_time", 2.35 / 3600),
    ("$2.35/GPU-hour", "price_time", 2.35 / 3600),
]


@pytest.mark.parametrize(("text", "dimension", "value"), READ)
def test_what_people_write_is_read(text: object, dimension: str, value: float) -> None:
    """Each accepted spelling means the SI value that it says."""
    assert parse(text, dimension) == pytest.approx(value, rel=1e-15)


REFUSED = [
    (80, "bytes", "80 has no unit, and cluster.x needs one (bytes)"),
    ("3600", "time", "has no unit"),
    ("nan s", "time", "not a finite number"),
    (math.nan, "ratio", "not a finite number"),
    (math.inf, "tokens", "not a finite number"),
    ("-inf", "ratio", "not a finite number"),
    ("1e9999 s", "time", "is too large"),
    ("-3 s", "time", "is negative"),
    (-1, "count", "is negative"),
    ("3 W", "bytes", "'W' is not a unit of bytes (it is a unit of power)"),
    ("80 GB", "time", "'GB' is not a unit of time (it is a unit of bytes)"),
    ("80 Gb", "bytes", "did you mean GB?"),
    ("80 gb", "bytes", "did you mean GB?"),
    ("16k", "count", "write the whole number out"),
    (1.5, "count", "is not a whole number"),
    ("1,5 kW", "power", "commas only between thousands"),
    ("1.2.3 s", "time", "does not start with a number"),
    ("s", "time", "does not start with a number"),
    ("", "time", "time expected, got nothing"),
    (None, "time", "time expected, got nothing"),
    (True, "count", "count expected, got True"),
    (["1 s"], "time", "time expected, got"),
    ("9" * 500, "count", "a text of 500 characters"),
    ("2M", "money", "has no currency"),
    (500, "money", "has no currency"),
    ("¥3.5M", "money", "'¥3.5M' is in CNY or JPY, and no exchange rate is given"),
    ("3 EUR", "money", "is in EUR"),
    ("__import__('os')", "time", "does not start with a number"),
]


@pytest.mark.parametrize(("text", "dimension", "said"), REFUSED)
def test_what_cannot_be_meant_is_refused(text: object, dimension: str, said: str) -> None:
    """Each refusal names the field, says what is wrong, and shows an example of that dimension."""
    with pytest.raises(InputError) as caught:
        parse(text, dimension, Place("a.yaml", 3, 5, "cluster.x"))
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.yaml:3:5: cluster.x: ")
    assert DIMENSIONS[dimension].example in caught.value.hint or "comma" in said or "16,384" in caught.value.hint


def test_another_currency_needs_its_rate() -> None:
    """Yuan are read where a rate is given, and an ambiguous sign stays refused."""
    assert parse("¥3.5M", "money", rates={"CNY": 0.14}) == pytest.approx(490e3)
    assert parse("3.5M CNY", "money", rates={"CNY": 0.14}) == pytest.approx(490e3)
    with pytest.raises(InputError, match="no exchange rate"):
        parse("¥3.5M", "money", rates={"CNY": 0.14, "JPY": 0.0067})


SHOWN = [
    (80e9, "bytes", "80 GB"),
    (0.0, "bytes", "0 B"),
    (999.96e9, "bytes", "1000 GB"),
    (989.4e12, "rate", "989.4 TFLOP/s"),
    (3.8e25, "flops", "3.8e25 FLOP"),
    (4.1, "time", "4.1 s"),
    (54 * 86400, "time", "54 d"),
    (129e3, "money", "$129k"),
    (16384, "count", "16,384"),
    (12345.6, "ratio", "12,350"),
    (2.35 / 3600, "price_time", "$2.35/h"),
    (814e-6, "area", "814 mm2"),
    (None, "power", "unknown"),
]


@pytest.mark.parametrize(("value", "dimension", "text"), SHOWN)
def test_values_are_shown_as_people_write_them(value: float | None, dimension: str, text: str) -> None:
    """``show`` picks the prefix that a person would."""
    assert show(value, dimension) == text


@given(
    value=st.floats(min_value=1e-6, max_value=1e24, allow_subnormal=False),
    dimension=st.sampled_from(sorted(set(DIMENSIONS) - {"count"})),
)
def test_what_is_shown_reads_back(value: float, dimension: str) -> None:
    """parse(show(value)) is the value, in every dimension and size."""
    assert parse(show(value, dimension, digits=17), dimension) == pytest.approx(value, rel=1e-14)
    assert parse(show(value, dimension), dimension) == pytest.approx(value, rel=6e-4)


@given(st.integers(min_value=0, max_value=10**12))
def test_counts_read_back_exactly(value: int) -> None:
    """A count is never rounded."""
    assert parse(show(value, "count"), "count") == value


@given(text=st.text(max_size=40), dimension=st.sampled_from(sorted(DIMENSIONS)))
def test_any_text_is_a_finite_value_or_an_input_error(text: str, dimension: str) -> None:
    """No text can crash the parser or slip through as a negative or infinite value."""
    try:
        value = parse(text, dimension)
    except InputError:
        return
    assert math.isfinite(value) and value >= 0


@given(
    number=st.decimals(min_value=0, max_value=10**6, places=3),
    dimension=st.sampled_from(sorted(DIMENSIONS)),
    other=st.sampled_from(sorted(DIMENSIONS)),
    data=st.data(),
)
def test_a_unit_counts_only_in_its_own_dimension(
    number: object, dimension: str, other: str, data: st.DataObject
) -> None:
    """A unit that a dimension does not list is refused there, however it is spelled elsewhere."""
    unit = data.draw(st.sampled_from(sorted(units.units(dimension))))
    if unit in units.units(other) or DIMENSIONS[other].dollar:
        return
    with pytest.raises(InputError):
        parse(f"{number}{unit}", other)


def test_every_dimension_reads_its_own_example_and_ladder() -> None:
    """Examples in messages are valid, and ``show`` only uses units that ``parse`` knows."""
    for dimension in DIMENSIONS.values():
        for example in dimension.example.replace(" or ", ", ").split(", "):
            assert parse(example, dimension.name) > 0
        assert set(dimension.ladder) <= set(units.units(dimension.name))
