"""Pipeline schedules: bubbles and in-flight micro-batches as the papers give them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.perf.inputs import DUALPIPE, INTERLEAVED, ONE_F_ONE_B, ZERO_BUBBLE
from exaplan.perf.pipeline import bubble, bubble_1f1b, bubble_dualpipe, bubble_zero, fill_time, in_flight

quick = settings(max_examples=100, deadline=None)
times = st.floats(1e-3, 10.0)
stages_ = st.integers(2, 64).map(float)
SCHEDULES = (ONE_F_ONE_B, INTERLEAVED, ZERO_BUBBLE, DUALPIPE)


def even(schedule: int, stages: float, forward: float, backward: float, weight: float, chunks: float = 1.0) -> float:
    """Bubble of equal stages."""
    return bubble(schedule, stages, forward, backward, weight, stages * (forward + backward), chunks)


# ----------------------------------------------------------------------------------------------- closed forms


def test_1f1b_idles_for_p_minus_1_slots() -> None:
    """(p - 1)(t_f + t_b): 7 x 3 for eight stages (arXiv:2104.04473, section 2.2.1)."""
    assert bubble_1f1b(8.0, 1.0, 2.0, 1.0) == 21.0
    assert even(ONE_F_ONE_B, 8.0, 1.0, 2.0, 1.0) == 21.0


def test_interleaving_divides_the_bubble_by_the_chunks() -> None:
    """(p - 1)(t_f + t_b) / v (arXiv:2104.04473, section 2.2.2)."""
    assert bubble_1f1b(8.0, 1.0, 2.0, 3.0) == 7.0
    assert even(INTERLEAVED, 8.0, 1.0, 2.0, 1.0, chunks=3.0) == pytest.approx(7.0)


def test_plain_1f1b_ignores_chunks() -> None:
    """Only the interleaved schedule profits from several chunks."""
    assert even(ONE_F_ONE_B, 8.0, 1.0, 2.0, 1.0, chunks=3.0) == 21.0


def test_zero_bubble_is_the_papers_zb_h1() -> None:
    """(p - 1)(t_f + t_B - t_w) with t_B the input part: 7 (1 + 1 - 0.75), here t_b = t_B + t_w (arXiv:2401.10241)."""
    assert bubble_zero(8.0, 1.0, 1.75, 0.75) == pytest.approx(7.0 * (1.0 + 1.0 - 0.75))
    assert even(ZERO_BUBBLE, 8.0, 1.0, 1.75, 0.75) == pytest.approx(8.75)


def test_zero_bubble_with_equal_parts_is_a_third_of_1f1b() -> None:
    """t_f = t_B = t_w: ZB-H1 leaves a third of the 1F1B bubble, the paper's headline."""
    assert even(ZERO_BUBBLE, 5.0, 1.0, 2.0, 1.0) == pytest.approx(even(ONE_F_ONE_B, 5.0, 1.0, 2.0, 1.0) / 3.0)


def test_dualpipe_is_table_2_of_deepseek_v3() -> None:
    """(p/2 - 1)(t_fb + t_b - 3 t_w), t_fb = t_f + t_b where nothing is won by overlap: 7 x (3 + 2 - 2.4)."""
    assert bubble_dualpipe(16.0, 1.0, 2.0, 0.8) == pytest.approx(7.0 * 2.6)
    assert even(DUALPIPE, 16.0, 1.0, 2.0, 0.8) == pytest.approx(7.0 * 2.6)


def test_bubbles_are_never_negative() -> None:
    """Weight gradients longer than the rest, or two stages of DualPipe, leave no bubble instead of a negative one."""
    assert bubble_zero(8.0, 1.0, 4.0, 4.0) == 0.0
    assert bubble_dualpipe(8.0, 1.0, 4.0, 4.0) == 0.0
    assert bubble_dualpipe(2.0, 1.0, 2.0, 0.5) == 0.0
    assert bubble_dualpipe(1.0, 1.0, 2.0, 0.5) == 0.0


def test_uneven_stages_fill_by_the_sum_of_the_others() -> None:
    """Stages of 3, 3, 2 and 5 s: a micro-batch spends 8 s outside the slowest one."""
    assert fill_time(5.0, 13.0, 1.0) == 8.0
    assert bubble(ONE_F_ONE_B, 4.0, 2.0, 3.0, 1.0, 13.0, 1.0) == 8.0
    assert bubble(INTERLEAVED, 4.0, 2.0, 3.0, 1.0, 13.0, 4.0) == 2.0


def test_uneven_stages_shrink_the_published_zero_bubble() -> None:
    """Stages at 80% of the slowest on average: 80% of the bubble of equal ones."""
    assert bubble(ZERO_BUBBLE, 4.0, 2.0, 3.0, 1.0, 16.0, 1.0) == pytest.approx(0.8 * bubble_zero(4.0, 2.0, 3.0, 1.0))
    assert bubble(DUALPIPE, 8.0, 2.0, 3.0, 1.0, 32.0, 1.0) == pytest.approx(0.8 * bubble_dualpipe(8.0, 2.0, 3.0, 1.0))


