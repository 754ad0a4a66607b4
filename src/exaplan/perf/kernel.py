"""The formulas of perf/, compiled: the same plain functions, rebuilt for numba with their callees.

``compiled(f)`` walks the functions that ``f`` calls, compiles each and returns the compiled ``f``. Numba's cache does
not notice a change in a callee of another file, so the cache folder is named by a hash of all kernel sources.
"""

from __future__ import annotations

import hashlib
import os
import sys
import types
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

# Package -> folders whose sources its compiled code rests on, itself last: a change of the simulator leaves the rest.
GROUPS = {
    "exaplan.sim": (FOLDER, FOLDER / "serving", FOLDER.parent / "sim"),
    "exaplan.perf.serving": (FOLDER, FOLDER / "serving"),
    "exaplan.perf": (FOLDER,),
}


def group_of(module: str) -> str:
    """The package of ``GROUPS`` that a module belongs to; "" for one that is never compiled."""
    return next((name for name in GROUPS if module == name or module.startswith(name + ".")), "")


def sources_digest(*folders: Path) -> str:
    """Hash of every source file in the folders (those of the formulas where none is named)."""
    digest = hashlib.sha256()
    for folder in folders or (FOLDER,):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_folder(group: str = "exaplan.perf") -> Path:
    """Where compiled code is kept: $EXAPLAN_CACHE, else the user's cache folder, by digest of the sources."""
    root = os.environ.get("EXAPLAN_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "exaplan" / f"kernel-{sources_digest(*GROUPS[group])}"


def is_cold(group: str = "exaplan.perf") -> bool:
    """Whether the kernel has not been compiled on this machine yet."""
    folder = cache_folder(group)
    return not folder.is_dir() or not any(folder.rglob("*.nbi"))


@lru_cache(maxsize=len(GROUPS))
def numba(group: str = "exaplan.perf") -> Any:
    """numba, imported with its cache folder set; without a writable folder it compiles anew each time."""
    folder = cache_folder(group)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    except OSError:
        print(f"warning: no compile cache at {folder}; set EXAPLAN_CACHE to a writable folder", file=sys.stderr)
    import numba

    if os.environ.get("NUMBA_CACHE_DIR") == str(folder):
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # holds even where numba was imported before
    return numba


def kept_in(group: str) -> Any:
    """numba with the cache folder of a group set: it is read when a function is handed over."""
    found = numba(group)
    found.config.CACHE_DIR = str(cache_folder_made(group))
    return found


@lru_cache(maxsize=len(GROUPS))
def cache_folder_made(group: str) -> str:
    """The cache folder of a group where it could be made; "" = numba's own choice."""
    folder = cache_folder(group)
    return str(folder) if folder.is_dir() else ""


# Functions of the scan's inner loop that are put into their callers: a call would pass dozens of numbers.
INLINED = frozenset(
    {
        "all_terms",
        "ends",
        "fullest",
        "fullest_row",
        "put_score",
        "rank_memory",
        "scored_terms",
        "spread",
        "stage_of",
        "step_power",
    }
)

_loaded: set[str] = set()


def is_loaded(function: Callable[..., Any]) -> bool:
    """Whether the function was asked for compiled in this process."""
    return f"{function.__module__}.{function.__qualname__}" in _loaded


def _callees(function: types.FunctionType) -> dict[str, types.FunctionType]:
    names = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {
        name: value
        for name, value in names.items()
        if isinstance(value, types.FunctionType) and group_of(value.__module__)
    }


@cache
def compiled(function: Callable[..., Any]) -> Any:
    """``function`` compiled by numba, with everything in exaplan.perf that it calls."""
    plain = as_plain(function)
    scope = dict(plain.__globals__)
    scope.update({name: compiled(callee) for name, callee in _callees(plain).items()})
    twin = types.FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__)
    twin.__qualname__, twin.__module__ = plain.__qualname__, plain.__module__
    cached = os.environ.get("EXAPLAN_NO_CACHE") is None
    maker = kept_in(group_of(plain.__module__) or "exaplan.perf")
    _loaded.add(f"{plain.__module__}.{plain.__qualname__}")
    if plain.__name__ in INLINED:
        return maker.njit(twin, inline="always", error_model="numpy")
    return maker.njit(twin, cache=cached, error_model="numpy")


def as_plain(function: Callable[..., Any]) -> types.FunctionType:
    """The function, if it is a plain one: only these can be rebuilt."""
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is not a plain function")
    return function
