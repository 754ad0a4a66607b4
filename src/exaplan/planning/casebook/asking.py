"""A question that an input asks: its fields, the catalogue it is asked of, and the answer that comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from exaplan.catalog import Catalog
from exaplan.catalog.folder import is_path
from exaplan.errors import InputError, Place
from exaplan.nouns import Figure

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Found:
    """The answer to a look-up."""

    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None
    sources: tuple[str, ...] = ()
    date: str = ""
    note: str = ""


@dataclass
class Desk:
    """The catalogue, and what was asked of it so far: whole answers by kind and fields of the question."""

    catalog: Catalog
    memory: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A look-up with its fields (references replaced by values) and where it stands."""

    desk: Desk
    given: Mapping[str, Any]
    place: Place

    @property
    def catalog(self) -> Catalog:
        """The catalogue that is asked."""
        return self.desk.catalog

    @property
    def near(self) -> Path | None:
        """The folder that a relative path of the case starts from."""
        return Path(self.place.file).parent if self.place.file else None

    def text(self, key: str, default: str = "") -> str:
        """A field as text."""
        return str(self.given.get(key, default))

    def texts(self, key: str) -> tuple[str, ...]:
        """A field that is a list of words, or one word."""
        value = self.given.get(key, ())
        return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)

    def once(self, kind: str, compute: Callable[[], Answer]) -> Answer:
        """The whole answer, of which a question wants one ``field``, computed once for equal questions.

        What names a user's file, which may change, is asked anew.
        """
        given = {name: value for name, value in self.given.items() if name != "field"}
        if any(is_path(value) for value in given.values() if isinstance(value, str)):
            return compute()
        key = (kind, tuple(sorted((name, repr(value)) for name, value in given.items())))
        if key not in self.desk.memory:
            self.desk.memory[key] = compute()
        answer: Answer = self.desk.memory[key]
        return answer

    def fail(self, problem: str, known: Iterable[str]) -> InputError:
        """The error that names the file, the line and what is known."""
        return InputError(problem, hint="known: " + ", ".join(known), place=self.place)


def figured(figure: Figure, unit: str) -> Found:
    """A figure of the catalogue as the answer to a look-up."""
    return Found(figure.value, unit, figure.low, figure.high, (figure.source,), figure.date, figure.note)
