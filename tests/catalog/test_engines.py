"""Inference engines: every default has a source, and what depends on chip, release or use is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan.catalog import Catalog, load
from exaplan.catalog.engines import CHOICES, FIELDS, fitted, version
from exaplan.catalog.folder import Layer
from exaplan.errors import CatalogError, InputError
from exaplan.nouns.serving import Engine

CATALOG = load()
EVERY = [CATALOG.engines[name] for name in CATALOG.engines]


@pytest.mark.parametrize("engine", EVERY, ids=lambda engine: engine.name)
def test_every_default_has_its_source(engine: Engine) -> None:
    """Each field of an engine, and each change of a variant, cites a source that exists and holds the value."""
    assert set(engine.figures) == set(FIELDS)
    for variant in engine.variants:
        assert set(variant.figures) == set(variant.changes) != set()
    for holder in (engine.figures, *(variant.figures for variant in engine.variants)):
        assert all(CATALOG.source(figure.source).title for figure in holder.values())
    for key, figure in engine.figures.items():
        if key in CHOICES:
            assert figure.note.startswith(getattr(engine, key))
        else:
            assert figure.value == float(getattr(engine, key)), key


def test_the_engines_of_the_issue_are_there() -> None:
    """The engines that the issue names resolve, by alias too."""
    names = ["vllm-v0", "vllm-v1", "sglang", "trtllm", "trtllm-cpp", "llama.cpp", "pooled"]
    assert list(CATALOG.engines) == names
    assert CATALOG.engine("vLLM").name == "vllm-v1" and CATALOG.engine("TensorRT-LLM").name == "trtllm"


# engine, chip, use, release: sequences and tokens of an iteration, read in the sources that engines.yaml names.
BUDGETS = [
    ("vllm-v1", "h100-sxm", "server", "", 1024, 8192),
    ("vllm-v1", "h100-sxm", "offline", "", 1024, 16384),
    ("vllm-v1", "a100-sxm-80gb", "server", "", 256, 2048),
    ("vllm-v1", "a100-sxm-80gb", "offline", "", 256, 8192),
    ("vllm-v1", "rtx-4090", "server", "", 256, 2048),
    ("vllm-v1", "mi300x", "server", "0.8.5", 256, 2048),
    ("vllm-v1", "mi300x", "server", "0.9.0", 1024, 8192),
    ("sglang", "rtx-4090", "server", "", 2048, 2048),
    ("sglang", "l40s", "server", "", 2048, 4096),
    ("sglang", "h100-sxm", "server", "", 2048, 8192),
    ("sglang", "b200", "server", "", 2048, 16384),
    ("trtllm", "b200", "offline", "", 2048, 8192),
    ("llama.cpp", "rtx-4090", "server", "b3000", 1, 512),
    ("llama.cpp", "rtx-4090", "server", "b7000", 4, 512),
]


@pytest.mark.parametrize(("name", "chip", "usage", "release", "seqs", "tokens"), BUDGETS)
def test_defaults_follow_chip_release_and_use(
    name: str, chip: str, usage: str, release: str, seqs: int, tokens: int
) -> None:
    """Budgets by memory of the chip, by use and by release are those of the engines' own sources."""
    made = fitted(CATALOG.engine(name), CATALOG.chip(chip), usage, release)
    assert (made.max_seqs, made.max_tokens) == (seqs, tokens)
    assert made.figures["max_tokens"].value == tokens


def test_sglang_keeps_the_memory_that_its_formula_gives() -> None:
    """mem_fraction_static: what is left of the chip after 0.5 GB, 1.5 MB a token of a chunk, 2 MB a graph size."""
    for chip, total, chunk, graphs in (("h100-sxm", 81559, 8192, 256), ("b200", 183359, 16384, 512)):
        reserved = max(512 + 1.5 * chunk + 2 * graphs + 1024 / 8, 10 * 1024)
        share = fitted(CATALOG.engine("sglang"), CATALOG.chip(chip)).memory_share
        assert share == pytest.approx(1 - reserved / total, abs=0.01)


