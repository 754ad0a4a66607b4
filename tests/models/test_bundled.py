"""Bundled models: every figure has its source, and the totals are the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import exaplan
from exaplan.errors import CatalogError, InputError
from exaplan.models.bundled import HEADER, SOURCE, model_from_mapping, sources_of, spec_and_figures
from exaplan.models.count import parameters
from exaplan.models.transformer import build

FOLDER = Path(exaplan.__file__).parent / "data" / "models"
FILES = sorted(FOLDER.glob("*.yaml"))
KINDS = {"vendor", "paper", "regulation", "measurement", "estimate", "press", "dataset"}

#: Published to fewer digits than three, or under a rounded name: relative distance that is still the same number.
ROUNDED = {
    "gpt-neox-20b": 0.03, "nemotron-3-8b": 0.07, "nemotron-4-15b": 0.05, "gpt2-medium": 0.02, "gpt3-5b": 0.02,
    "nemotron-nano-9b-v2": 0.0125, "nemotron-nano-12b-v2": 0.026, "llama-4-scout": 0.012,
}  # fmt: skip

#: (total, active) as published, and how close ours must be. Active counts differ in whether tables count: ours do.
PUBLISHED = {
    "grok-1": (314e9, None, 0.006),
    "deepseek-v3": (671e9, 37e9, 0.016),
    "deepseek-v2": (236e9, 21e9, 0.02),
    "llama-3.1-405b": (405e9, None, 0.003),
    "mixtral-8x7b": (46.7e9, 12.9e9, 0.002),
    "mixtral-8x22b": (141e9, 39e9, 0.005),
    "gpt3-175b": (175e9, None, 0.003),
    "qwen3-235b-a22b": (235e9, 22e9, 0.01),
    "qwen3-30b-a3b": (30.5e9, 3.3e9, 0.02),
    "nemotron-3-nano-30b-a3b": (31.6e9, 3.6e9, 0.01),
    "kimi-k2": (1.04e12, 32e9, 0.03),
    "bloom-176b": (176_247_271_424, None, 0.0),
    "turing-nlg-530b": (530e9, None, 0.001),
    "megatron-1t": (1008e9, None, 0.001),
    "qwen3.5-397b-a17b": (397e9, 17e9, 0.021),
    "glm-5": (744e9, 40e9, 0.045),
    "minimax-m2.5": (230e9, 10e9, 0.11),
    "llama-4-scout": (109e9, 17e9, 0.012),
    "gemma-3-12b": (11_765_788_416, None, 1e-4),
    "qwen3-omni-30b-a3b": (30_532_122_624, 3.3e9, 0.02),
    "qwen3-vl-8b": (8_190_735_360, None, 1e-9),
    "qwen3-vl-32b": (32_762_123_264, None, 1e-9),
    "gptj-6b": (6_053_381_344, None, 5e-4),
}

#: Exact counts that llm-foundry's benchmarks print (scripts/train/benchmarking/README.md, sequence length 2,048).
MPT = {
    "mpt-1b": 1_315_950_592,
    "mpt-3b": 2_651_837_440,
    "mpt-7b": 6_658_859_008,
    "mpt-13b": 12_853_954_560,
    "mpt-30b": 29_975_214_080,
    "mpt-70b": 64_862_437_376,
}


def content(name: str) -> dict[str, Any]:
    """A bundled file, parsed."""
    value: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_figure_has_its_source(file: Path) -> None:
    """Each bundled model loads; every stated dimension kept its source; no source is unused."""
    body = content(file.stem)
    model = model_from_mapping(body)
    assert model.name == file.stem
    assert set(body) <= set(HEADER)
    sources = {source.id: source for source in sources_of(body)}
    assert all(source.kind in KINDS and source.address.startswith("https://") for source in sources.values())
    assert {figure.source for figure in model.figures.values()} == set(sources)
    stated = [key for group in body["dimensions"] for key in group if key != "source"]
    assert set(stated) <= set(model.figures)
    for key in stated:
        number = model.figures[key].value
        assert number is None or number == model.spec[key]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_counts_are_as_the_file_says_published(file: Path) -> None:
    """Parameters are within one per cent of what the publisher says, or within the rounding listed here."""
    model = model_from_mapping(content(file.stem))
    said = model.figures.get("published.parameters")
    if said is not None and said.value is not None:
        assert parameters(model)[0] == pytest.approx(said.value, rel=ROUNDED.get(file.stem, 0.0101))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name: str) -> None:
    """Totals and active counts are the published ones."""
    total, active, rel = PUBLISHED[name]
    ours = parameters(model_from_mapping(content(name)))
    assert ours[0] == pytest.approx(total, rel=rel)
    assert active is None or ours[1] == pytest.approx(active, rel=rel)


@pytest.mark.parametrize("name", MPT)
def test_mosaic_counts_are_exact(name: str) -> None:
    """MosaicML's sizes have exactly the parameters that its benchmarks print."""
    assert parameters(model_from_mapping(content(name)))[0] == MPT[name]


