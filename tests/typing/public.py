"""What a typed user of exaplan sees: mypy --strict reads this file, nobody runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import exaplan
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

question = exaplan.parse({"model": "llama-3.1-8b", "cluster": {"chip": "H100"}})
assert_type(question, exaplan.Ask | exaplan.ServeAsk)
assert isinstance(question, exaplan.Ask)
answer = exaplan.plan(question, catalog, top=2)
assert_type(answer, exaplan.Answer)
assert_type(exaplan.estimate(question, catalog).estimates, tuple[exaplan.Priced, ...])
assert_type(answer.estimates[0].cost, float | None)
assert_type(exaplan.validate(catalog).summary, Mapping[str, exaplan.Score])

deal = exaplan.Deal(to=catalog.country("China"), on="2023-11-17")
verdict = exaplan.check(chip, deal, catalog.rules)
assert_type(verdict, exaplan.Verdict)
assert_type(verdict.facts, Mapping[str, float | None])
assert_type(verdict.clauses[0].holds, bool | None)
assert_type(answer.verdicts, tuple[exaplan.Verdict, ...])

lawful = exaplan.parse({"model": "llama-3.1-8b", "work": {"tokens": "1T"}, "law": {"to": "CN", "on": "2024-01-15"}})
assert_type(lawful.law.to, str | None)
traffic = exaplan.parse({"model": "llama-3.1-8b", "work": {"rate": "2/s", "slo": {"ttft": "1 s"}}})
assert isinstance(traffic, exaplan.ServeAsk)
assert_type(exaplan.plan(traffic, catalog), exaplan.Served)
assert_type(exaplan.simulate(traffic, catalog).plans, tuple[exaplan.ServePlan, ...])
burden = exaplan.tax(lawful, catalog)
assert_type(burden, exaplan.Tax)
assert_type(burden.sides["buy"].tax, float | None)
assert_type(exaplan.own(catalog, answer.cluster, cooling="sea-water"), exaplan.Owned)
assert_type(exaplan.make(catalog, "dojo"), exaplan.Made)
assert_type(exaplan.cases(catalog), tuple[exaplan.CaseAnswer, ...])
