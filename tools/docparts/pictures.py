"""Pictures that the program draws itself: what `--report` writes."""

from __future__ import annotations

import re
import tempfile
from importlib.util import find_spec
from pathlib import Path

from docparts import transcripts

FRONT = {
    "model": "llama-3.1-8b",
    "work": {"seq_len": 8192},
    "cluster": {"chip": ["H100", "H200", "B200", "GB200", "MI300X"]},
    "limits": {"money": "$2M", "deadline": "30 d"},
}  # the question of docs/how-to/report.md


def can_draw() -> bool:
    """Whether the renderer is installed (extra ``report``)."""
    return find_spec("vl_convert") is not None


def front() -> str:
    """The charts of the question of the page on reports, as SVG."""
    import exaplan
    from exaplan.report.page import report_bytes

    answer = exaplan.plan(exaplan.parse(FRONT), exaplan.load())
    return report_bytes(answer, ".svg").decode("utf-8")


LAW = "exaplan chips --to CN --on 2023-11-17 --report law.svg"  # of docs/how-to/check-a-chip.md, as the next one
TIMELINE = "exaplan check A100 A800 H800 H20 H200 RTX4090 MI300X --to CN --timeline --report timeline.svg"
TAX = "exaplan tax llama-2-70b-lora-china --from 2022-10-01 --report tax.svg"  # of docs/how-to/ai-tax.md


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
