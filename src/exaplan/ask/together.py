"""Fields that are each possible, but not together: one clear message for each, with the place and what to do."""

from __future__ import annotations

from datetime import date

from exaplan.ask.common import check_common, refused
from exaplan.ask.schema import Ask, LayoutAsk
from exaplan.ask.values import DATE

DEGREES = ("dp", "tp", "pp", "cp")


def check_together(ask: Ask) -> None:
    """Refuse what contradicts itself."""
    _check_work(ask)
    _check_objective(ask)
    check_common(ask)
    _check_dates(ask)
    _check_layout(ask)


# ------------------------------------------------------------------------------------------- work and limits


def _check_work(ask: Ask) -> None:
    work = ask.work
    if work.tokens is not None and work.steps is not None:
        problem = "`tokens` and `steps` both say how long the run is"
        raise refused(ask, problem, "keep one of them", "work", "steps")
    if work.method == "full" and {"rank", "targets"} & work.model_fields_set:
        field = "rank" if "rank" in work.model_fields_set else "targets"
        raise refused(ask, f"`{field}` belongs to method lora", "add `method: lora`", "work", field)


def _check_objective(ask: Ask) -> None:
    """Without tokens a limit on money or time asks how many tokens it leaves room for, and nothing else."""
    limited = [name for name in ("money", "deadline") if getattr(ask.limits, name) is not None]
    if ask.tokens is None and limited and ask.objective != "throughput":
        problem = f"objective {ask.objective} under a limit on {' and '.join(limited)} needs the size of the run"
        hint = "add --tokens or --steps, or --objective throughput: the most tokens that the limits leave room for"
        raise refused(ask, problem, hint, "objective")


# ---------------------------------------------------------------------------------------------------- limits


def _check_dates(ask: Ask) -> None:
    deadline = ask.limits.deadline
    if not isinstance(deadline, date):
        return
    if ask.start is None:
        hint = f"add --start (like {DATE}: the day on which the run starts), or give a duration like 90 d"
        raise refused(ask, f"the deadline {deadline} is a day, and no start is given", hint, "limits", "deadline")
    if deadline <= ask.start:
        hint = "move the deadline behind the start, or give a duration like 90 d"
        raise refused(ask, f"the deadline {deadline} is not after the start, {ask.start}", hint, "limits", "deadline")


# ---------------------------------------------------------------------------------------------------- layout


def _check_layout(ask: Ask) -> None:
    layout = ask.layout
    if layout.etp and layout.tp and layout.etp not in (1, layout.tp):
        problem = f"etp is {layout.etp}; experts are cut 1 way or as the rest, tp = {layout.tp} ways"
        raise refused(ask, problem, "set etp to 1 or to tp", "layout", "etp")
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
        raise refused(ask, problem, hint, "work", "global_batch")


def _check_product(ask: Ask) -> None:
    """The degrees that are given must divide the chips that are given."""
    count, layout = ask.cluster.count, ask.layout
    product = _product(layout)
    if count is None or (count % product == 0 and (count == product or layout.dp is None or _open(layout))):
        return
    problem = f"{_named(layout)} = {product:,} chips, but the cluster has {count:,}"
    hint = "make the product of dp, tp, pp and cp equal to cluster.count (or leave one of them out)"
    raise refused(ask, problem, hint, "layout")


def _check_room(ask: Ask) -> None:
    """The degrees that are given must fit among the chips that are searched."""
    largest = max((item.count for item in ask.fleet), default=None)
    rooms = [value for value in (ask.most_chips, largest) if value is not None]
    room, product = min(rooms, default=0), _product(ask.layout)
    if not ask.open_count or product <= room:
        return
    problem = f"{_named(ask.layout)} = {product:,} chips, but at most {room:,} are searched"
    what = "raise limits.count (--max-count)" if not ask.fleet else "name a larger fleet"
    raise refused(ask, problem, f"{what}, or lower one of the degrees", "layout")


def _product(layout: LayoutAsk) -> int:
    return (layout.dp or 1) * (layout.tp or 1) * (layout.pp or 1) * (layout.cp or 1)


def _named(layout: LayoutAsk) -> str:
    return " x ".join(f"{name} {getattr(layout, name)}" for name in DEGREES if getattr(layout, name))


def _open(layout: LayoutAsk) -> bool:
    """True where some degree is still free to fill the cluster."""
    return None in (layout.tp, layout.pp, layout.cp)
