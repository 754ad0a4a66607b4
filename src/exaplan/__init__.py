"""exaplan: the open-source planner of AI factories.

The nouns and verbs, the same words as on the command line. Nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exaplan.answers import Answer, Nearest, Offer, Point, Priced, Relief, Score, Scored, Tried, Validation
    from exaplan.answers.casebook import CaseAnswer
    from exaplan.answers.owning import Made, Owned
    from exaplan.answers.serving import Quantiles, Served, ServePlan, ServePoint, Simulated
    from exaplan.answers.tax import Tax
    from exaplan.ask import Ask, ServeAsk, parse
    from exaplan.catalog import Catalog, load
    from exaplan.errors import CatalogError, ExaplanError, InputError, NoPlan, SolverError
    from exaplan.models.spec import Spec
    from exaplan.models.transformer import build
    from exaplan.nouns import (
        Chip,
        Cluster,
        Deal,
        Estimate,
        Fabric,
        Figure,
        Layout,
        Limits,
        Model,
        Node,
        Site,
        Source,
        Training,
        Verdict,
    )
    from exaplan.nouns.serving import (
        Autoscale,
        Deployment,
        Engine,
        Formats,
        Lengths,
        Promise,
        Replica,
        Settings,
        Speculative,
        Traffic,
    )
    from exaplan.planning import estimate, plan, simulate
    from exaplan.planning.casebook import every as cases
    from exaplan.planning.comparing import Comparison, compare
    from exaplan.planning.designing import make
    from exaplan.planning.owning import own
    from exaplan.planning.taxing import tax
    from exaplan.report.explain import explain
    from exaplan.rules import check
    from exaplan.truth import validate

__all__ = [
    "Answer",
    "Ask",
    "Autoscale",
    "CaseAnswer",
    "Catalog",
    "CatalogError",
    "Chip",
    "Cluster",
    "Comparison",
    "Deal",
    "Deployment",
    "Engine",
    "Estimate",
    "ExaplanError",
    "Fabric",
    "Figure",
    "Formats",
    "InputError",
    "Layout",
    "Lengths",
    "Limits",
    "Made",
    "Model",
    "Nearest",
    "NoPlan",
    "Node",
    "Offer",
    "Owned",
    "Point",
    "Priced",
    "Promise",
    "Quantiles",
    "Relief",
    "Replica",
    "Score",
    "Scored",
    "ServeAsk",
    "ServePlan",
    "ServePoint",
    "Served",
    "Settings",
    "Simulated",
    "Site",
    "SolverError",
    "Source",
    "Spec",
    "Speculative",
    "Tax",
    "Traffic",
    "Training",
    "Tried",
    "Validation",
    "Verdict",
    "build",
    "cases",
    "check",
    "compare",
    "estimate",
    "explain",
    "load",
    "make",
    "own",
    "parse",
    "plan",
    "simulate",
    "tax",
    "validate",
]

_HOMES = {
    "answers": ("Answer", "Nearest", "Offer", "Point", "Priced", "Relief", "Score", "Scored", "Tried", "Validation"),
    "answers.casebook": ("CaseAnswer",),
    "answers.owning": ("Made", "Owned"),
    "answers.serving": ("Quantiles", "Served", "ServePlan", "ServePoint", "Simulated"),
    "answers.tax": ("Tax",),
    "ask": ("Ask", "ServeAsk", "parse"),
    "catalog": ("Catalog", "load"),
    "errors": ("CatalogError", "ExaplanError", "InputError", "NoPlan", "SolverError"),
    "models.spec": ("Spec",),
    "models.transformer": ("build",),
    "nouns": (
        *("Chip", "Cluster", "Estimate", "Fabric", "Figure", "Layout", "Limits", "Model", "Node", "Site", "Source"),
        *("Deal", "Training", "Verdict"),
    ),
    "nouns.serving": (
        *("Autoscale", "Deployment", "Engine", "Formats", "Lengths", "Promise", "Replica", "Settings", "Speculative"),
        "Traffic",
    ),
    "planning": ("estimate", "plan", "simulate"),
    "planning.casebook": ("cases",),
    "planning.comparing": ("Comparison", "compare"),
    "planning.designing": ("make",),
    "planning.owning": ("own",),
    "planning.taxing": ("tax",),
    "report.explain": ("explain",),
    "rules": ("check",),
    "truth": ("validate",),
}
_THERE = {"cases": "every"}  # a verb that is called otherwise in its home
_HOME = {name: f"exaplan.{module}" for module, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A noun or verb, imported from its home when it is first used."""
        if name not in _HOME:
            raise AttributeError(f"module 'exaplan' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOME[name]), _THERE.get(name, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
