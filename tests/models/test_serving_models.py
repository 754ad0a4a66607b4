"""What a served model does and caches: kinds of layers, fused kernels, what training alone needs left out."""

from __future__ import annotations

import pytest

from exaplan.catalog import Catalog, load
from exaplan.models.serving import caches, drafting, head, served


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


def test_grouped_heads_are_one_kind_of_cache(shelf: Catalog) -> None:
    """Llama 3.1 70B: 80 layers alike, 64 query heads on 8 key/value heads of 128."""
    (only,) = caches(shelf.model("llama-3.1-70b"))
    assert (only.layers, only.heads, only.kv_heads, only.key, only.value) == (80, 64, 8, 128, 128)
    assert not only.window and not only.latent and not only.state


def test_latent_attention_keeps_its_compressed_form(shelf: Catalog) -> None:
    """DeepSeek-V3: 512 latent and 64 rotary elements a token and layer."""
    found = caches(shelf.model("deepseek-v3"))
    assert sum(kind.layers for kind in found) == 61
    assert all((kind.latent, kind.rope) == (512, 64) for kind in found)


def test_windows_are_kinds_of_their_own(shelf: Catalog) -> None:
    """gpt-oss alternates layers with a window of 128 and full ones."""
    found = {kind.window: kind.layers for kind in caches(shelf.model("gpt-oss-120b"))}
    assert found == {128: 18, 0: 18}


def test_state_space_layers_keep_a_state_and_no_tokens(shelf: Catalog) -> None:
    """Nemotron-H: Mamba-2 layers have a state of heads x head size x state size beside a few attention layers."""
    found = caches(shelf.model("nemotron-h-8b"))
    states = [kind for kind in found if kind.state]
    assert states and all(kind.state > kind.heads * kind.key * kind.value for kind in states)
    assert any(not kind.state for kind in found)


def test_sparse_layers_name_their_top_tokens(shelf: Catalog) -> None:
    """GLM-5 reads 2,048 tokens that an indexer of 32 heads of 128 picks."""
    found = caches(shelf.model("glm-5"))
    assert {(kind.top, kind.index, kind.scored) for kind in found} == {(2048, 128, 4096)}


def test_adds_are_fused_into_norms(shelf: Catalog) -> None:
    """No pass of its own adds the residual; a norm reads and writes both streams."""
    model = shelf.model("llama-3.1-8b")
    names = [op.name for op, _ in served(model)]
    assert not [name for name in names if "residual" in name]
    assert {op.moved for op, _ in served(model) if op.module == "layernorm"} == {4.0 * model.hidden}


def test_every_layer_is_served_once(shelf: Catalog) -> None:
    """Operators run as often as there are layers of their kind."""
    model = shelf.model("deepseek-v3")
    counts = {op.name: times for op, times in served(model) if op.name in ("expert_up", "mlp_up")}
    assert counts == {"expert_up": 58, "mlp_up": 3}


def test_loss_and_extra_layers_are_no_part_of_the_head(shelf: Catalog) -> None:
    """The head is final norm and logits; the extra prediction layer drafts."""
    model = shelf.model("deepseek-v3")
    assert [op.name for op in head(model)] == ["final_norm", "logits"]
    assert any(op.name == "mtp.merge" for op in drafting(model))
    assert drafting(shelf.model("llama-3.1-8b")) == ()


def test_a_state_is_counted_by_hand(shelf: Catalog) -> None:
    """Nemotron-H: 128 heads of 64 with states of 128, and 4 inputs of a convolution over 8,192 + 2 x 8 x 128."""
    model = shelf.model("nemotron-h-8b")
    (state,) = {kind.state for kind in caches(model) if kind.state}
    tail = int(model.spec.get("conv_width", 0) or 4)  # type: ignore[call-overload]
    assert state == 128 * 64 * 128 + tail * (128 * 64 + 2 * 8 * 128)
