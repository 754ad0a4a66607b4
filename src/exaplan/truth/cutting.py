"""The layout of a row: what its columns state, and what was chosen where they are blank."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exaplan.catalog import tuning
from exaplan.nouns import Layout
from exaplan.truth.reading import FALSE, TRUE, Skip, blank_layout, cell, whole

# Fields of the layout that a row may state, and that a search keeps where it does.
STATED = ("tp", "pp", "vpp", "cp", "ep", "etp", "micro_batch")


def software_of(row: Mapping[str, str]) -> Mapping[str, Any]:
    """What is known of the software that a row names (data/frameworks.yaml); {} for an unknown one."""
    return tuning.generation(f"{row.get('framework') or ''} | {row.get('source') or ''}")


def sharding_of(row: Mapping[str, str], dp: int) -> tuple[int, int, str]:
    """(ZeRO stage, group, what was chosen). Blank: what the software had, else 1 (Megatron's distributed optimizer)."""
    text = (row.get("zero_stage") or "").strip().lower()
    if (row.get("fsdp") or "").strip().lower() in TRUE and not text.startswith("fsdp+"):
        return 3, 0, ""
    if found := re.search(r"shard group (\d+)", text):
        return 3, int(found.group(1)), ""
    if "hsdp" in text:
        return 3, 8, "HSDP shards within a node of 8"
    if "zero3" in text or "fsdp+dp" in text or "megatron-fsdp" in text or text in ("3", "3.0"):
        return 3, 0, ""
    if "zero2" in text or text in ("2", "2.0"):
        return 2, 0, ""
    if text in ("none", "0", "0.0", "ddp"):
        return 0, 0, ""
    if text:
        return 1, 0, ""
    stage = int(software_of(row).get("zero", 1))
    return stage, 0, f"zero = {stage}"


def recompute_of(row: Mapping[str, str]) -> str | None:
    """Recompute setting, or None where unknown (then the cheapest that fits is chosen)."""
    text = (row.get("recompute") or "").strip().lower()
    if not text:
        return None
    if text.startswith("modules:"):
        names = [part.strip() for part in text.removeprefix("modules:").split(",")]
        known = {"out_proj": "attn_proj", "mlp_wi": "mlp_act", "attn": "core_attn", "moe_layer": "moe"}
        return ",".join(known.get(name, name) for name in names)
    if text.startswith("selective-op"):
        return "layernorm,mlp_act,attn_proj"
    if text.startswith("selective-layer"):
        return "full:0.5"
    if text.startswith("full"):
        return "full"
    if text.startswith("selective"):
        return "selective"
    return "none"


def sequence_parallel_of(row: Mapping[str, str], tp: int) -> bool:
    """Blank: on wherever tp > 1, unless the software is older than sequence parallelism."""
    text = (row.get("sequence_parallel") or "").strip().lower()
    known = bool(text) or bool(software_of(row).get("sequence_parallel", True))
    return tp > 1 and known and not text.startswith(FALSE)


def schedule_of(row: Mapping[str, str], pp: int) -> str:
    """DualPipe where the framework's cell names it, else 1F1B (interleaved by vpp)."""
    return "dualpipe" if pp > 1 and "dualpipe" in (row.get("framework") or "").lower() else "1f1b"


def layout_of(row: Mapping[str, str]) -> tuple[Layout, list[str]]:
    """The row's layout and what was chosen for blanks; tp, pp and micro_batch count as 1 here where they are blank."""
    chips, tp, pp = whole(row, "n_chips"), max(1, whole(row, "tp", 1)), max(1, whole(row, "pp", 1))
    cp, ep = max(1, whole(row, "cp", 1)), max(1, whole(row, "ep", 1))
    dp = chips // (tp * pp * cp)
    if dp < 1 or dp * tp * pp * cp != chips:
        raise Skip(f"layout does not use {chips} chips: tp {tp} x pp {pp} x cp {cp} leaves no whole dp")
    etp = whole(row, "etp", tp if (chips // pp) % (tp * ep) == 0 else 1)
    zero, group, said = sharding_of(row, dp)
    recompute = recompute_of(row)
    layout = Layout(
        dp=dp,
        tp=tp,
        pp=pp,
        vpp=max(1, whole(row, "vpp", 1)) if pp > 1 else 1,
        cp=cp,
        ep=ep,
        etp=min(etp, tp),
        micro_batch=whole(row, "micro_batch", 1),
        recompute=recompute or "none",
        zero=zero,
        zero_group=group,
        sequence_parallel=sequence_parallel_of(row, tp),
        schedule=schedule_of(row, pp),
    )
    return layout, chosen_of(row, pp, said, recompute)


def chosen_of(row: Mapping[str, str], pp: int, sharding: str, recompute: str | None) -> list[str]:
    """What was chosen for the blank cells of a row."""
    chosen = ["ep = 1"] if whole(row, "experts", 0) and not cell(row, "ep") else []
    if blank := blank_layout(row):
        names = [*blank, "ep"] if chosen else blank
        chosen = [f"{', '.join(names)} = those of the layout that the search ranks first"]
    chosen += ["vpp = 1"] if not cell(row, "vpp") and (pp > 1 or "pp" in blank) else []
    chosen += ["cp = 1"] if not cell(row, "cp") else []
    chosen += [sharding] if sharding else []
    return chosen if recompute is not None else [*chosen, "recompute = cheapest that fits"]


def stated_of(row: Mapping[str, str], layout: Layout) -> dict[str, object]:
    """What a search for the blank fields must keep: every field that the row states, and the sharding."""
    fixed: dict[str, object] = {name: getattr(layout, name) for name in STATED if cell(row, name)}
    fixed |= {"cp": layout.cp, "vpp": layout.vpp, "zero": layout.zero, "zero_group": layout.zero_group}
    if recompute_of(row) is not None:
        fixed["recompute"] = layout.recompute
    return fixed
