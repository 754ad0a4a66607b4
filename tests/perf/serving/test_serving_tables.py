"""Tables and the functions of the event loop: exact entries, interpolation, ranks and stages, compiled as plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import HARDWARE, ROWS, TUNE, kind

from exaplan.perf.kernel import compiled
from exaplan.perf.serving import iteration as loop
from exaplan.perf.serving import table as tables
from exaplan.perf.serving.inputs import Host, StepTable

HOST = Host(1e-3, 1e-5, 1e-4, 1.0, 1e-2)
ZERO = np.zeros(1)
LINES = np.array([ROWS["product"], ROWS["grouped"], ROWS["reduce"], ROWS["exchange"], ROWS["pass"]])


def stepped(**changes: object) -> StepTable:
    """A table of 1 us per token, 10 us per output, no attention."""
    base = StepTable(
        np.arange(2001) * 1e-6, np.arange(65) * 1e-5, np.zeros((0, 33)), ZERO, Host(0.0, 0.0, 0.0, 0.0, 0.0), 1.0, 1.0
    )
    return base._replace(**changes)


def test_a_table_is_exact_up_to_its_knee_and_interpolated_beyond() -> None:
    """Entry i is the sum of its rows for that many tokens; between sparse entries time runs straight."""
    made = tables.filled(LINES, 0.0, 64, 32.0, 16.0, 1e9, HARDWARE, TUNE)
    assert made[0] == 0.0
    assert made[20] == tables.rows_time(LINES, 0.0, 20.0, HARDWARE, TUNE)
    assert made[40] == tables.rows_time(LINES, 0.0, 32.0 + 8 * 16.0, HARDWARE, TUNE)
    half = loop.looked_up(made, 32.0 + 8.5 * 16.0, 32.0, 16.0)
    assert half == pytest.approx(0.5 * (made[40] + made[41]))
    assert tables.tokens_at(40.0, 32.0, 16.0) == 160.0


def test_beyond_its_end_a_table_goes_on_in_proportion() -> None:
    """Twice the tokens of the last entry take twice its time; a table of one entry is constant."""
    line = np.arange(101) * 1e-6
    assert loop.looked_up(line, 200.0, 1e12, 1.0) == pytest.approx(2e-4)
    assert loop.looked_up(line, 100.0 + 400.0, 50.0, 8.0) == pytest.approx(line[-1] * 500.0 / 450.0)
    assert loop.looked_up(ZERO, 50.0, 1e12, 1.0) == 0.0


def test_without_graphs_the_host_bounds_the_kernels() -> None:
    """Beyond the tokens that graphs replay, an iteration takes at least the launches."""
    slow = TUNE._replace(launch=1.0)
    made = tables.filled(LINES, 0.0, 64, 1e9, 1.0, 32.0, HARDWARE, slow)
    assert made[32] < 1.0 and made[33] == tables.launched(LINES, 0.0) * 1.0
    assert tables.launched(LINES, 0.0) == 3.0 and tables.launched(LINES, 1.0) == 2.0


def test_terms_sum_to_their_rows() -> None:
    """Every row stands under one term."""
    parts = tables.term_times(LINES, 1.0, 100.0, 8, HARDWARE, TUNE)
    assert parts.sum() == pytest.approx(tables.rows_time(LINES, 1.0, 100.0, HARDWARE, TUNE))


def test_an_iteration_adds_tokens_outputs_and_prompts() -> None:
    """10 decoding sequences and a chunk of 100 tokens: 110 us, 11 outputs, and its attention."""
    assert loop.iteration_time(stepped(), 110.0, 11.0, 10.0, 1e4, 5e-5, 1.0) == pytest.approx(110e-6 + 110e-6 + 5e-5)
    assert loop.iteration_time(stepped(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == 0.0


def test_the_host_hides_under_the_chip_until_it_is_the_longer() -> None:
    """overlap 1: the longer of both; overlap 0: their sum."""
    busy = stepped(host=Host(1e-2, 0.0, 0.0, 1.0, 0.0))
    assert loop.iteration_time(busy, 10.0, 10.0, 10.0, 10.0, 0.0, 0.0) == pytest.approx(1e-2)
    waits = stepped(host=Host(1e-3, 1e-5, 1e-4, 0.0, 0.0))
    expected = 10e-6 + 100e-6 + 1e-3 + 10 * 1e-5
    assert loop.iteration_time(waits, 10.0, 10.0, 10.0, 10.0, 0.0, 0.0) == pytest.approx(expected)


def test_attention_ranks_share_sequences_and_the_fullest_decides() -> None:
    """9 sequences on 4 ranks: 3 on the fullest; one chunk lies on one rank whole; experts see all tokens."""
    table = stepped(dp=4.0, experts=np.arange(2001) * 1e-7, head=ZERO)
    assert loop.iteration_time(table, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0) == pytest.approx(3e-6 + 9e-7)
    assert loop.iteration_time(table, 109.0, 10.0, 9.0, 9.0, 0.0, 1.0) == pytest.approx(103e-6 + 109e-7)


def test_a_full_pipeline_halves_the_tokens_of_a_micro_batch() -> None:
    """Two stages: two micro-batches at work, each through all layers; one sequence alone gains nothing."""
    table = stepped(stages=2.0, head=ZERO)
    assert loop.iteration_time(table, 64.0, 64.0, 64.0, 64.0, 0.0, 0.0) == pytest.approx(32e-6)
    assert loop.iteration_time(table, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0) == pytest.approx(1e-6)


def test_ranks_of_a_prompt_share_its_tokens() -> None:
    """Context parallelism: a prompt of 1,000 tokens on 4 ranks costs 250 each."""
    table = stepped(cut=4.0, head=ZERO)
    assert loop.iteration_time(table, 1000.0, 1.0, 0.0, 0.0, 0.0, 1.0) == pytest.approx(250e-6)


def test_drafted_tokens_pass_layers_and_head() -> None:
    """Width 4: ten sequences bring 40 tokens and 40 rows of logits, and drafting comes on top."""
    table = stepped(width=4.0, draft=np.arange(65) * 1e-6)
    assert loop.iteration_time(table, 40.0, 10.0, 10.0, 10.0, 0.0, 0.0) == pytest.approx(40e-6 + 400e-6 + 10e-6)


@settings(deadline=None)  # the first call compiles
@given(
    st.integers(0, 3000), st.integers(0, 4000), st.integers(1, 5), st.integers(0, 200), st.integers(1, 5000),
    st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([1.0, 3.0]),
)  # fmt: skip
def test_compiled_equals_plain(
    prompt: int, past: int, chunks: int, seqs: int, each: int, dp: float, stages: float
) -> None:
    """The compiled functions of the loop give the very floats of the plain ones."""
    table = stepped(
        dp=dp, stages=stages, attention=np.stack([kind(), kind(window=128.0)]), host=HOST,
        experts=np.arange(500) * 1e-7, knee=100.0, stride=16.0,
    )  # fmt: skip
    shapes = np.array([[prompt, past, chunks, seqs, seqs * each]], dtype=float)
    assert compiled(loop.shape_times)(table, shapes)[0] == pytest.approx(loop.shape_times(table, shapes)[0], rel=1e-13)


def test_compiled_tables_equal_plain_ones() -> None:
    """Filling a table in compiled code changes no entry."""
    given_ = (LINES, 0.0, 50, 32.0, 8.0, 40.0, HARDWARE, TUNE)
    np.testing.assert_allclose(compiled(tables.filled)(*given_), tables.filled(*given_), rtol=1e-13)
