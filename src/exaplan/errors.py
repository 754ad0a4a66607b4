"""Every error that exaplan raises on purpose.

ExaplanError
|- InputError     the question is wrong: file, line, field, value and remedy   (exit 2)
|- CatalogError   a data file of the catalogue is wrong                        (exit 2)
|- NoPlan         nothing fits: the limit that binds and the nearest miss      (exit 1)
`- SolverError    a solver gave up                                             (exit 3)
"""

from __future__ import annotations

from dataclasses import dataclass


class ExaplanError(Exception):
    """Base of all errors that exaplan raises on purpose."""

    exit_code = 3


@dataclass(frozen=True)
class Place:
    """Where in the input something stands; each part is optional."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        spot = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (spot, self.field) if part)


class InputError(ExaplanError):
    """The question cannot be answered as asked.

    ``problem`` says what is wrong (with the value), ``hint`` what to do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, *, hint: str = "", place: Place | None = None) -> None:
        self.problem, self.hint, self.place = problem, hint, place or Place()
        where = str(self.place)
        super().__init__((f"{where}: " if where else "") + problem + (f"\n  hint: {hint}" if hint else ""))


class CatalogError(InputError):
    """A data file of the catalogue (ours or an overlay) breaks its own rules."""


class NoPlan(ExaplanError):
    """No layout or cluster meets the limits; says which limit binds and by how much it is missed."""

    exit_code = 1

    def __init__(self, problem: str, *, limit: str, nearest: str = "", hint: str = "") -> None:
        self.problem, self.limit, self.nearest, self.hint = problem, limit, nearest, hint
        parts = [problem, f"  binding limit: {limit}"]
        parts += [f"  nearest miss: {nearest}"] if nearest else []
        parts += [f"  hint: {hint}"] if hint else []
        super().__init__("\n".join(parts))


class SolverError(ExaplanError):
    """A numerical solver did not reach an answer."""
