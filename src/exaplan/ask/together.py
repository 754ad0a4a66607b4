"""Fields that are each possible, but not together: one clear message for each, with the place and what to do."""

from __future__ import annotations

from datetime import date

from exaplan.ask.law import PLACES
from exaplan.ask.schema import Ask, LayoutAsk
from exaplan.ask.values import DATE
from exaplan.ask.writing import NOTHING
from exaplan.errors import InputError, NoPlan

DEGREES = ("dp", "tp", "pp", "cp")


def check_together(ask: Ask) -> None:
    """Refuse what contradicts itself."""
    _check_work(ask)
    _check_objective(ask)
    _check_cluster(ask)
    _check_fleet(ask)
    _check_law(ask)
    _check_dates(ask)
    _check_count(ask)
    _check_layout(ask)


def check_single(ask: Ask) -> None:
    """Refuse what only ``plan`` answers: no chip, several, a fleet, several sites."""
    if ask.every_chip:
        hint = "add `cluster: {chip: H100-SXM, count: 64}` or --chip and --count; `exaplan chips` lists the chips"
        raise _refused(ask, "`cluster.chip` is missing", f"{hint}, and `exaplan plan` chooses one", "cluster", "chip")
    several = {"chip": ask.chips, "site": ask.sites, "fleet": tuple(str(item.chip) for item in ask.fleet)}
    for name, values in several.items():
        if len(values) > 1 or (values and name == "fleet"):
            problem = f"`cluster.{name}` leaves a choice ({', '.join(values)}), and `estimate` answers one cluster"
            what = "one chip and its count" if name == "fleet" else f"one {name}"
            raise _refused(ask, problem, f"name {what}, or ask `exaplan plan`", "cluster", name)


def _refused(ask: Ask, problem: str, hint: str, *keys: str | int) -> InputError:
    return InputError(problem, hint=hint, place=ask.place(*keys))


# ------------------------------------------------------------------------------------------- work and cluster


def _check_work(ask: Ask) -> None:
    work = ask.work
    if work.tokens is not None and work.steps is not None:
        problem = "`tokens` and `steps` both say how long the run is"
        raise _refused(ask, problem, "keep one of them", "work", "steps")
    if work.method == "full" and {"rank", "targets"} & work.model_fields_set:
        field = "rank" if "rank" in work.model_fields_set else "targets"
        raise _refused(ask, f"`{field}` belongs to method lora", "add `method: lora`", "work", field)


def _check_objective(ask: Ask) -> None:
    """Without tokens a limit on money or time asks how many tokens it leaves room for, and nothing else."""
    limited = [name for name in ("money", "deadline") if getattr(ask.limits, name) is not None]
    if ask.tokens is None and limited and ask.objective != "throughput":
        problem = f"objective {ask.objective} under a limit on {' and '.join(limited)} needs the size of the run"
        hint = "add --tokens or --steps, or --objective throughput: the most tokens that the limits leave room for"
        raise _refused(ask, problem, hint, "objective")


def _check_cluster(ask: Ask) -> None:
    part = ask.cluster
    if part.name and (part.chip or part.node):
        other = "chip" if part.chip else "node"
        problem = f"`name` and `{other}` each say what the cluster is made of"
        raise _refused(ask, problem, "keep one of them", "cluster", other)
    if part.node and len(ask.chips) > 1:
        problem = f"a node holds chips of one type, and {len(ask.chips)} are named ({', '.join(ask.chips)})"
        raise _refused(ask, problem, "leave out cluster.node, or name one chip", "cluster", "node")
    known = bool(part.name or (part.count and (part.node or len(ask.chips) == 1)))
    if part.terms == "own" and not (ask.fleet or known):
        hint = "say what is there: --fleet 64xA100,8xH100, or one --chip with its --count"
        raise _refused(ask, "terms own means that the chips are already there", hint, "cluster", "terms")


