"""Attention that is gated, or reads only what an indexer picks: what it adds to the count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exaplan.catalog import load
from exaplan.errors import InputError
from exaplan.models.count import kv_bytes, parameters
from exaplan.models.spec import Spec, spec_from_mapping
from exaplan.models.transformer import build

PLAIN = Spec(name="plain", layers=2, hidden=64, heads=8, kv_heads=2, vocab=100, ffn=96)
CATALOG = load()


def test_an_output_gate_is_as_wide_as_the_queries() -> None:
    """The gate adds one product of hidden x heads x head size a layer, and nothing to the cache."""
    gated = build(replace(PLAIN, attention_gate=True))
    assert parameters(gated)[0] - parameters(build(PLAIN))[0] == 2 * 64 * 64
    assert kv_bytes(gated) == kv_bytes(build(PLAIN))


def test_an_indexer_adds_its_three_products() -> None:
    """Queries and key of the indexer and the weights of its heads: hidden x (heads x width + width + heads) a layer."""
    sparse = build(replace(PLAIN, sparse_top=16, index_heads=4, index_dim=8))
    assert parameters(sparse)[0] - parameters(build(PLAIN))[0] == 2 * 64 * (4 * 8 + 8 + 4)


def test_the_indexer_of_deepseek_reads_the_compressed_queries() -> None:
    """DeepSeek-V3.2 has what V3 has, and an indexer: 61 x (1536 x 64 x 128 + 7168 x 128 + 7168 x 64)."""
    with_indexer = parameters(CATALOG.model("deepseek-v3.2"))[0]
    more = 61 * (1536 * 64 * 128 + 7168 * (128 + 64))
    assert with_indexer - parameters(CATALOG.model("deepseek-v3"))[0] == more


def test_half_an_indexer_is_refused() -> None:
    """Tokens to pick need the indexer's heads and width."""
    with pytest.raises(InputError, match="needs index_heads and index_dim") as caught:
        spec_from_mapping({"name": "x", "layers": 1, "hidden": 8, "heads": 1, "vocab": 9, "ffn": 8, "sparse_top": 4})
    assert caught.value.place.field == "sparse_top"
