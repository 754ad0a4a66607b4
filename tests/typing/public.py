"""What a typed user of exaplan sees: mypy --strict reads this file, nobody runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

from exaplan.catalog import load
from exaplan.models.count import parameters
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Chip, Figure, Layout, Model

catalog = load()
chip = catalog.chip("H100")
assert_type(chip, Chip)
assert_type(chip.peak, Mapping[str, float])
assert_type(chip.power, float | None)
assert_type(chip.figures["memory"], Figure)

model = build(Spec(name="mine", layers=2, hidden=64, heads=4, vocab=100, ffn=128))
assert_type(model, Model)
assert_type(parameters(model), tuple[int, int])

layout = Layout(dp=2, tp=4)
assert_type(layout.chips, int)