def _check_fleet(ask: Ask) -> None:
    part, seen = ask.cluster, set()
    if not part.fleet:
        return
    for name in ("chip", "name", "node", "count"):
        if getattr(part, name) is not None:
            problem = f"`fleet` says which chips are there and how many, and so does `{name}`"
            raise _refused(ask, problem, "keep one of them (limits.count caps the chips of a job)", "cluster", name)
    if part.terms in ("rent", "buy"):
        problem = f"a fleet is already there, so terms {part.terms} contradict it"
        raise _refused(ask, problem, "leave out cluster.terms, or name chips instead of a fleet", "cluster", "terms")
    for index, item in enumerate(part.fleet):
        key = (str(item.chip), str(item.node), str(item.fabric))
        if key in seen:
            hint = "write it once with the sum of both counts"
            raise _refused(ask, f"{item.chip} stands twice in the fleet", hint, "cluster", "fleet", index)
        seen.add(key)


# ------------------------------------------------------------------------------------------------------- law


def _check_law(ask: Ask) -> None:
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
    raise _refused(ask, problem, hint, "law", name, *list(ask.law.thresholds)[: name == "thresholds"])


# ---------------------------------------------------------------------------------------------------- limits


def _check_dates(ask: Ask) -> None:
    deadline = ask.limits.deadline
    if not isinstance(deadline, date):
        return
    if ask.start is None:
        hint = f"add --start (like {DATE}: the day on which the run starts), or give a duration like 90 d"
        raise _refused(ask, f"the deadline {deadline} is a day, and no start is given", hint, "limits", "deadline")
    if deadline <= ask.start:
        hint = "move the deadline behind the start, or give a duration like 90 d"
        raise _refused(ask, f"the deadline {deadline} is not after the start, {ask.start}", hint, "limits", "deadline")


def _check_count(ask: Ask) -> None:
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


# ---------------------------------------------------------------------------------------------------- layout


def _check_layout(ask: Ask) -> None:
    layout = ask.layout
    if layout.etp and layout.tp and layout.etp not in (1, layout.tp):
        problem = f"etp is {layout.etp}; experts are cut 1 way or as the rest, tp = {layout.tp} ways"
        raise _refused(ask, problem, "set etp to 1 or to tp", "layout", "etp")
    _check_batch(ask)
    _check_product(ask)
    _check_room(ask)


def _check_batch(ask: Ask) -> None:
    """The replicas and the micro-batch that are given must divide the batch."""
    batch, layout = ask.work.global_batch, ask.layout
    if batch % ((layout.dp or 1) * (layout.micro_batch or 1)):
        given = (("dp", layout.dp), ("micro_batch", layout.micro_batch))
        over = " x ".join(f"{name} {value}" for name, value in given if value)
        problem = f"global_batch {batch} does not divide over {over}"
        hint = "make global_batch a multiple of dp x micro_batch"
        raise _refused(ask, problem, hint, "work", "global_batch")


def _check_product(ask: Ask) -> None:
    """The degrees that are given must divide the chips that are given."""
    count, layout = ask.cluster.count, ask.layout
    product = _product(layout)
    if count is None or (count % product == 0 and (count == product or layout.dp is None or _open(layout))):
        return
    problem = f"{_named(layout)} = {product:,} chips, but the cluster has {count:,}"
    hint = "make the product of dp, tp, pp and cp equal to cluster.count (or leave one of them out)"
    raise _refused(ask, problem, hint, "layout")


def _check_room(ask: Ask) -> None:
    """The degrees that are given must fit among the chips that are searched."""
    largest = max((item.count for item in ask.fleet), default=None)
    rooms = [value for value in (ask.most_chips, largest) if value is not None]
    room, product = min(rooms, default=0), _product(ask.layout)
    if not ask.open_count or product <= room:
        return
    problem = f"{_named(ask.layout)} = {product:,} chips, but at most {room:,} are searched"
    what = "raise limits.count (--max-count)" if not ask.fleet else "name a larger fleet"
    raise _refused(ask, problem, f"{what}, or lower one of the degrees", "layout")


def _product(layout: LayoutAsk) -> int:
    return (layout.dp or 1) * (layout.tp or 1) * (layout.pp or 1) * (layout.cp or 1)


def _named(layout: LayoutAsk) -> str:
    return " x ".join(f"{name} {getattr(layout, name)}" for name in DEGREES if getattr(layout, name))


def _open(layout: LayoutAsk) -> bool:
    """True where some degree is still free to fill the cluster."""
    return None in (layout.tp, layout.pp, layout.cp)