def test_no_time_means_no_bubble() -> None:
    """Empty stages do not divide by zero."""
    for schedule in SCHEDULES:
        assert bubble(schedule, 4.0, 0.0, 0.0, 0.0, 0.0, 1.0) == 0.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_stage_never_idles(schedule: int) -> None:
    """p = 1 has no bubble, whatever the total says."""
    assert bubble(schedule, 1.0, 1.0, 2.0, 0.5, 9.0, 1.0) == 0.0


# ------------------------------------------------------------------------------------------------------- laws


@quick
@given(stages_, times, times, st.floats(0.0, 1.0))
def test_order_of_the_schedules(stages: float, forward: float, backward: float, part: float) -> None:
    """Zero-bubble never idles longer than 1F1B, nor does interleaving."""
    weight = part * backward
    plain = even(ONE_F_ONE_B, stages, forward, backward, weight)
    assert 0.0 <= even(ZERO_BUBBLE, stages, forward, backward, weight) <= plain * (1.0 + 1e-12)
    assert even(INTERLEAVED, stages, forward, backward, weight, 2.0) == pytest.approx(plain / 2.0)


@quick
@given(stages_, times, times, times, st.sampled_from(SCHEDULES))
def test_bubble_scales_with_time(stages: float, forward: float, backward: float, factor: float, schedule: int) -> None:
    """Twice as slow a chip idles twice as long."""
    weight = 0.4 * backward
    slow = even(schedule, stages, factor * forward, factor * backward, factor * weight)
    assert slow == pytest.approx(factor * even(schedule, stages, forward, backward, weight), rel=1e-9, abs=1e-9)


# -------------------------------------------------------------------------------------------------- in flight


def test_1f1b_holds_p_minus_rank() -> None:
    """Rank 0 of eight holds eight micro-batches, the last one holds one; never more than there are."""
    assert [in_flight(ONE_F_ONE_B, 8.0, rank, 1.0, 100.0) for rank in (0.0, 3.0, 7.0)] == [8.0, 5.0, 1.0]
    assert in_flight(ONE_F_ONE_B, 8.0, 0.0, 1.0, 3.0) == 3.0
    assert in_flight(ZERO_BUBBLE, 8.0, 2.0, 1.0, 100.0) == 6.0


def test_interleaving_holds_more_on_the_first_rank() -> None:
    """p (1 + (p - 1) / (p v)) micro-batches on rank 0 (arXiv:2205.05198, section 4.2.3): 8 (1 + 7/24) = 10.33."""
    p, v = 8.0, 3.0
    assert in_flight(INTERLEAVED, p, 0.0, v, 100.0) == pytest.approx(p * (1.0 + (p - 1.0) / (p * v)))
    assert in_flight(INTERLEAVED, p, 0.0, v, 100.0) == pytest.approx(31.0 / 3.0)


def test_interleaving_holds_two_chunks_less_per_rank() -> None:
    """Warm-up of rank r is (p - r - 1) 2 + (v - 1) p chunks: the last rank holds (v p - p + 1) / v."""
    assert in_flight(INTERLEAVED, 8.0, 7.0, 3.0, 100.0) == pytest.approx((3.0 * 8.0 - 8.0 + 1.0) / 3.0)
    assert in_flight(INTERLEAVED, 8.0, 1.0, 3.0, 100.0) == pytest.approx(29.0 / 3.0)


def test_interleaving_of_one_chunk_is_1f1b() -> None:
    """v = 1 is the plain schedule, on every rank."""
    for rank in range(8):
        assert in_flight(INTERLEAVED, 8.0, rank, 1.0, 100.0) == in_flight(ONE_F_ONE_B, 8.0, rank, 1.0, 100.0)


def test_interleaving_holds_no_more_than_there_is() -> None:
    """Two micro-batches are two, however many chunks."""
    assert in_flight(INTERLEAVED, 8.0, 0.0, 3.0, 2.0) == pytest.approx(2.0)


def test_dualpipe_holds_p_plus_1() -> None:
    """DualPipe holds p + 1 micro-batches (arXiv:2412.19437, table 2) on every rank, if there are as many."""
    assert in_flight(DUALPIPE, 16.0, 0.0, 1.0, 100.0) == 17.0
    assert in_flight(DUALPIPE, 16.0, 15.0, 1.0, 100.0) == 17.0
    assert in_flight(DUALPIPE, 16.0, 0.0, 1.0, 12.0) == 12.0


@quick
@given(stages_, st.integers(1, 8).map(float), st.integers(1, 200).map(float), st.sampled_from(SCHEDULES))
def test_first_rank_holds_the_most(stages: float, chunks: float, micro: float, schedule: int) -> None:
    """No rank holds more than the first, and none less than nothing."""
    held = [in_flight(schedule, stages, float(rank), chunks, micro) for rank in range(int(stages))]
    assert held == sorted(held, reverse=True) and held[-1] > 0.0 and held[0] <= micro
