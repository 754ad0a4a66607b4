"""What the tests of the catalogue write: a user's chip, and any file."""

from __future__ import annotations

from pathlib import Path

MINE = """\
name: mine
architecture: hopper
peak: {bf16: 500 TFLOP/s}
memory: 96 GiB
bandwidth: 4 TB/s
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
