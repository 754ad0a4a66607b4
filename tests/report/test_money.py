"""What is shown of prices, of the AI tax, of owning and making: tables, JSON, charts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from made_answers import decided, made_chip, owned, price_rows, readings, side, tax
from rich.cells import cell_len

from exaplan.answers import Offer
from exaplan.answers.owning import Item
from exaplan.answers.tax import PARTS, Tax, TaxSide
from exaplan.catalog import Catalog, load
from exaplan.errors import InputError
from exaplan.report import money, schemas, screen, to_json
from exaplan.report.money.charts import charts
from exaplan.report.money.taxes import plot, sentence, waterfall
from exaplan.report.sheets import offers_sheet, paid_for, parts_text
from exaplan.report.words import speaking, words

Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


@pytest.fixture(scope="module")
def made(catalog: Catalog) -> Tax:
    """A tax by purchase, none by rent, with a series."""
    return tax(catalog)


def written(value: Any) -> Any:
    """JSON as it comes back from a file."""
    return json.loads(to_json.text(value))


# ------------------------------------------------------------------------------------------------------ tax


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_tax_is_drawn(language: str, made: Tax, catalog: Catalog, golden: Golden) -> None:
    """The sentence, the steps, both plans, break-even, the series drawn and as a table, within the screen."""
    with speaking(language):
        told = screen.draw(money.tax_view(made, catalog))
    golden("made_tax.txt" if language == "en" else "made_tax_zh.txt", told)
    assert max(map(cell_len, told.splitlines())) <= screen.WIDTH


def test_the_steps_of_a_tax_add_up(catalog: Catalog) -> None:
    """Reference plus every part is the local cost; what no part explains is its own row."""
    found = side(catalog)
    rows = [[str(cell) for cell in row] for row in waterfall(found)]
    assert [row[1] for row in rows] == ["100%", "+25%", "+20%", "+10%", "-5%", "150%"]
    assert rows[-1][3] == "$1.5M" and rows[-2][3] == rows[-1][3]
    unexplained = waterfall(replace(found, tax=0.6))
    assert [str(row[1]) for row in unexplained][-2:] == ["+10%", "160%"] and len(unexplained) == len(rows) + 1
    assert [str(row[0]) for row in unexplained][-2] == "rest"
    unknown = waterfall(replace(found, parts={"price": 0.5}))
    assert [str(row[-1]) for row in unknown].count("not known") == len(PARTS) - 1


def test_a_tax_is_a_sentence(catalog: Catalog) -> None:
    """Dearer, cheaper, and why there is none; the largest words are the number and its range."""
    found = side(catalog)
    assert sentence(found).startswith("bought: the same work costs 50% more (80% range +30% to +80%): ")
    cheaper = replace(found, tax=-0.1, low=None, high=None, parts={})
    assert sentence(cheaper) == "bought: the same work costs 10% less."
    assert sentence(TaxSide("rent", None, why="no rent is known")).endswith("no tax can be told: no rent is known.")


def test_the_json_of_a_tax_has_the_keys_of_the_contract(made: Tax, catalog: Catalog) -> None:
    """The published schema accepts it and requires each promised key; the headline's figures stand at the top."""
    document, schema = written(money.tax_json(made, catalog)), schemas.schema("tax")
    jsonschema.validate(document, schema)
    for key in ("tax", "parts", "reference", "local", "break_even", "range", "sides", "series", "advice"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: document[other] for other in document if other != key}, schema)
    assert document["parts"] == {"price": 0.2, "capability": 0.25, "duties": 0.1, "quantity": -0.05}
    assert sum(document["parts"].values()) == pytest.approx(document["tax"])
    assert document["range"] == [0.3, 0.8] and document["terms"] == "buy"
    assert document["local"]["cost"] / document["reference"]["cost"] - 1 == pytest.approx(document["tax"])
    assert document["sides"]["rent"] == document["sides"]["rent"] | {"tax": None, "why": "no rent is known in CN"}
    assert [point["on"] for point in document["series"]] == ["2023-10-01", "2024-01-01", "2024-04-01"]
    assert document["series"][2]["sides"]["rent"]["tax"] == -0.1
    assert {"epoch-prices"} <= document["provenance"]["sources"].keys()


def test_a_tax_without_any_plan_is_still_an_answer(made: Tax, catalog: Catalog) -> None:
    """No side has a number: null everywhere, and the reason is told."""
    none = replace(made, sides={"buy": TaxSide("buy", None, why="no price is known")}, series=())
    document = written(money.tax_json(none, catalog))
    jsonschema.validate(document, schemas.schema("tax"))
    assert document["tax"] is None and document["reference"] is None
    assert "no tax can be told: no price is known" in screen.draw(money.tax_view(none, catalog))


