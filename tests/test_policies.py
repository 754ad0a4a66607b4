"""Pictures of serving policies: they are drawn from their record, which the simulator gives again, and show what the
page says of them."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
PAGE = FOLDER.parent / "method" / "serving-policies.md"


def tool(name: str) -> ModuleType:
    """A script of docs/pictures as a module."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


LINES, POLICIES = tool("lines"), tool("policies")
CHARTS: dict[str, Any] = POLICIES.recorded()


def line(name: str, panel: int, series: str) -> dict[float, float]:
    """Points of a line of a picture: x -> y."""
    return dict(CHARTS[name]["panels"][panel]["series"][series])


def test_every_policy_has_its_picture_on_the_page() -> None:
    """None is missing from the record, the folder or the page."""
    page = PAGE.read_text(encoding="utf-8")
    assert list(CHARTS) == list(POLICIES.PICTURES)
    for name in CHARTS:
        assert f"(../pictures/{name}.svg)" in page
        assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == LINES.draw(CHARTS[name])


def test_the_simulator_says_so_still() -> None:
    """Two points are run again; kernels that were fitted anew may move them by a tenth."""
    fresh = POLICIES.speculation((4, 16))
    for place, panel in enumerate(fresh["panels"]):
        for name, points in panel["series"].items():
            kept = line("speculation", place, name)
            assert {users: kept[users] for users, _ in points} == pytest.approx(dict(points), rel=0.1)


def test_mixed_batches_keep_up_with_more() -> None:
    """Static batches give up first; where all keep up, they wait longest for the first token."""
    static, mixed = (line("batching", 0, name) for name in ("static", "mixed, in chunks"))
    assert max(static) < max(mixed) and all(static[rate] > mixed[rate] for rate in static)


def test_mixed_batches_do_not_hold_answers_up() -> None:
    """At the highest rate of both, whole prompts that go first take more time per token at the 99th percentile."""
    first, mixed = (line("batching", 1, name) for name in ("prompts first", "mixed, in chunks"))
    rate = max(set(first) & set(mixed))
    assert first[rate] > mixed[rate]


def test_small_chunks_even_out_answers() -> None:
    """From the smallest budget to the largest, time per token rises."""
    each = line("chunks", 1, "prompts in chunks")
    assert each[min(each)] < each[max(each)]


def test_room_to_the_end_evicts_nobody() -> None:
    """Whole admission has no evictions; letting in what fits now has."""
    whole = line("admission", 0, "only with room to the end")
    now = line("admission", 0, "now; evicted are computed again")
    assert set(whole.values()) == {0.0} and max(now.values()) > 1.0


def test_a_prefix_cache_finds_and_spares() -> None:
    """Nothing is found without; with it most is, and the first token comes sooner at every rate."""
    without, found = (line("prefix", 0, name) for name in ("without", "with a prefix cache"))
    assert all(found[rate] < without[rate] for rate in set(found) & set(without)) and max(found) >= max(without)
    assert set(line("prefix", 1, "without").values()) == {0.0}
    assert min(line("prefix", 1, "with a prefix cache").values()) > 50.0


def test_writing_apart_keeps_time_per_token_even() -> None:
    """Where both keep up, the replicas that only write are quicker per token."""
    both, apart = (line("disaggregation", 1, name) for name in ("4 chips do both", "2 read prompts, 2 write"))
    assert all(apart[rate] < both[rate] for rate in set(both) & set(apart))


def test_only_the_router_by_prefix_finds_earlier_turns() -> None:
    """It finds more than the others at every rate that all keep up with."""
    lines = {name: line("routers", 1, name) for name in ("round-robin", "least-loaded", "prefix")}
    for rate in set.intersection(*(set(points) for points in lines.values())):
        assert lines["prefix"][rate] > max(lines["round-robin"][rate], lines["least-loaded"][rate])


def test_late_replicas_let_the_queue_grow() -> None:
    """The longer the start-up delay, the longer the longest queue."""
    delays = list(CHARTS["autoscaling"]["panels"][1]["series"])
    peaks = [max(line("autoscaling", 1, name).values()) for name in delays]
    assert peaks == sorted(peaks) and peaks[0] < 0.7 * peaks[-1]


def test_drafts_pay_for_few_users() -> None:
    """Much quicker for one user; less and less gained as users come."""
    alone, drafted = (line("speculation", 0, name) for name in ("without", "4 tokens drafted"))
    gains = [alone[users] / drafted[users] for users in sorted(alone)]
    assert gains[0] > 1.4 and gains[-1] < 0.75 * gains[0]


# ------------------------------------------------------------------------------------------------------ drawing


def chart(**more: Any) -> dict[str, Any]:
    """A chart of one line."""
    panel = {"title": "t", "x": "x", "y": "y", "series": {"one": [[1.0, 1.0], [2.0, 4.0]]}} | more
    return {"title": "whole", "panels": [panel]}


def test_scales_keep_order_and_ends() -> None:
    """Both kinds of axis map their ends to the ends, values between them between, and others to an end."""
    for log in (False, True):
        axis = LINES.Scale(1.0, 100.0, 0.0, 200.0, log)
        assert (axis.at(1.0), axis.at(100.0)) == (0.0, 200.0) and 0.0 < axis.at(10.0) < 200.0
        assert axis.at(0.5) == 0.0 and axis.at(1e4) == 200.0
    assert LINES.Scale(1.0, 100.0, 0.0, 200.0, True).at(10.0) == 100.0


@pytest.mark.parametrize(
    ("low", "high", "log"), [(0.0, 7.3, False), (0.0, 4100.0, False), (0.3, 70.0, True), (1e-3, 1e3, True)]
)
def test_ticks_are_round_and_inside(low: float, high: float, log: bool) -> None:
    """Three to twelve of them."""
    ticks = LINES.Scale(low, high, 0.0, 100.0, log).ticks()
    assert 3 <= len(ticks) <= 12 and ticks == sorted(ticks)
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)


def test_an_axis_of_one_value_has_room() -> None:
    """A line that is flat, or a single point, is still drawn."""
    assert "<path" in LINES.draw(chart(series={"one": [[1.0, 2.0], [2.0, 2.0]]}))
    assert "<circle" in LINES.draw(chart(series={"one": [[1.0, 2.0]]}))


def test_gaps_break_a_line() -> None:
    """What is not known is not drawn through."""
    points = [[1.0, 1.0], [2.0, None], [3.0, 2.0], [4.0, math.nan], [5.0, 1.0]]
    assert LINES.draw(chart(series={"one": points})).count("<path") == 3


def test_stairs_go_across_then_up() -> None:
    """Where a panel says so."""
    assert " V" in LINES.draw(chart(steps=True)) and " V" not in LINES.draw(chart())


def test_lines_differ_by_more_than_colour() -> None:
    """Each has its own dashes, too, and is named once for all panels."""
    two = chart(series={"one": [[1.0, 1.0], [2.0, 2.0]], "two": [[1.0, 2.0], [2.0, 1.0]]})
    two["panels"] *= 2
    svg = LINES.draw(two)
    assert svg.count(">two<") == 1 and "stroke-dasharray='7 3'" in svg
