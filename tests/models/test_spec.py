"""Spec: what is filled in, what is refused, and what a model is made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from exaplan.errors import InputError, Place
from exaplan.models.spec import Spec, spec_as_mapping, spec_from_mapping
from exaplan.models.transformer import build

LLAMA: dict[str, Any] = {"name": "a", "layers": 4, "hidden": 64, "heads": 8, "vocab": 100, "ffn": 96}
MOE = LLAMA | {"experts": 4, "top_k": 2}
HYBRID = LLAMA | {"pattern": "M*-M", "mamba_heads": 8, "mamba_head_dim": 16, "state_dim": 16}


def test_defaults_follow() -> None:
    """Heads give the key/value heads and the head size; ffn gives the experts' width."""
    spec = Spec(**MOE)
    assert (spec.kv_heads, spec.head_dim, spec.expert_ffn, spec.shared_width) == (8, 8, 96, 0)
    assert Spec(**MOE, shared_experts=2).shared_width == 192
    assert Spec(**(LLAMA | {"hidden": 64.0})).hidden == 64


def test_mapping_round_trip() -> None:
    """A Spec survives the way through a mapping."""
    spec = Spec(**HYBRID)
    assert spec_from_mapping(spec_as_mapping(spec)) == spec
    assert build(spec).spec == asdict(spec)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"heads": 7}, "heads"),
        ({"kv_heads": 3}, "kv_heads"),
        ({"layers": 0}, "layers"),
        ({"layers": 10**6}, "layers"),
        ({"hidden": -4}, "hidden"),
        ({"vocab": float("nan")}, "vocab"),
        ({"ffn": 0}, "ffn"),
        ({"ffn": True}, "ffn"),
        ({"hidden": "64"}, "hidden"),
        ({"mlp": "relu6"}, "mlp"),
        ({"norm": "batchnorm"}, "norm"),
        ({"position": "sinusoidal"}, "position"),
        ({"position": "learned"}, "max_positions"),
        ({"tied": 1}, "tied"),
        ({"output_bias": "no"}, "output_bias"),
        ({"tied": None}, "tied"),
        ({"name": 5}, "name"),
        ({"rope_fraction": 2}, "rope_fraction"),
        ({"window_pattern": "WX"}, "window_pattern"),
        ({"parallel_norms": 3}, "parallel_norms"),
        ({"kv_lora_rank": 8}, "kv_lora_rank"),
        ({"experts": 4}, "top_k"),
        ({"experts": 4, "top_k": 5}, "top_k"),
        ({"experts": 4, "top_k": 2, "ffn": 0}, "expert_ffn"),
        ({"top_k": 2}, "experts"),
        ({"experts": 4, "top_k": 2, "dense_layers": 5}, "dense_layers"),
        ({"moe_every": 0}, "moe_every"),
        ({"pattern": "M*"}, "pattern"),
        ({"pattern": "M*-X"}, "pattern"),
        ({"pattern": "*E*E"}, "experts"),
        ({"pattern": "M*M*"}, "mamba_heads"),
        ({"mamba_heads": 6, "mamba_groups": 4}, "mamba_groups"),
    ],
)
def test_impossible_models(changed: dict[str, Any], field: str) -> None:
    """Each impossible dimension is refused with its field and a remedy."""
    with pytest.raises(InputError) as caught:
        Spec(**(LLAMA | changed))
    assert caught.value.place.field == field
    assert caught.value.hint


def test_mapping_errors_have_the_place() -> None:
    """Unknown fields name the nearest; missing and wrong ones carry the file and the field."""
    at = Place(file="mine.yaml")
    with pytest.raises(InputError, match="unknown field 'hiden'") as caught:
        spec_from_mapping(LLAMA | {"hiden": 3}, at)
    assert "hidden" in caught.value.hint
    with pytest.raises(InputError, match=r"mine\.yaml: layers") as caught:
        spec_from_mapping({key: value for key, value in LLAMA.items() if key != "layers"}, at)
    with pytest.raises(InputError, match=r"mine\.yaml: heads"):
        spec_from_mapping(LLAMA | {"heads": 7}, at)


def names(spec: Spec, layer: int) -> list[str]:
    """Names of a layer's operators."""
    model = build(spec)
    return [operator.name for operator in model.blocks[model.layers[layer]].operators]


def test_equal_layers_share_a_block() -> None:
    """Windows and experts make kinds of layer; equal layers are one Block."""
    model = build(Spec(**(MOE | {"layers": 6, "dense_layers": 2, "window": 16, "window_pattern": "WF"})))
    assert [block.name for block in model.blocks] == ["dense-layer-window-16", "dense-layer", *MOE_KINDS]
    assert model.layers == (0, 1, 2, 3, 2, 3)


MOE_KINDS = ("moe-layer-window-16", "moe-layer")


def test_every_second_layer_has_experts() -> None:
    """moe_every counts from one: layers 2, 4, ... have experts."""
    spec = Spec(**MOE, moe_every=2)
    assert ["router" in names(spec, layer) for layer in range(4)] == [False, True, False, True]


def test_parts_of_layers() -> None:
    """Serial, parallel, sandwiched, hybrid and latent layers hold the operators they should, in order."""
    assert names(Spec(**LLAMA), 0) == [
        "input_norm",
        "qkv",
        "rotary",
        "core_attention",
        "attn_out",
        "attn_residual",
        "mlp_norm",
        "mlp_up",
        "mlp_act",
        "mlp_down",
        "mlp_residual",
    ]
    assert names(Spec(**LLAMA, parallel_block=True, parallel_norms=2), 0)[:3] == ["input_norm", "mlp_norm", "qkv"]
    assert names(Spec(**LLAMA, sandwich_norm=True), 0)[-2:] == ["mlp_after_norm", "mlp_residual"]
    assert names(Spec(**HYBRID), 0) == ["input_norm", "mamba_in", "conv", "scan", "gated_norm", "mamba_out", "residual"]
    latent = Spec(**LLAMA, kv_lora_rank=8, qk_nope_dim=4, v_dim=4)
    assert names(latent, 0)[1:4] == ["q", "kv_down", "kv_norm"]
    assert "latent_down" in names(Spec(**MOE, latent=16), 0)


def test_prediction_layers_belong_to_the_head() -> None:
    """Multi-token prediction follows the loss: merge, one layer, logits and loss again; tables are shared."""
    spec = Spec(**(MOE | {"mtp_layers": 2, "head_bias": True}))
    head = build(spec).head
    assert [operator.name for operator in head[:4]] == ["final_norm", "logits", "loss", "mtp0.merge_norm"]
    assert head[-1].name == "mtp1.loss"
    assert next(operator for operator in head if operator.name == "mtp0.logits").params == 0
    assert head[1].params == 64 * 100 + 100