def test_gpt_oss_counts_as_its_card_does() -> None:
    """gpt-oss: 116.83 and 20.91 B; active 5.13 and 3.61 B without the embedding table (model card, Table 1)."""
    for name, total, active in (("gpt-oss-120b", 116.83e9, 5.13e9), ("gpt-oss-20b", 20.91e9, 3.61e9)):
        ours = parameters(model_from_mapping(content(name)))
        assert ours[0] == pytest.approx(total, rel=1e-3)
        assert ours[1] - 201088 * 2880 == pytest.approx(active, rel=2e-3)


def test_a_source_id_means_one_source() -> None:
    """The same id is the same source in every file."""
    seen: dict[str, Any] = {}
    for file in FILES:
        for source in sources_of(content(file.stem)):
            assert seen.setdefault(source.id, source) == source


MINE: dict[str, Any] = {"name": "mine", "layers": 2, "hidden": 64, "heads": 8, "vocab": 100, "ffn": 96}
CITED: dict[str, Any] = {
    "name": "cited",
    "sources": [{"id": "s", "title": "t", "address": "https://a", "date": "2026", "kind": "paper"}],
    "dimensions": [{"source": "s", **{key: value for key, value in MINE.items() if key != "name"}}],
}


def test_a_user_may_leave_sources_out() -> None:
    """In a user's file the fields may stand at the top or under dimensions; the file is their source."""
    model = model_from_mapping(MINE, own="user:mine.yaml")
    assert model.figures["hidden"].source == "user:mine.yaml"
    grouped = {"name": "mine", "dimensions": {key: value for key, value in MINE.items() if key != "name"}}
    assert model_from_mapping(grouped, own="user:mine.yaml").layers == model.layers
    assert build(spec_and_figures(CITED)[0]).blocks == model.blocks


def test_low_and_high_are_kept() -> None:
    """Where sources differ, low, high, date and note stay with the figure."""
    figure = model_from_mapping(content("gpt3-175b")).figures["vocab"]
    assert (figure.value, figure.low) == (51200, 50257)
    assert "padded" in figure.note


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"dimensions": [{"layers": 2}]}, "has no source"),
        ({"dimensions": [{"source": "x", "layers": 2}]}, "unknown source 'x'"),
        ({"dimensions": [*CITED["dimensions"], {"source": "s", "layers": 3}]}, "stated twice"),
        ({"dimensions": [7]}, "needs groups"),
        ({"dimensions": [{"source": "s", "layers": {"low": 1}}]}, "needs value"),
        ({"sources": [{"id": "s"}]}, f"needs exactly {', '.join(SOURCE)}"),
        ({"published": [{"source": "s", "weight": 3}]}, "no published count"),
        ({"published": [{"parameters": 3}]}, "has no source"),
    ],
)
def test_broken_files(changed: dict[str, Any], what: str) -> None:
    """No source, no load; contradictions and malformed parts are refused."""
    with pytest.raises(InputError, match=what):
        model_from_mapping(CITED | changed)


def test_missing_source_is_a_catalogue_error() -> None:
    """A figure of ours without a source is the catalogue's fault."""
    with pytest.raises(CatalogError):
        model_from_mapping(MINE)