def test_the_series_is_drawn_with_its_days(made: Tax) -> None:
    """One letter for each way to pay at its height; too few days are not drawn."""
    lines = plot(made.series, ["buy", "rent"])
    assert lines[0].startswith("   +50% ┤") and lines[0].count("B") == 2
    assert any("R" in line and line.startswith("   -10% ┤") for line in lines)
    assert "2023-10-01" in lines[-2] and "2024-04-01" in lines[-2]
    assert plot(made.series[:1], ["buy"]) == []


def test_charts_of_a_tax_are_its_numbers(made: Tax) -> None:
    """The waterfall ends at the local cost; the series has a point for each day and way to pay that has a number."""
    found = charts(made)
    assert list(found) == ["parts", "series"]
    bars = found["parts"]["data"]["values"]
    assert bars[0]["high"] == 1.0 and bars[-1]["high"] == pytest.approx(1.5)
    assert bars[1]["low"] == 1.0 and bars[1]["high"] == pytest.approx(1.25)
    values = [row["tax"] for row in found["series"]["data"]["values"]]
    assert values == [0.2, 0.5, 0.5, -0.1]
    assert list(charts(replace(made, series=()))) == ["parts"]
    assert charts(replace(made, series=(), sides={})) == {}


@pytest.mark.parametrize("suffix", [".svg", ".png", ".vl.json", ".html"])
def test_a_tax_is_a_file(suffix: str, made: Tax, catalog: Catalog) -> None:
    """Picture, chart and page; the page says what the terminal says, with its sources."""
    pytest.importorskip("vl_convert")
    content = money.tax_report(made, suffix, catalog)
    if suffix == ".html":
        text = content.decode()
        for piece in ("costs 50% more", "ascend-910b", "not legal advice", "2024-04-01"):
            assert piece in text
        assert "epoch-prices: " in text and text.count('class="chart"') == 2
    else:
        assert len(content) > 1000


def test_a_tax_without_numbers_has_no_picture(made: Tax, catalog: Catalog) -> None:
    """A picture of nothing is refused, with what to write instead."""
    pytest.importorskip("vl_convert")
    with pytest.raises(InputError, match="nothing to draw"):
        money.tax_report(replace(made, sides={}, series=()), ".svg", catalog)


# --------------------------------------------------------------------------------------------------- prices


def test_prices_are_drawn(catalog: Catalog, golden: Golden) -> None:
    """Rows as published, street prices marked, readings with range, distance in time and source."""
    told = screen.draw(money.prices_view(price_rows(), readings(), catalog, "2024-09-01"))
    golden("made_prices.txt", told)
    assert "street *" in told and "no plan of exaplan selects" in told
    assert "no plan of exaplan" not in screen.draw(money.prices_view(price_rows()[:1], (), catalog))
    assert "No price is known." in screen.draw(money.prices_view((), (), catalog))


def test_the_json_of_prices_matches_its_schema(catalog: Catalog) -> None:
    """Street prices are facts only; the reading has its range and its distance."""
    document = written(money.prices_json(price_rows(), readings(), catalog, "2024-09-01"))
    jsonschema.validate(document, schemas.schema("prices"))
    assert [row["fact_only"] for row in document["prices"]] == [False, True]
    assert document["prices"][1]["currency"] == "CNY" and document["prices"][1]["mid"] == 210_000.0
    assert document["prices"][1]["usd"]["value"] < 210_000 * 0.14
    assert document["readings"][1]["range"] == [22_000.0, 41_000.0] and document["readings"][1]["distance"] == 7.9e6
    assert document["sources"]["mercatus-2026"]["address"].startswith("https://")


# ------------------------------------------------------------------------------------------ owning and making


@pytest.mark.parametrize("language", ["en", "zh"])
def test_owning_and_making_are_drawn(language: str, catalog: Catalog, golden: Golden) -> None:
    """The sentence first, then every line of the bill with its share and source."""
    ending = "" if language == "en" else "_zh"
    with speaking(language):
        views = {"own": money.owned_view(owned(catalog), catalog), "make": money.made_view(made_chip(), catalog)}
        texts = {name: screen.draw(view) for name, view in views.items()}
    for name, told in texts.items():
        golden(f"made_{name}{ending}.txt", told)
        assert max(map(cell_len, told.splitlines())) <= screen.WIDTH


