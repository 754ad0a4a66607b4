"""What every question has, whatever the work: the model, the chips, the limits, the law, and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, PrivateAttr

from exaplan.ask.law import LawAsk
from exaplan.ask.values import (
    Count,
    Day,
    Money,
    Names,
    Origin,
    Power,
    Reference,
    dotted,
    nowhere,
    read_fleet,
    whole,
)
from exaplan.ask.writing import Part, left_out, plain, shown
from exaplan.errors import Place
from exaplan.nouns import Limits

FILE_SUFFIXES = (".yaml", ".yml", ".json", ".csv", ".gz", ".parquet")
MOST_CHIPS = 16_384  # searched counts stay at or below it unless limits.count says otherwise
AnyPart = TypeVar("AnyPart", bound=Part)

Terms = Literal["any", "rent", "buy", "own"]
Hold = Literal["upper", "expected"]


class FleetItem(Part):
    """Chips of one type that are already there: ``count`` [chips] in ``node`` on ``fabric`` (None: the usual ones)."""

    chip: Reference
    count: Count
    node: Reference | None = None
    fabric: Reference | None = None


def _usual_terms(given: Mapping[str, Any]) -> Terms:
    return "own" if given.get("fleet") else "any"


class ClusterAsk(Part):
    """On what: names from the catalogue, or paths of the asker's own files.

    ``chip``: one, several to choose from, or (left out, without ``node``, ``name`` and ``fleet``) every chip with a
    price. ``count`` [chips]: left out, it is searched where limits or several chips are given, else one node. ``node``,
    ``fabric`` and ``site`` are the usual ones of that chip; of several sites the best is chosen. ``fleet``: what is
    already there; the job runs on one of its types. ``terms``: how it is paid, any = the known offer that needs the
    least cash. ``power_cap`` is the limit that each chip runs at; left out, its TDP.
    """

    name: Reference | None = None
    chip: Names | None = None
    count: Count | None = None
    node: Reference | None = None
    fabric: Reference | None = None
    site: Names | None = None
    power_cap: Power | None = None
    fleet: Annotated[tuple[FleetItem, ...] | None, BeforeValidator(read_fleet)] = None
    terms: Terms = Field(default_factory=_usual_terms)


class LimitsAsk(Part):
    """What must hold at once.

    ``count`` [chips]: searched counts stay at or below it. ``hold``: a limit holds when the upper end of the 80% range
    (upper) or the expected value (expected) is within it.
    """

    money: Money | None = None
    power: Power | None = None
    count: Count | None = None
    hold: Hold = "upper"

    def matters(self, name: str) -> bool:
        """How a limit holds matters where one is given."""
        return name != "hold" or name in self.model_fields_set or self.bounding

    @property
    def bounding(self) -> bool:
        """Whether a limit is given whose value has a range."""
        return bool(self.money or self.power)


def _usual_start(given: Mapping[str, Any]) -> date | None:
    """The day of the law is the day of the prices, where no start is given."""
    law = given.get("law")
    return law.on if isinstance(law, LawAsk) else None


class BaseAsk(Part):
    """What the questions have in common; ``Ask`` (training) and ``ServeAsk`` say what the work is."""

    model: Reference
    work: Part
    cluster: ClusterAsk = Field(default_factory=ClusterAsk)
    layout: Part
    limits: LimitsAsk = Field(default_factory=LimitsAsk)
    objective: str
    law: LawAsk = Field(default_factory=LawAsk)
    start: Day | None = Field(default_factory=_usual_start)
    seed: Annotated[int, *whole(0, 2**53)] = 0

    _origin: Origin = PrivateAttr(default_factory=lambda: Origin(nowhere, None))

    def place(self, *keys: str | int) -> Place:
        """Where the value under ``keys`` was written (file and line, or the flag)."""
        return self._origin.place(*keys)

    @property
    def folder(self) -> Path | None:
        """The folder that paths in the ask are relative to; None = the current one."""
        return self._origin.folder

    def path_of(self, reference: str) -> Path | None:
        """The file that a reference names (relative to the ask), or None where it is a catalogue name."""
        if "/" not in reference and not reference.endswith(FILE_SUFFIXES):
            return None
        path, folder = Path(reference).expanduser(), self._origin.folder
        return path if path.is_absolute() or folder is None else folder / path

    # ------------------------------------------------------------------------------------ what is in question

    @property
    def chips(self) -> tuple[str, ...]:
        """The chips that are named, to choose from; () = none is (see ``every_chip``)."""
        chip = self.cluster.chip
        return chip if isinstance(chip, tuple) else (chip,) if isinstance(chip, str) else ()

    @property
    def every_chip(self) -> bool:
        """Whether all chips are in question: neither chip, node, name nor fleet is given."""
        part = self.cluster
        return not (part.chip or part.node or part.name or part.fleet)

    @property
    def fleet(self) -> tuple[FleetItem, ...]:
        """What is already there; () = no fleet."""
        return self.cluster.fleet or ()

    @property
    def terms(self) -> Terms:
        """How it may be paid; a fleet is there already."""
        return "own" if self.cluster.fleet else self.cluster.terms

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites to choose from; () = the usual one."""
        site = self.cluster.site
        return site if isinstance(site, tuple) else (site,) if isinstance(site, str) else ()

    @property
    def deadline(self) -> float | None:
        """Time that the run may take [s]; None = no limit."""
        return None

    @property
    def open_count(self) -> bool:
        """Whether counts of chips are searched."""
        return self.cluster.count is None and self.cluster.name is None

    @property
    def most_chips(self) -> int | None:
        """Counts stay at or below it [chips]: limits.count, else 16,384 where counts are searched freely."""
        return self.limits.count or (MOST_CHIPS if self.open_count and not self.fleet else None)

    # --------------------------------------------------------------------------------------------------- law

    @property
    def bound(self) -> bool:
        """Whether export rules are asked for: a destination is given."""
        return self.law.to is not None

    def dated(self, day: date | str) -> Self:
        """The same ask, its law as of ``day`` (and so its prices) where neither ``law.on`` nor ``start`` says when.

        The day counts as left out: ``defaults`` tells it. Planning gives the last day of the rules.
        """
        if not self.bound or self.law.on is not None:
            return self
        day = self.start or (date.fromisoformat(day) if isinstance(day, str) else day)
        made = self.model_copy(update={"law": _unsaid(self.law, "on", day)})
        return made if self.start else _unsaid(made, "start", day)

    # ------------------------------------------------------------------------------------------------- nouns

    def bounds(self) -> Limits:
        """The limits as a noun: the deadline in seconds, the count as the ceiling of what is searched."""
        return Limits(self.limits.money, self.limits.power, self.deadline, self.most_chips)

    def fixed(self) -> dict[str, Any]:
        """Only the fields of the layout that were given."""
        return self.layout.model_dump(exclude_none=True)

    # ----------------------------------------------------------------------------------------- written again

    def defaults(self) -> tuple[str, ...]:
        """``field = value`` of everything that was left out and has a default."""
        told = [f"{dotted(keys)} = {_told(shown(value, keys))}" for keys, value in left_out(self)]
        if self.limits.count is None and self.most_chips is not None:
            told.append(f"limits.count = {self.most_chips}")
        return tuple(told)

    def resolved(self) -> dict[str, Any]:
        """The whole question as plain values that can be asked again from anywhere (units and whole paths)."""
        made = plain(self)
        part = made.get("cluster", {})
        for group in (made, part, *part.get("fleet", ())):
            for name in FILES & group.keys():
                group[name] = self._whole(group[name])
        return made

    def _whole(self, reference: Any) -> Any:
        """A reference, or a list of them, with a relative path made whole."""
        if isinstance(reference, list):
            return [self._whole(item) for item in reference]
        path = self.path_of(reference) if isinstance(reference, str) else None
        return str(path.absolute()) if path else reference


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _unsaid(part: AnyPart, name: str, value: Any) -> AnyPart:
    """A copy with a field filled in that still counts as left out."""
    said = name in part.model_fields_set
    made = part.model_copy(update={name: value})
    if not said:
        made.model_fields_set.discard(name)
    return made


FILES = {"model", "name", "chip", "node", "fabric", "site"}  # fields that may name a file
