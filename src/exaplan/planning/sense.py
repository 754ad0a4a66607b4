"""Second looks: is the batch too large to learn from, the chip too full, not out yet or not to be rented there, do
limits hold by the expected value only?"""

from __future__ import annotations

from dataclasses import replace

from exaplan.planning.batching import critical_batch, extra_tokens
from exaplan.planning.drafts import Draft, Goal, draft
from exaplan.planning.legal import released
from exaplan.planning.limits import missed
from exaplan.planning.resolving import Setting
from exaplan.planning.standing import stands_there
from exaplan.search import MEMORY_MARGIN

FEW_STEPS = 100  # below it a schedule of warm-up and decay has no room


def batch_sense(setting: Setting, tokens: float | None, times: int = 1) -> tuple[str, ...]:
    """A warning where ``times`` the global batch lies beyond the critical batch by every law."""
    training = setting.case.training
    found = critical_batch(setting.model, tokens, training.seq_len)
    batch = float(times * training.global_batch * training.seq_len)
    if found is None or batch <= found.high:
        return ()
    which = "the" if times == 1 else f"{times} times the"
    laws = f"{found.low / 1e6:.3g}M to {found.high / 1e6:.3g}M by {', '.join(found.laws)}"
    return (
        f"{which} global batch, {batch / 1e6:.3g}M tokens, is beyond the critical batch ({laws}): "
        f"the same loss takes about {extra_tokens(batch, found.value):.2g} times the fewest tokens (arXiv:1812.06162)",
    )


def steps_sense(setting: Setting, steps: float | None) -> tuple[str, ...]:
    """A warning where a run has so few steps that its batch is hardly meant."""
    if steps is None or steps >= FEW_STEPS:
        return ()
    batch = setting.case.training.global_batch
    return (f"the run has {max(1, round(steps)):,} steps of {batch:,} sequences: is work.global_batch meant so large?",)


def room_sense(setting: Setting, memory: float) -> tuple[str, ...]:
    """A warning where a layout that was given fills more of the chip than a plan of ours would. memory [B per chip]"""
    share = memory / setting.case.hardware.memory
    if share <= MEMORY_MARGIN:
        return ()
    if share <= 1.0:
        return (f"the layout fills {share:.1%} of the memory; a plan keeps to {MEMORY_MARGIN:.0%} of it",)
    return (
        f"the layout needs {share:.1%} of the memory, with the reserve that is assumed for context and fragmentation: "
        "it fits only where they take less",
    )


def release_sense(setting: Setting) -> tuple[str, ...]:
    """A warning where the run starts before its chip was released."""
    ask, chip = setting.ask, setting.cluster.chip
    if ask.start is None or ask.fleet or released(chip, ask.start.isoformat()) is not False:
        return ()
    return (f"{chip.name} was released in {chip.release}, after the start on {ask.start.isoformat()}",)


def standing_sense(setting: Setting, best: Draft) -> tuple[str, ...]:
    """A warning where a named chip is rented in a place, under a law, in which it is not known to stand."""
    ask, cluster, quote = setting.ask, setting.cluster, best.bill.quote if best.bill else None
    day, country = ask.start.isoformat() if ask.start else "", setting.cluster.site.country
    if not ask.bound or quote is None or quote.terms != "rent" or not country:
        return ()
    if stands_there(setting.catalog, cluster, country, day):
        return ()
    return (
        f"{cluster.chip.name} is only known to stand in a cloud, and no rent of it in {country}: its price is of "
        f"{quote.place or 'its own node'}",
    )


def hold_sense(best: Draft, goal: Goal) -> tuple[str, ...]:
    """A warning where limits hold by the expected value only."""
    if goal.upper:
        return ()
    asked = replace(goal, upper=True, most=False, steps=best.steps)
    strict = draft(best.option, best.layout, best.step, best.high, best.memory, best.watts, asked)
    return tuple(
        f"{name} holds by the expected value only: the upper end of the range misses it"
        for name in missed(strict, goal.bounds)
    )