def test_a_bill_adds_up(catalog: Catalog) -> None:
    """The last row is the sum, and the shares are of it; a residual value is negative."""
    found = owned(catalog)
    less = replace(found, capital=(*found.capital, replace(found.capital[0], name="residual", value=-3e5)))
    told = screen.draw(money.owned_view(less, catalog))
    assert "-$300k" in told and "residual value" in told
    assert "$2M up front ($31.2k a chip)" in told
    assert "grid 240 t, embodied 11 t (8 t to 16 t)" in told


def test_unknown_rent_and_volume_are_said(catalog: Catalog) -> None:
    """No rent, no break-even, no volume: words, never a zero."""
    found = owned(catalog)
    assert "no rent is known" in screen.draw(money.owned_view(replace(found, rent=None, break_even=None), catalog))
    assert "stays cheaper" in screen.draw(money.owned_view(replace(found, break_even=None), catalog))
    assert "stays cheaper at any number" in screen.draw(money.made_view(replace(made_chip(), volume=None), catalog))


def test_the_json_of_owning_and_making_matches_its_schemas(catalog: Catalog) -> None:
    """Every figure of the bill in SI and USD, sources spelled out."""
    document = written(money.owned_json(owned(catalog), catalog))
    jsonschema.validate(document, schemas.schema("own"))
    assert document["capital"][0] == document["capital"][0] | {"name": "servers", "value": 2.0e6, "high": 2.4e6}
    assert document["per"]["hour"] == {"value": 1.27, "range": [1.1, 1.6]} and document["nodes"] == 8
    assert document["sources"].keys() == {"epoch-prices", "owid-carbon"}
    one = written(money.made_json(made_chip(), catalog))
    jsonschema.validate(one, schemas.schema("make"))
    assert one["range"] == [1450.0, 2340.0] and one["volume_range"] == [2.8e4, None]
    both = written(money.mades_json([made_chip(), replace(made_chip(), name="dojo", volume=None)], catalog))
    jsonschema.validate(both, schemas.schema("designs"))
    assert [design["name"] for design in both["designs"]] == ["tigris", "dojo"]


def test_designs_are_one_table(catalog: Catalog) -> None:
    """A row each, with what it replaces and from how many on it pays."""
    never = replace(made_chip(), name="dojo", volume=None)
    told = screen.draw(money.mades_view([made_chip(), never], catalog))
    assert "50,000" in told and "no number" in told and "$500M" in told


def test_each_shipped_design_fits_its_schema(catalog: Catalog) -> None:
    """The schema of a design file accepts those of the catalogue, and refuses one without its bill."""
    validator = jsonschema.Draft202012Validator(schemas.schema("design"))
    bodies = [dict(catalog.designs.sheet(entry).body) for entry in catalog.designs.entries.values()]
    for body in bodies:
        validator.validate(body)
    assert bodies
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({key: value for key, value in bodies[0].items() if key != "unit"})


# ------------------------------------------------------------------------------------------------- offers


def test_cash_is_neither_interest_nor_resale() -> None:
    """A purchase is paid in full, its running parts as they come; financing and residual value are no cash."""
    parts = {"servers": 4e5, "network": 1e5, "duties": 5e4, "financing": 9e4, "residual": -6e4}
    running = {"electricity": 3e4, "cooling": 1e4, "facility": 5e4, "staff": 5e3, "maintenance": 2e4, "water": 1e3}
    bought = Offer("buy", sum(parts.values()) + sum(running.values()), 4e6, {**parts, **running})
    assert paid_for(bought) == pytest.approx(4e6 + sum(running.values()))
    worn_out = replace(bought, capital=1e5)
    assert paid_for(worn_out) == pytest.approx(5.5e5 + sum(running.values()))
    rented = Offer("rent", 9.1e5, 0.0, {"rent": 8e5, "vat": 1.1e5})
    assert paid_for(rented) == pytest.approx(9.1e5)


def test_parts_of_an_offer_have_words_and_signs(catalog: Catalog) -> None:
    """What is got back has a minus; the largest part comes first."""
    priced = replace(
        decided(catalog).estimates[0], offers=(Offer("buy", 1e6, 4e6, {"residual": -5e4, "servers": 1e6}),)
    )
    row = offers_sheet(priced).rows[0]
    assert "servers $1M, residual value -$50k" in row[6]


