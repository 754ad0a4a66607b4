"""The reference page of the inference engines, out of data/engines.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docparts.pages import cell, table
from exaplan.catalog import Catalog, load
from exaplan.nouns import Figure, Source
from exaplan.nouns.serving import Engine, Variant

HEAD = """# Inference engines

What each engine does where an ask says nothing, as its own release has it. A value under `engine` in an [ask](ask.md)
wins; a folder of one's own with an `engines.yaml` adds engines ([files](files.md#engines)). Defaults that depend on the
chip's memory, the release or the use stand below each table; the later line wins. `engine-recall` marks what was not
opened; the sources stand at the end.
"""
MEANINGS = {
    "batching": "`mixed`: prompt pieces and decode in one iteration; `prefill-first`: an iteration is one or the other",
    "chunked": "prompts are cut to `max_tokens`",
    "max_seqs": "sequences in an iteration",
    "max_tokens": "tokens in an iteration",
    "block": "tokens of a KV block",
    "memory_share": "share of the memory that it takes",
    "share_of_free": "that share is of what weights leave",
    "watermark": "share of blocks kept free at admission",
    "admission": "`whole`: only with room for the longest output; `now`: as soon as the prompt fits",
    "preemption": "what becomes of a sequence that is thrown out",
    "prefix_cache": "equal beginnings are computed once",
    "graphs": "decode runs from CUDA graphs",
    "overlap": "the next iteration is prepared while the chip works",
}


def engines() -> str:
    """The whole page."""
    catalog = load()
    every = [catalog.engines[name] for name in catalog.engines]
    parts = [HEAD, table(("default", "meaning"), [(f"`{key}`", meaning) for key, meaning in MEANINGS.items()])]
    for engine in every:
        parts += _engine(engine)
    return "\n".join([*parts, "## Sources\n", _sources(catalog, every)])


def _sources(catalog: Catalog, every: list[Engine]) -> str:
    used = {figure.source for engine in every for figure in engine.figures.values()}
    used |= {figure.source for engine in every for item in engine.variants for figure in item.figures.values()}
    found = [catalog.source(name) for name in sorted(used)]
    return table(("id", "what", "date"), [(f"`{item.id}`", cell(_linked(item)), item.date) for item in found])


def _linked(source: Source) -> str:
    return f"[{source.title}]({source.address})" if source.address.startswith("http") else source.title


def _engine(engine: Engine) -> Iterator[str]:
    also = f" (also `{'`, `'.join(engine.aliases)}`)" if engine.aliases else ""
    yield f"## {engine.name}\n"
    yield f"Releases {engine.versions}{also}; stands for {engine.release or 'none in particular'}.\n"
    rows = [(f"`{key}`", _value(getattr(engine, key)), *_origin(engine.figures[key])) for key in MEANINGS]
    yield table(("default", "value", "source", "note"), rows)
    if engine.variants:
        yield table(("where", "default", "source", "note"), list(_variants(engine)))


def _variants(engine: Engine) -> Iterator[tuple[str, ...]]:
    for variant in engine.variants:
        for key, value in variant.changes.items():
            yield _where(variant), f"`{key}` {_value(value)}", *_origin(variant.figures[key])


def _where(variant: Variant) -> str:
    """The conditions of a variant in words."""
    least, below = variant.memory
    parts = [f"{variant.usage} use"] if variant.usage else []
    parts += [f"memory of {least / 2**30:g} GiB and more"] if least else []
    parts += [f"memory below {below / 2**30:g} GiB"] if below else []
    parts += [f"chip `{variant.chip}`"] if variant.chip else []
    parts += [f"not `{variant.without}`"] if variant.without else []
    parts += [f"from {variant.since}"] if variant.since else []
    parts += [f"before {variant.before}"] if variant.before else []
    return ", ".join(parts).replace("|", "`, `")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _origin(figure: Figure) -> tuple[str, str]:
    """The source's id and the figure's own note."""
    note = figure.note.partition("; ")[2] if figure.value is None else figure.note
    return f"`{figure.source}`", cell(note)
