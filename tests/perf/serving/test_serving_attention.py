"""Attention over a paged cache: bytes, windows, sparse layers, prompts behind cached tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import kind

from exaplan.perf.serving import attention as at


def test_decoding_reads_the_cache_once() -> None:
    """64 sequences of 4,096 tokens of 4 KiB: 1.07 GB at 2.7 TB/s, and the floor."""
    expected = 1e-5 + 64 * (4096 * 4096 + 32768) / 2.7e12
    assert at.decode_kind_time(kind(), 64.0, 4096.0) == pytest.approx(expected, rel=0.01)


def test_a_window_bounds_what_is_read() -> None:
    """Beyond the window longer contexts cost nothing more; a sparse layer still scans its index."""
    short, long = (at.decode_kind_time(kind(window=128.0), 64.0, c) for c in (128.0, 65536.0))
    assert long == short
    sparse = kind(top=2048.0, index=128.0)
    assert at.decode_kind_time(sparse, 64.0, 65536.0) > at.decode_kind_time(sparse, 64.0, 4096.0)
    assert at.decode_kind_time(sparse, 64.0, 65536.0) < at.decode_kind_time(kind(), 64.0, 65536.0)


@given(st.floats(1.0, 512.0), st.floats(1.0, 1e5), st.floats(1.0, 3.0))
def test_decoding_is_monotone(seqs: float, context: float, more: float) -> None:
    """More sequences and longer contexts never take less; more bandwidth never takes longer."""
    table = kind()[None, :]
    one = at.decode_time(table, seqs, seqs * context)
    assert at.decode_time(table, seqs * more, seqs * more * context) >= one
    assert at.decode_time(table, seqs, seqs * context * more) >= one
    assert at.decode_time(kind(stream=2.7e12 * more)[None, :], seqs, seqs * context) <= one


@given(st.floats(1.0, 16384.0), st.floats(0.0, 1e5), st.floats(1.0, 3.0))
def test_prompts_are_monotone(chunk: float, past: float, more: float) -> None:
    """Longer chunks and more cached tokens before them never take less."""
    row = kind(p_up=1e-9)
    one = at.prompt_kind_time(row, chunk, past)
    assert at.prompt_kind_time(row, chunk * more, past) >= one
    assert at.prompt_kind_time(row, chunk, past * more) >= one


def test_chunks_cost_about_what_the_whole_prompt_does() -> None:
    """Four chunks of 2,048 behind each other do the work of one prompt of 8,192 tokens."""
    row = kind()
    whole = at.prompt_kind_time(row, 8192.0, 0.0)
    parts = sum(at.prompt_kind_time(row, 2048.0, 2048.0 * i) for i in range(4))
    assert whole <= parts < 1.3 * whole


def test_ranks_share_a_prompt_until_the_ring_binds() -> None:
    """Four ranks take a quarter; slow links take as long as keys and values go round."""
    one = at.prompt_kind_time(kind(), 8192.0, 0.0)
    assert at.prompt_kind_time(kind(p_cut=4.0), 8192.0, 0.0) == pytest.approx(one / 4)
    assert at.prompt_kind_time(kind(p_cut=4.0, p_ring=1e-6), 8192.0, 0.0) == pytest.approx(8192e-6)


def test_layers_without_heads_read_no_prompt() -> None:
    """State-space layers stand among the operators; here they only move their state."""
    row = kind(p_heads=0.0, heads=0.0, cache=0.0, state=1e6)
    assert at.prompt_kind_time(row, 512.0, 0.0) == 0.0
    assert at.decode_kind_time(row, 8.0, 1000.0) == pytest.approx(1e-5 + 8e6 / 2.7e12)
    assert at.decode_time(row[None, :], 0.0, 0.0) == 0.0 and at.decode_kind_time(row, 0.0, 10.0) == 0.0


def test_few_heads_fill_a_tile() -> None:
    """Where a tile holds 64 query heads at least, one query head per key/value head multiplies 64 times as much."""
    slow = kind(rate=1e12, kv_heads=64.0, heads=64.0)
    padded = slow.copy()
    padded[at.PAD] = 64.0
    assert at.decode_kind_time(padded, 8.0, 4096.0) > 10 * at.decode_kind_time(slow, 8.0, 4096.0)