def test_small_parts_of_an_offer_are_told_together() -> None:
    """Those below a fiftieth of the cost, where there are several; the signs and the sum stay."""
    few = Offer("buy", 1e6, 0.0, {"servers": 9.9e5, "water": 1e3, "staff": 9e3})
    assert parts_text(few) == "servers $990k, other $10k"
    assert parts_text(replace(few, parts={"servers": 9.9e5, "staff": 9e3})) == "servers $990k, staff $9k"
    assert parts_text(replace(few, parts={"servers": 1.1e6, "residual": -1e5, "water": 1e3, "staff": 0.0})) == (
        "servers $1.1M, water $1k, residual value -$100k"
    )


def test_every_part_of_a_bill_has_words(catalog: Catalog) -> None:
    """The parts of all shipped designs are named in both languages, none by its bare key."""
    from exaplan.planning.designing import make

    for name in catalog.designs:
        made = make(catalog, name)
        for item in (*made.once, *made.unit):
            assert item.name in words("en")["parts"] and item.name in words("zh")["parts"], item.name


def test_the_all_in_figure_can_be_added_up(catalog: Catalog) -> None:
    """Hardware and the share of the building that it counts; nothing is said where no building is paid."""
    bare = owned(catalog)
    hall = Item("facility", 6.0e5, 4.8e5, 9.0e5, "cushwake-2025")
    per = {"chip": (45_312.5, 40_000.0, 55_000.0), "all-in": (39_062.5, 35_000.0, 46_000.0)}
    found = replace(bare, capital=(*bare.capital, hall), per=per)
    line = "all in: $39.1k a chip = $35.9k of hardware + $3.12k of the building (33% of its $9.38k)"
    assert line in screen.draw(money.owned_view(found, catalog)).splitlines()
    for other in (bare, replace(found, capital=bare.capital)):
        assert "all in: $" not in screen.draw(money.owned_view(other, catalog))


def test_readings_of_several_things_name_each(catalog: Catalog) -> None:
    """The column of the thing is left out where all readings are of one."""
    one, two = readings()
    other = replace(two, price=replace(two.price, item="a100-sxm-80gb"))
    assert screen.draw(money.prices_view((), (one, two), catalog)).startswith("h100-sxm, what the series reads")
    told = screen.draw(money.prices_view((), (one, other), catalog))
    assert told.startswith("what the series reads") and "a100-sxm-80gb" in told


def test_many_prices_share_one_table(catalog: Catalog) -> None:
    """Beyond a dozen series each row says what it is of, and notes are left out."""
    rent, street = price_rows()
    many = [replace(rent, item=f"chip-{at}") for at in range(13)]
    told = screen.draw(money.prices_view((*many, street), (), catalog))
    assert all(f"chip-{at} " in told for at in range(13)) and "14 published prices" in told
    assert words("en")["prices"]["more"] in " ".join(told.split())


def test_a_chip_at_the_volume_that_was_asked(catalog: Catalog) -> None:
    """What one costs at the volume that was asked; wafers are left out where they are unknown."""
    asked = replace(made_chip(), asked=1.0e5, each=(6_800.0, 5_000.0, 9_000.0), wafers=None)
    told = screen.draw(money.made_view(asked, catalog))
    assert "100,000" in told and "$6,800" in told and "wafers at that number" not in told


def test_a_reading_far_from_any_price_says_so(catalog: Catalog) -> None:
    """Beyond a year; each by its kind and place, and by its item where there are several."""
    near, far = readings()[0], replace(readings()[1], distance=3e8)
    told = " ".join(screen.draw(money.prices_view((), (near, far), catalog)).split())
    assert "little more than a guess: street * CN." in told
    other = replace(far, price=replace(far.price, item="a100-sxm-80gb"))
    both = " ".join(screen.draw(money.prices_view((), (far, other), catalog)).split())
    assert "guess: h100-sxm street * CN, a100-sxm-80gb street * CN." in both
    assert "guess" not in screen.draw(money.prices_view((), (near,), catalog))


def test_a_tax_without_any_loss_by_law_says_so(catalog: Catalog) -> None:
    """Only duties and prices: the rules cost nothing; not so where chips are lost, or where that is not known."""
    found = side(catalog)
    free = replace(found, parts={"capability": 0.0, "price": 0.0, "duties": 0.12, "quantity": 0.0}, tax=0.12)
    assert sentence(free).endswith("; export rules cost this work nothing.")
    for parts in ({"capability": 0.1, "duties": 0.12, "quantity": 0.0}, {"duties": 0.12}, {"capability": None}):
        assert "cost this work nothing" not in sentence(replace(found, parts=parts))
