"""The page of an ask's fields, out of its JSON schemas and the flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docparts.pages import MADE, cell, table

# Fields that have no flag of their own, or that a flag's help says too little of.
MEANINGS = {
    "work.kind": "What is done. Left out: serving where work holds rate, users, trace or prompt, else training.",
    "work.targets": "Layers that LoRA adapts, by Megatron's names (linear_qkv, linear_proj, linear_fc1, linear_fc2).",
    "cluster.name": "A published cluster of the catalogue, or a cluster file.",
    "layout.zero_group": "Ranks over which states are sharded; 0 = all data ranks (smaller: HSDP).",
    "layout.sequence_parallel": "Norms and residuals divided over tensor ranks too.",
    "layout.cp_kind": "How context ranks exchange: keys and values in a ring, or heads (Ulysses).",
    "layout.offload": "Optimizer state in host memory.",
    "cluster.power_cap": "Limit that each chip runs at; left out, its TDP.",
    "cluster.fleet": "What you have, like 64xA100,8xH100; the best of them is chosen. In a file a list of "
    "{chip, count, node, fabric}; node and fabric may be left out.",
    "cluster.terms": "any (the offer that needs the least cash), rent, buy, or own (already there). "
    "Left out: any; own for a fleet.",
    "limits.count": "Chips at most. Where counts are searched freely, 16,384 unless it says otherwise.",
    "objective": "Left out: throughput for a deadline or budget without tokens and steps, cost for a deadline "
    "without a budget, else time.",
    "work.requests": "Requests that are simulated.",
    "work.prompt": "New tokens of a request; the shared prefix and the history come on top.",
    "work.keep": "Tokens of history that a window keeps.",
    "work.prefix": "Tokens that all prompts share, before the prompt.",
    "work.trace": "A file of requests, CSV or Parquet, relative to the ask.",
    "work.speculative.draft": "mtp (the model's own extra layers), ngram (no model), or the name of a small model.",
    "work.lora.adapters": "LoRA adapters that are in use at a time.",
    "work.lora.rank": "Their rank.",
    "work.rag.chunks": "Pieces of a document.",
    "work.rag.chunk": "Tokens of a piece.",
    "work.rag.dimension": "Numbers in the vector of a piece.",
    "work.rag.index": "flat reads every vector; ivf reads those of the lists that are probed.",
    "work.rag.lists": "Lists of an ivf index; left out, by the root of the pieces.",
    "work.rag.probes": "Lists that are read for a question; left out, by the root of the lists.",
    "work.rag.embed": "The model that makes vectors; left out, that is done elsewhere.",
    "work.rag.rerank": "The model that reads the candidates again; left out, none does.",
    "work.rag.top_k": "Pieces that are put before the prompt.",
    "work.rag.candidates": "Pieces that the reranker reads.",
    "work.generation.time": "Time of one batch of samples (pictures, clips) on one copy: your own measurement.",
    "work.generation.batch": "Samples in it.",
    "work.price.input": "What a million tokens of prompts earn.",
    "work.price.output": "What a million tokens of answers earn.",
    "serving: objective": "What is least: cost of a period, chips, energy or carbon; or throughput, which is most.",
    "serving: limits.money": "Money of one work.period at most, like $50k.",
    "serving: cluster.count": "Chips in the cluster; searched if left out.",
    "serving: layout.dp": "Ranks of a copy that hold whole attention and their own requests, and share the experts.",
    "serving: start": "Day whose prices count.",
    "serving: seed": "Seed of the draws, and of the requests.",
    "engine.chunked": "Prompts are cut to max_tokens; left out, as the engine does.",
    "engine.prefix_cache": "KV of shared beginnings is kept; left out, as the engine does.",
    "engine.offload": "Host memory for KV blocks, per copy.",
    "engine.autoscale.least": "Copies at least.",
    "engine.autoscale.most": "Copies at most.",
    "engine.autoscale.target": "Requests of a copy, waiting and running, beyond which one more is started.",
    "engine.autoscale.delay": "Time until a started copy answers.",
    "engine.autoscale.idle": "Time below half the target after which a copy is stopped.",
} | {
    f"layout.prefill.{name}": f"{what} of the copies that read prompts, where work.disaggregated."
    for name, what in (
        ("tp", "Tensor parallelism"),
        ("pp", "Pipeline stages"),
        ("cp", "Context parallelism"),
        ("ep", "Expert parallelism"),
        ("dp", "Attention ranks"),
        ("replicas", "Number"),
    )
}
ABOUT = """\
# Fields of an ask

