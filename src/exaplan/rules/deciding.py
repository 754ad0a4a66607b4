"""One decision with what is known: class, then requirements, then exceptions, then the policy of the review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exaplan.catalog.laws import Active, Regime

ORDER = ("free", "notify", "licence", "denial")
UNCONTROLLED = "not controlled"
CLASS = frozenset(("cls", "family"))
Values = Mapping[str, Any]
Step = tuple[Active, bool | None, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the facts.

    steps: (clause, whether it holds, effect), by weight. missing: names of the unknown facts that a clause hangs on
    (empty where nothing is missing: then verdict and class are known). values: with the class put in.
    """

    verdict: str
    review: str
    class_name: str
    steps: tuple[Step, ...]
    missing: frozenset[str] = frozenset()
    values: Values | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one requirement comes to."""

    verdict: str
    review: str
    steps: tuple[Step, ...]
    missing: frozenset[str] = frozenset()


def decide(regime: Regime, values: dict[str, Any], letters: str = "all") -> Decision:
    """The decision under one regime. values: facts of chip and deal by the names of the tests; None = unknown.

    The strictest requirement decides; one that hangs on an unknown matters unless another is already a denial.
    """
    steps, class_name, missing = _classify(regime, values)
    bound = (active for active in regime.requirements if addressed(active, values, letters))
    findings = [_require(active, regime, values) for active in bound]
    held = sorted((one for one in findings if one.verdict), key=lambda one: -ORDER.index(one.verdict))
    verdict, review = (held[0].verdict, held[0].review) if held else ("free", "")
    if verdict != "denial":
        missing = missing.union(*(one.missing for one in findings))
    order = (*held, *(one for one in findings if not one.verdict))
    weighed = _weighed((*steps, *(step for one in order for step in one.steps)))
    return Decision("unknown" if missing else verdict, review, class_name, weighed, missing, values)


def _weighed(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Each clause once: those that hold first (class, then what decided), then the undecidable, then the rest."""
    once = {(active.provision.rule, active.provision.name): (active, holds, effect) for active, holds, effect in steps}
    return tuple(sorted(once.values(), key=lambda step: {True: 0, None: 1, False: 2}[step[1]]))


def _classify(regime: Regime, values: dict[str, Any]) -> tuple[tuple[Step, ...], str, frozenset[str]]:
    """The first class whose test holds; puts `cls` and `family` into the values."""
    passed: list[Step] = []
    values["cls"], values["family"] = UNCONTROLLED, ""
    for active in regime.classes:
        holds = truth(active, values)
        effect = f"class {active.provision.class_name}"
        if holds is None:
            values["cls"], values["family"] = None, None
            return (*passed, (active, None, effect)), "", unknown(active, values)
        if holds:
            values["cls"], values["family"] = active.provision.class_name, active.provision.family
            return ((active, True, effect), *passed), active.provision.class_name, frozenset()
        passed.append((active, False, effect))
    return tuple(passed), UNCONTROLLED, frozenset()


def _require(active: Active, regime: Regime, values: Values) -> Finding:
    """What a requirement comes to: nothing, an exception, or a licence with a policy."""
    holds = truth(active, values)
    own = active.provision.review or active.provision.policy
    if not holds:
        missing = unknown(active, values) if holds is None else frozenset()
        return Finding("", "", ((active, holds, "licence required"),), missing)
    steps: list[Step] = [(active, True, "licence required")]
    control = active.provision.control
    for one in (*regime.exceptions.get(control, ()), *regime.reviews.get(control, ())):
        given = truth(one, values)
        if given is None:
            return Finding("", "", (*steps, (one, None, _effect(one))), unknown(one, values))
        if given:
            verdict = one.provision.gives or _verdict(one.provision.policy)
            later = _else(one, regime.reviews.get(control, ()), values)
            return Finding(verdict, one.provision.review, (steps[0], (one, True, _effect(one)), *later, *steps[1:]))
        steps.append((one, False, _effect(one)))
    steps[0] = (active, True, f"licence required: {own}")
    return Finding(_verdict(active.provision.policy), own, tuple(steps))


def _else(taken: Active, reviews: Iterable[Active], values: Values) -> tuple[Step, ...]:
    """The policy that would hold if the exception taken were refused."""
    if taken.provision.kind != "exception":
        return ()
    return next((((one, True, _effect(one)),) for one in reviews if truth(one, values)), ())


def truth(active: Active, values: Values) -> bool | None:
    """Whether a test holds; None = it hangs on something unknown."""
    value = active.when(values)
    return None if value is None else value is True


def _effect(active: Active) -> str:
    provision = active.provision
    return f"exception: {provision.title}" if provision.kind == "exception" else f"review: {provision.review}"


def _verdict(policy: str) -> str:
    return "denial" if policy == "denial" else "licence"


def addressed(active: Active, values: Values, letters: str) -> bool:
    """Whether a clause binds the maker of the chip: letters bind their addressees, or everybody if read so."""
    names = active.provision.addressees
    return not names or letters == "all" or values["maker"] in names


def unknown(active: Active, values: Values) -> frozenset[str]:
    """The names of a test whose value is not known (that of a class follows from the others)."""
    return frozenset(name for name in active.when.names - CLASS if values.get(name) is None)


def holding(actives: Iterable[Active], values: Values, letters: str = "all") -> tuple[Active, ...]:
    """The notes or duties whose test holds."""
    return tuple(one for one in actives if addressed(one, values, letters) and one.when(values) is True)
