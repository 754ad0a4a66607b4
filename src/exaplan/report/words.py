"""The words on a screen, by key and language, from ``data/words``. A missing key is its own last part, readable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from exaplan.catalog.loader import read_yaml
from exaplan.errors import InputError, Place

FOLDER = Path(__file__).resolve().parent.parent / "data" / "words"
HOME = "en"  # every key has its words in this language; the others fall back to it
TITLES, PHRASES = "rule_titles", "phrases"  # what stands in a file of translations

_spoken: ContextVar[str] = ContextVar("language", default=HOME)


@cache
def languages() -> tuple[str, ...]:
    """Every language that has a file of words, English first."""
    return tuple(sorted((file.stem for file in FOLDER.glob("*.yaml")), key=lambda name: (name != HOME, name)))


def known(language: str) -> str:
    """The language, if there are words in it; InputError with those that there are otherwise."""
    if language in languages():
        return language
    near = get_close_matches(language.lower().replace("_", "-").split("-")[0], languages(), 1, 0.99)
    hint = (f"did you mean {near[0]}? " if near else "") + f"known: {', '.join(languages())}"
    raise InputError(f"there are no words in the language {language!r}", hint=hint, place=Place("--lang"))


def speak(language: str) -> None:
    """From now on (in this thread or task) everything is said in that language."""
    _spoken.set(known(language))


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """For a while everything is said in that language."""
    token = _spoken.set(known(language))
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> str:
    """The language that is spoken."""
    return _spoken.get()


@cache
def words(language: str = HOME) -> Mapping[str, Any]:
    """All words of a language, nested as in its file."""
    found: Mapping[str, Any] = read_yaml(FOLDER / f"{known(language)}.yaml").value
    return found


def word(key: str, **fields: object) -> str:
    """The words under a dotted key in the language that is spoken, else in English, with ``{fields}`` filled in."""
    found = _at(words(spoken()), key) or _at(words(), key)
    if found is None:
        return key.rpartition(".")[2].replace("_", " ")
    return found.format(**fields) if fields else found


@cache
def translations(language: str) -> Mapping[str, Mapping[str, str]]:
    """What the data and the verbs say in English, in another language: titles of rules by name, sentences by text."""
    file = FOLDER / PHRASES / f"{known(language)}.yaml"
    found: Mapping[str, Mapping[str, str]] = read_yaml(file).value if file.is_file() else {}
    return found


def rule_title(rule: str, title: str) -> str:
    """The title of a rule in the language that is spoken; ``title``: the one of its file."""
    return translations(spoken()).get(TITLES, {}).get(rule) or phrase(title)


def local(texts: Mapping[str, str]) -> str:
    """Of texts by language the one in the language that is spoken, else in English, else any."""
    return texts.get(spoken()) or texts.get(HOME) or next(iter(texts.values()), "")


def phrase(text: str) -> str:
    """A sentence that was made elsewhere in English (by a rule, a verb, a file), in the language that is spoken.

    ``phrases`` of the translations holds English -> the other language; ``{name}`` in both stands for whatever is
    there. What has no translation as a whole is tried part by part (``name: a``, ``a; b``), and stays as it is where
    that fails, too.
    """
    if spoken() == HOME or not text:
        return text
    told = _whole(text)
    return told if told is not None else _in_parts(text)


def _whole(text: str) -> str | None:
    plain, patterns = _phrases(spoken())
    if text in plain:
        return plain[text]
    for pattern, told in patterns:
        if found := pattern.fullmatch(text):
            return told.format(**{name: phrase(value) for name, value in found.groupdict().items()})
    return None


def _in_parts(text: str) -> str:
    head, _, rest = text.partition(": ")
    told = _whole(rest) if rest else None
    if told is not None:
        return f"{phrase(head)}{word('law.colon')}{told}"
    if "; " in text:
        parts = text.split("; ")
        made = [phrase(part) for part in parts]
        return text if made == parts else word("law.semicolon").join(made)
    told = phrase(rest) if rest else ""
    return text if told == rest else f"{phrase(head)}{word('law.colon')}{told}"


@cache
def _phrases(language: str) -> tuple[Mapping[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Sentences without holes by their text, and those with holes as patterns, the longest first."""
    found = translations(language).get(PHRASES, {})
    plain = {english: told for english, told in found.items() if "{" not in english}
    holed = sorted((english for english in found if "{" in english), key=len, reverse=True)
    return plain, tuple((_pattern(english), found[english]) for english in holed)


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", english)
    made = (f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile("".join(made), re.DOTALL)


def _at(found: Any, key: str) -> str | None:
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None
