"""Models out of model files and Hugging Face configs, with a figure for every dimension, and their own sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from exaplan.catalog.loader import Document
from exaplan.catalog.sheet import Sheet
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Figure, Model, Source

if TYPE_CHECKING:
    from exaplan.models.config import Reading


class Sources(Mapping[str, Source]):
    """Source id -> Source. Model files bring their own sources; they are read when an id is not found elsewhere."""

    def __init__(self, base: Mapping[str, Source], sheets: Callable[[], Iterator[Sheet]]) -> None:
        self._found, self._sheets, self._complete = dict(base), sheets, False

    def add(self, sheet: Sheet) -> None:
        """Take the sources of one model file; one id with two meanings is refused."""
        from exaplan.models.bundled import sources_of

        for source in sources_of(sheet.body, sheet.place()):
            if self._found.setdefault(source.id, source) != source:
                sheet.fail(f"the source id `{source.id}` has another meaning elsewhere", "rename it", "sources")

    def _finish(self) -> None:
        if not self._complete:
            self._complete = True
            for sheet in self._sheets():
                self.add(sheet)

    def __getitem__(self, identity: str) -> Source:
        if identity not in self._found:
            self._finish()
        return self._found[identity]

    def __iter__(self) -> Iterator[str]:
        self._finish()
        return iter(self._found)

    def __len__(self) -> int:
        self._finish()
        return len(self._found)


def model(sheet: Sheet) -> Model:
    """The Model of a model file; errors name the line of the field."""
    from exaplan.models.bundled import model_from_mapping

    if isinstance(sheet.sources, Sources):
        sheet.sources.add(sheet)
    try:
        return model_from_mapping(sheet.body, sheet.place(), sheet.own)
    except InputError as error:
        kind = CatalogError if isinstance(error, CatalogError) else InputError
        place = relocate(sheet.document, error.place)
        raise kind(error.problem, hint=error.hint, place=place) from None


def model_of_config(document: Document, name: str, own: str) -> Model:
    """The Model of a config.json; its figures cite the file, and hold what had to be assumed (``assumption.N``)."""
    from exaplan.models import config, transformer

    try:
        reading = config.read_config(document.value, name, document.place())
    except InputError as error:
        raise InputError(error.problem, hint=error.hint, place=relocate(document, error.place)) from None
    return replace(transformer.build(reading.spec), figures=MappingProxyType(_figures(reading, own)))


def _figures(reading: Reading, own: str) -> dict[str, Figure]:
    from exaplan.models.spec import spec_as_mapping

    sizes = {
        key: Figure(float(value), own)
        for key, value in spec_as_mapping(reading.spec).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value
    }
    assumed = enumerate(reading.assumptions, start=1)
    return sizes | {f"assumption.{number}": Figure(None, own, note=note) for number, note in assumed}


def relocate(document: Document, place: Place) -> Place:
    """The place of a field that is known by its last name only: where it stands in the document, if that is unique."""
    name = (place.field or "").rsplit(".", 1)[-1]
    if document.text:
        return replace(document.place(name), field=place.field) if name else place
    spots = [keys for keys in document.places if keys and keys[-1] == name]
    return replace(document.place(*spots[0]), field=place.field) if len(spots) == 1 else place