def test_vllm_schedules_ahead_from_0_14() -> None:
    """Asynchronous scheduling is a default of release 0.14 and later, and of builds without a number."""
    engine = CATALOG.engine("vllm-v1")
    seen = {release: fitted(engine, release=release).overlap for release in ("0.13.2", "0.14.0", "0.19.0", "nightly-x")}
    assert seen == {"0.13.2": False, "0.14.0": True, "0.19.0": True, "nightly-x": True}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0.5.6.post2", (0, 5, 6)), ("v0.18.0", (0, 18, 0)), ("1.0.0rc3", (1, 0, 0)), ("b3000", (3000,)), ("dev", ())],
)
def test_a_release_is_read_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    """Post, candidate and development suffixes do not count."""
    assert version(text) == numbers


ENTRY = """mine:
  family: mine
  batching: mixed
  admission: now
  preemption: recompute
  chunked: true
  share_of_free: false
  prefix_cache: true
  graphs: true
  overlap: true
  max_seqs: 8
  max_tokens: 512
  block: 16
  memory_share: 80%
  watermark: 0
"""


def overlay(folder: Path, text: str) -> Catalog:
    """The catalogue with a folder over it that holds this engines.yaml."""
    (folder / "engines.yaml").write_text(text, encoding="utf-8")
    return Catalog((*CATALOG.layers, Layer(folder, f"user:{folder}")))


def test_a_user_brings_an_engine(tmp_path: Path) -> None:
    """In a folder of one's own bare values are enough; the folder is their source."""
    text = ENTRY + "  variants:\n    - {memory_below: 16 GiB, chip: 4090|3070, max_seqs: 2}\n"
    made = overlay(tmp_path, text).engine("mine")
    assert made.memory_share == 0.8 and made.figures["max_seqs"].source == f"user:{tmp_path}"
    assert fitted(made, CATALOG.chip("rtx-3070")).max_seqs == 2
    assert fitted(made, CATALOG.chip("rtx-4090")).max_seqs == 8
    assert fitted(made).max_seqs == 8


WRONG = [
    (ENTRY.replace("batching: mixed", "batching: wild"), "unknown batching `wild`", "static"),
    (ENTRY.replace("chunked: true", "chunked: maybe"), "`maybe` is not true or false", "true"),
    (ENTRY.replace("  block: 16\n", ""), "the field `block` is missing", "block"),
    (ENTRY.replace("max_seqs: 8", "max_seqs: 0"), "not plausible", "between"),
    (ENTRY + "  colour: red\n", "unknown field `colour`", "known fields"),
    (ENTRY + "  variants: yes\n", "`variants` is not a list", "memory_from"),
    (ENTRY + "  variants:\n    - {usage: server}\n", "changes nothing", "max_seqs"),
    (ENTRY + "  variants:\n    - {usage: night, max_seqs: 3}\n", "unknown use `night`", "offline"),
    (ENTRY + "  variants:\n    - {chip: '(', max_seqs: 3}\n", "not a pattern", "chip"),
]


@pytest.mark.parametrize(("text", "problem", "hint"), WRONG)
def test_a_wrong_engine_is_refused_with_its_place(tmp_path: Path, text: str, problem: str, hint: str) -> None:
    """A wrong entry names file and line, what is wrong, and what would be right."""
    with pytest.raises(InputError) as caught:
        overlay(tmp_path, text).engine("mine")
    assert problem in caught.value.problem and hint in caught.value.hint
    assert caught.value.place.file and caught.value.place.line


def test_the_catalogue_itself_needs_sources(tmp_path: Path) -> None:
    """Without a source an entry of the catalogue does not load; an unknown name lists the nearest."""
    (tmp_path / "engines.yaml").write_text(ENTRY, encoding="utf-8")
    (tmp_path / "sources.yaml").write_text("s: {title: t, address: a, date: 2026, kind: vendor}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="has no source"):
        Catalog((Layer(tmp_path),)).engine("mine")
    with pytest.raises(InputError, match="unknown engine `vlm`") as caught:
        CATALOG.engine("vlm")
    assert "vllm" in caught.value.hint
