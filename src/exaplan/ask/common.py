"""What may not stand together in any question: choices of chips, a fleet and its terms, the law, counts."""

from __future__ import annotations

from exaplan.ask.base import BaseAsk
from exaplan.ask.law import PLACES
from exaplan.ask.writing import NOTHING
from exaplan.errors import InputError, NoPlan


def check_common(ask: BaseAsk) -> None:
    """Refuse what contradicts itself in what all questions have."""
    _check_cluster(ask)
    _check_fleet(ask)
    _check_law(ask)
    _check_count(ask)


def check_single(ask: BaseAsk) -> None:
    """Refuse what only ``plan`` answers: no chip, several, a fleet, several sites."""
    if ask.every_chip:
        hint = "add `cluster: {chip: H100-SXM, count: 64}` or --chip and --count; `exaplan chips` lists the chips"
        raise refused(ask, "`cluster.chip` is missing", f"{hint}, and `exaplan plan` chooses one", "cluster", "chip")
    several = {"chip": ask.chips, "site": ask.sites, "fleet": tuple(str(item.chip) for item in ask.fleet)}
    for name, values in several.items():
        if len(values) > 1 or (values and name == "fleet"):
            problem = f"`cluster.{name}` leaves a choice ({', '.join(values)}), and `estimate` answers one cluster"
            what = "one chip and its count" if name == "fleet" else f"one {name}"
            raise refused(ask, problem, f"name {what}, or ask `exaplan plan`", "cluster", name)


def refused(ask: BaseAsk, problem: str, hint: str, *keys: str | int) -> InputError:
    """A refusal at the place of a field."""
    return InputError(problem, hint=hint, place=ask.place(*keys))


def _check_cluster(ask: BaseAsk) -> None:
    part = ask.cluster
    if part.name and (part.chip or part.node):
        other = "chip" if part.chip else "node"
        problem = f"`name` and `{other}` each say what the cluster is made of"
        raise refused(ask, problem, "keep one of them", "cluster", other)
    if part.node and len(ask.chips) > 1:
        problem = f"a node holds chips of one type, and {len(ask.chips)} are named ({', '.join(ask.chips)})"
        raise refused(ask, problem, "leave out cluster.node, or name one chip", "cluster", "node")
    known = bool(part.name or (part.count and (part.node or len(ask.chips) == 1)))
    if part.terms == "own" and not (ask.fleet or known):
        hint = "say what is there: --fleet 64xA100,8xH100, or one --chip with its --count"
        raise refused(ask, "terms own means that the chips are already there", hint, "cluster", "terms")


def _check_fleet(ask: BaseAsk) -> None:
    part, seen = ask.cluster, set()
    if not part.fleet:
        return
    for name in ("chip", "name", "node", "count"):
        if getattr(part, name) is not None:
            problem = f"`fleet` says which chips are there and how many, and so does `{name}`"
            raise refused(ask, problem, "keep one of them (limits.count caps the chips of a job)", "cluster", name)
    if part.terms in ("rent", "buy"):
        problem = f"a fleet is already there, so terms {part.terms} contradict it"
        raise refused(ask, problem, "leave out cluster.terms, or name chips instead of a fleet", "cluster", "terms")
    for index, item in enumerate(part.fleet):
        key = (str(item.chip), str(item.node), str(item.fabric))
        if key in seen:
            hint = "write it once with the sum of both counts"
            raise refused(ask, f"{item.chip} stands twice in the fleet", hint, "cluster", "fleet", index)
        seen.add(key)


# ------------------------------------------------------------------------------------------------------- law


def _check_law(ask: BaseAsk) -> None:
    """Export rules are about a destination: nothing else of them means anything without one."""
    given = [name for name in type(ask.law).model_fields if name in ask.law.model_fields_set]
    if ask.bound or not given:
        return
    name = "on" if "on" in given else given[0]
    if getattr(ask.law, name) in NOTHING:
        return
    hint = f"add --to (law.to: a place, like {PLACES})"
    if name == "on":
        hint += ", or give the day as --start: whose prices count"
    problem = f"`{name}` is about the export rules of a destination, and `law.to` is missing"
    raise refused(ask, problem, hint, "law", name, *list(ask.law.thresholds)[: name == "thresholds"])


# ---------------------------------------------------------------------------------------------------- limits


def _check_count(ask: BaseAsk) -> None:
    """A count that is fixed above its own limit has no plan."""
    count, most = ask.cluster.count, ask.limits.count
    if count is None or most is None or count <= most:
        return
    where = str(ask.place("limits", "count"))
    raise NoPlan(
        f"{where}: the cluster has {count:,} chips (cluster.count), but at most {most:,} are allowed (limits.count)",
        limit="count",
        nearest=f"{count:,} chips against {most:,}",
        hint="raise limits.count (--max-count), or lower cluster.count (--count)",
    )
