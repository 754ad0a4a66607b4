"""Pictures that the program draws itself: what `--report` writes."""

from __future__ import annotations

import re
import tempfile
from importlib.util import find_spec
from pathlib import Path

from docparts import transcripts

# Commands of the pages on reports, on checking a chip and on the AI tax.
COMMANDS = (
    "exaplan plan --model llama-3.1-8b --budget '$2M' --deadline 30d --seq-len 8192 "
    "--chip H100,H200,B200,GB200,MI300X --report front.svg",
    "exaplan chips --to CN --on 2023-11-17 --report law.svg",
    "exaplan check A100 A800 H800 H20 H200 RTX4090 MI300X --to CN --timeline --report timeline.svg",
    "exaplan tax llama-2-70b-lora-china --from 2022-10-01 --report tax.svg",
)


def can_draw() -> bool:
    """Whether the renderer is installed (extra ``report``)."""
    return find_spec("vl_convert") is not None


def drawn(command: str) -> str:
    """The picture that a command with ``--report`` writes."""
    with tempfile.TemporaryDirectory(prefix="exaplan-docs-") as folder:
        done = transcripts.run(command, Path(folder))
        if done.code:
            raise RuntimeError(f"{command}: exit {done.code}\n{done.text}")
        return (Path(folder) / command.split()[-1]).read_text(encoding="utf-8")


def words(svg: str) -> list[str]:
    """What a picture says, without how it is drawn, which differs between releases of the renderer."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)