An ask is a YAML file. Quantities carry their unit (`15T`, `90 d`, `$2M`, `10 MW`, `20/s`); a bare number where a unit
is needed is refused. Everything but `model` may be left out; the answer lists what was taken instead.
`--set path=value` sets any field from the command line. `exaplan schema ask` prints the JSON schema.

An ask is about serving where `work` holds `rate`, `users`, `trace` or `prompt` (or `kind: serving`), else about
training. A field of the other kind is refused.
"""
HEADS = {"training": "## An ask about training\n", "serving": "## An ask about serving\n"}


def ask() -> str:
    """Every field of an ask with its kind, default, flag and meaning: of training, then of serving."""
    from exaplan.ask import json_schema

    parts = [MADE, ABOUT]
    for kind, head in HEADS.items():
        parts += [head, table(("field", "kind", "default", "flag", "meaning"), _rows(json_schema(kind), kind))]
    return "\n".join(parts)


def _rows(schema: Mapping[str, Any], kind: str) -> list[tuple[str, ...]]:
    from exaplan.cli.flags import FLAGS

    flags = {".".join(flag.keys): (_flag(name, flag.also), flag.help) for name, flag in FLAGS.items()}
    rows: list[tuple[str, ...]] = []
    for name, entry in _fields(schema):
        flag, meaning = flags.get(name, ("", ""))
        default = "" if entry.get("default") in (None, "", [], ()) else f"`{_default(entry)}`"
        meaning = MEANINGS.get(f"{kind}: {name}") or MEANINGS.get(name) or meaning
        rows.append((f"`{name}`", cell(_kind(entry)), default, flag, cell(meaning)))
    return rows


def _default(entry: Mapping[str, Any]) -> Any:
    """A default as a file would hold it: lengths are one number, times have a unit."""
    from exaplan import units

    value = entry["default"]
    if isinstance(value, Mapping):
        return f"{value['mean']:g}"
    if isinstance(value, float) and str(entry.get("description", "")).startswith("time"):
        return units.show(value, "time")
    return f"{value:g}" if isinstance(value, float) else value


def _flag(name: str, also: str) -> str:
    return f"`--{name.replace('_', '-')}`" + (f", `{also}`" if also else "")


def _fields(
    schema: Mapping[str, Any], above: str = "", root: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Any]]:
    root = root or schema
    for name, entry in schema.get("properties", {}).items():
        target = _resolved(entry, root)
        if "properties" in target:
            yield from _fields(target, f"{above}{name}.", root)
        else:
            yield f"{above}{name}", entry


def _resolved(entry: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A group of fields, also one that may be left out."""
    for option in (entry, *entry.get("anyOf", ())):
        if reference := option.get("$ref"):
            found: Mapping[str, Any] = root["$defs"][reference.rpartition("/")[2]]
            return found
    return entry


def _kind(entry: Mapping[str, Any]) -> str:
    options = [option for option in entry.get("anyOf", [entry]) if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(_one_kind(option) for option in options))


def _one_kind(option: Mapping[str, Any]) -> str:
    for key in ("enum", "const"):
        if key in option:
            values = option[key] if key == "enum" else [option[key]]
            return ", ".join(f"`{value}`" for value in values)
    if "description" in option:
        return str(option["description"])
    kind = option.get("type", "")
    name = " or ".join(kind) if isinstance(kind, list) else str(kind)
    limits = [f"{sign} {option[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in option]
    return {"object": "mapping", "array": "list", "string": "text", "boolean": "true or false"}.get(
        name, "whole number" if "integer" in name else name
    ) + (f" {', '.join(limits)}" if limits else "")
