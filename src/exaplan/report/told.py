"""What an answer says in sentences: the decision first, then what holds it back and how far it is from any run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaplan import units
from exaplan.answers import Answer, Nearest, Priced, Relief
from exaplan.report.asked import by_cash, more_is_better, objective_dimension, part, several, sites, tokens_open
from exaplan.report.screen import amount, percent
from exaplan.report.sheets import cluster_of, layout_text
from exaplan.report.verdicts import brief
from exaplan.report.words import HOME, phrase, spoken, word

SWAPPED = "NOT THE ASKED CHIP"  # how planning begins to say that another chip was taken
UNCHECKED = "the limit on "  # how planning starts a warning of a limit that could not be checked
SMALL = 0.005  # a relief that gains less than this share of the objective is worth nothing worth saying


# ------------------------------------------------------------------------------------------- what was asked


def title(answer: Answer) -> str:
    """Model and the cluster of the best plan."""
    return word("plan.title", model=answer.model.name, count=f"{answer.count:,}", chip=answer.chip.name)


def place_line(answer: Answer) -> str:
    """Nodes, network and site of the best plan."""
    cluster = answer.cluster
    nodes = answer.estimates[0].nodes if answer.estimates else 0
    names = {"node": answer.node.name, "fabric": cluster.fabric.name, "site": cluster.site.name}
    return word("plan.subtitle", nodes=f"{nodes:,}", **names)


def work_line(answer: Answer) -> str:
    """What is trained, on how much."""
    work = part(answer, "work")
    batch, seq = (f"{work[key]:,}" if key in work else "?" for key in ("global_batch", "seq_len"))
    words = {"method": work.get("method", "full"), "kind": work.get("kind", "training")}
    told = word("plan.work", precision=work.get("precision", "?"), batch=batch, seq=seq, **words)
    return f"{told}; {_length(answer, work)}"


def _length(answer: Answer, work: Mapping[str, Any]) -> str:
    """How long the run is: in tokens, in steps, as long as the limits let it, or one step only."""
    if work.get("tokens") is not None:
        tokens = work["tokens"]
        return word("plan.run", tokens=tokens if isinstance(tokens, str) else units.show(float(tokens), "tokens"))
    if work.get("steps"):
        return word("plan.steps", steps=f"{work['steps']:,}")
    return word("plan.tokens_open") if tokens_open(answer) else word("plan.step_only")


# --------------------------------------------------------------------------------------------- the decision


def headline(answer: Answer) -> str:
    """The answer in one sentence; "" where nothing was asked that it could say (one step only).

    What binds, and which limit was asked and not checked, stand in it.
    """
    best = answer.estimates[0] if answer.estimates else None
    if best is None:
        return ""
    parts = [_placed(answer, best), *_cost(answer, best), *_sought(answer, best), *_training(best)]
    decision = [word("law.comma").join(parts)] if best.time is not None else []
    missed = map(phrase, unchecked(answer))
    told = word("law.semicolon").join(filter(None, (*decision, _held(answer) if decision else "", *missed)))
    return f"{told[0].upper()}{told[1:]}{word('law.stop')}" if told else ""


def swapped(answer: Answer) -> list[str]:
    """That the chip of the plans is not the one that was asked for, and why: told before all else."""
    found = dict.fromkeys((*answer.warnings, *answer.assumptions))
    return [phrase(text) for text in found if text.startswith(SWAPPED)]


def minded(answer: Answer) -> list[str]:
    """The warnings, each once; but that another chip was taken, which is told first."""
    return [phrase(text) for text in dict.fromkeys(answer.warnings) if not text.startswith(SWAPPED)]


def unchecked(answer: Answer) -> list[str]:
    """Warnings that a limit was asked and could not be held against anything."""
    return [text for text in answer.warnings if text.startswith(UNCHECKED)]


def _placed(answer: Answer, best: Priced) -> str:
    """What to do, and where if several places were in question."""
    take, site = _take(answer, best), cluster_of(answer, best).site.name
    return word("headline.at", take=take, site=site) if len(sites(answer)) > 1 else take


def _sought(answer: Answer, best: Priced) -> list[str]:
    """The energy or the carbon, where that is what was to be small."""
    name = answer.objective
    if name not in ("energy", "carbon") or getattr(best, name) is None:
        return []
    return [word(f"headline.{name}", amount=_upper(best, name, objective_dimension(answer)))]


def _take(answer: Answer, best: Priced) -> str:
    """What to do for how long; on a cluster that was given, how to lay the work out there."""
    cluster = cluster_of(answer, best)
    where = {"chips": f"{best.estimate.layout.chips:,}", "chip": cluster.chip.name}
    where |= {"nodes": f"{best.nodes:,}", "node": cluster.node.name, "time": _upper(best, "time", "time")}
    verb = _verb(answer, best)
    if verb == "run":
        return word("headline.run", layout=layout_text(best.estimate.layout), **where)
    paid = {"capital": amount(best.capital, "money")} if verb == "buy" else {}
    return word(f"headline.{verb}", **where, **paid)


def _verb(answer: Answer, best: Priced) -> str:
    """rent, buy or own; run where no price is known, or the cluster was given and nobody asked how to pay for it."""
    terms = part(answer, "cluster").get("terms", "any")
    if best.terms == "own" or (best.terms and (several(answer) or terms != "any")):
        return "run" if best.terms == "buy" and not best.capital else best.terms
    return "run"


def _cost(answer: Answer, best: Priced) -> list[str]:
    """What the run costs; on a given cluster, by each way to pay."""
    if best.cost is None:
        return []
    cost, verb = _upper(best, "cost", "money", "cost_quoted"), _verb(answer, best)
    bought = "whole" if by_cash(answer) else "share"
    if verb != "run" or not best.terms:
        return [word(f"headline.{bought if verb == 'buy' else 'cost'}", cost=cost)]
    others = [offer for offer in best.offers if offer.terms != best.terms]
    how = "whole" if (best.terms, bought) == ("buy", "whole") else best.terms
    paid = [word(f"headline.if_{how}", cost=cost)]
    paid += [word(f"headline.if_{offer.terms}", cost=amount(offer.cost, "money")) for offer in others]
    return [word("headline.cost", cost=f" {word('headline.or')} ".join(paid))]


def _training(best: Priced) -> list[str]:
    return [word("headline.tokens", tokens=amount(best.tokens, "tokens"))] if best.tokens else []


def _upper(priced: Priced, name: str, dimension: str, span: str = "") -> str:
    """``27.1 d (upper end 31 d)``; the upper end is that of the range ``span``, if it is another."""
    value, high = amount(getattr(priced, name), dimension), priced.ranges.get(span or name, (None, None))[1]
    return value if high is None else word("headline.upper", value=value, high=amount(high, dimension))


def _held(answer: Answer) -> str:
    """Which limits bind, and what relief of the most valuable of them gives."""
    if not answer.binding:
        return ""
    named = [word(f"limits.{name}") for name in answer.binding]
    told = word("headline.binds" if len(named) == 1 else "headline.bind", limits=_and(named))
    worth = [item for item in answer.relief if item.limit in answer.binding and gain(answer, item) > SMALL]
    if not worth:
        return told
    best = max(worth, key=lambda item: gain(answer, item))
    before, after = ends(answer, best)
    one = word(f"limits.{best.limit}")
    key = "headline.gives" if len(named) == 1 else "headline.gives_of"
    key = "headline.without_law" if best.limit == "law" else key
    return f"{told}{word('law.colon')}{word(key, limit=one, step=best.step, before=before, after=after)}"


def _and(names: list[str]) -> str:
    return word("headline.and").join(filter(None, (word("law.comma").join(names[:-1]), names[-1])))


# ------------------------------------------------------------------------------------------ what holds it back


def gain(answer: Answer, item: Relief) -> float:
    """What a relief is worth, as a share of the objective before it [ratio, >= 0 is better]."""
    if not item.before:
        return 0.0
    change = item.after / item.before - 1
    return change if more_is_better(answer) else -change


def ends(answer: Answer, item: Relief) -> tuple[str, str]:
    """The objective before and after, for people."""
    dimension = objective_dimension(answer)
    if dimension == "rate":
        return f"{amount(item.before, 'tokens')}/s", f"{amount(item.after, 'tokens')}/s"
    return amount(item.before, dimension), amount(item.after, dimension)


def relief_line(answer: Answer, item: Relief) -> str:
    """One line: the limit, the step, the objective before and after, and the share gained."""
    before, after = ends(answer, item)
    worth = gain(answer, item)
    shown = word("plan.better", share=percent(worth)) if worth > SMALL else word("plan.no_gain")
    if item.limit == "law":
        return word("plan.relief_law", before=before, after=after, gain=shown)
    limit = limit_name(item.limit)
    return word("plan.relief_line", limit=limit, step=phrase(item.step), before=before, after=after, gain=shown)


def limit_name(name: str) -> str:
    """A limit in a list: its name, that of the law and those in another language in words."""
    return word(f"limits.{name}") if name == "law" or spoken() != HOME else name


def law_lines(answer: Answer) -> Iterator[str]:
    """What the export rules say of the chips of the plans, and what they cost; nothing where no law was asked for."""
    if not answer.verdicts:
        return
    yield from (brief(verdict) for verdict in answer.verdicts)
    found = next((item for item in answer.relief if item.limit == "law"), None)
    if found is not None:
        before, after = ends(answer, found)
        key = "plan.law_cost" if gain(answer, found) > SMALL else "plan.law_free"
        yield word(key, before=before, after=after, gain=percent(gain(answer, found)))
    yield word("law.through", date=answer.verdicts[0].rules_through)
    yield word("law.advice")


def counts_line(answer: Answer) -> str:
    """How many layouts were looked at, how fast, and why the others fell; "" for one layout."""
    if answer.considered <= 1:
        return ""
    told = word("plan.considered", considered=f"{answer.considered:,}")
    told += " " + word("plan.rate", rate=f"{answer.rate:,.0f}") if answer.rate else ""
    reasons = sorted(answer.rejected.items(), key=lambda item: -item[1])
    rejected = word("law.comma").join(f"{count:,} {phrase(reason)}" for reason, count in reasons if count)
    return told + (f"; {word('plan.rejected')}{word('law.colon')}{rejected}" if rejected else "")


def assumed(answer: Answer) -> list[str]:
    """What the answer and its best layout assume, each once; but that another chip was taken, which is told first."""
    more = answer.estimates[0].estimate.assumptions if answer.estimates else ()
    found = dict.fromkeys((*answer.assumptions, *more))
    return [phrase(text) for text in found if not text.startswith(SWAPPED)]


# ------------------------------------------------------------------------------------------- the nearest run


def nearest_lines(best: Priced) -> Iterator[str]:
    """The measured run most like the plan: how far off, in what it differs, and how well it was predicted."""
    found = best.nearest
    if found is None:
        return
    names = {"run": found.title or found.row_id, "row": found.row_id, "source": found.source}
    yield word("nearest.run", distance=f"{found.distance:.2g}", **names)
    if found.differs:
        pairs = (f"{name.replace('_', ' ')} {_plain(ours)} ({_plain(run)})" for name, (ours, run) in differing(found))
        yield word("nearest.differs", pairs=", ".join(pairs))
    yield _error(found.error)


def differing(found: Nearest) -> list[tuple[str, tuple[Any, Any]]]:
    """In what a plan differs from the run, in the order that the comparison gave."""
    return [(name, pair) for name, pair in found.differs.items() if pair[0] != pair[1]]


def _error(error: float | None) -> str:
    """Predicted step time over measured: below is too fast."""
    if error is None:
        return word("nearest.unscored")
    if abs(error) < SMALL:
        return word("nearest.exact")
    return word(
        "nearest.fast" if error < 0 else "nearest.slow", error=percent(abs(error), 0 if abs(error) > 0.02 else 1)
    )


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value) if value not in (None, "") else "?"
    return f"{value:,}" if isinstance(value, int) else units.show(value, "ratio", 3)


def best_line(best: Priced) -> str:
    """The best plan's layout in full."""
    return f"#1: {layout_text(best.estimate.layout, everything=True)}"
