"""What a command does with its result and with its failures: stdout, ``--out`` files, exit codes."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ParamSpec

import typer

from exaplan.errors import ExaplanError, InputError, Place

P = ParamSpec("P")
INTERNAL, INTERRUPTED = 3, 130
PATIENCE = 1.5  # s of silence before a line says that work goes on


def say(text: str) -> None:
    """One line to stderr: progress and warnings never go to stdout. Plain text: no markup is read in it."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"{text}\n")  # in one piece: a line of another thread never lands inside it
        sys.stderr.flush()


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command so that every failure is one clear message and an exit code, never a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            _silence_stdout()
        except KeyboardInterrupt:
            say("stopped (Ctrl-C); nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        except ExaplanError as error:
            say(f"exaplan: {error}")
            raise typer.Exit(error.exit_code) from (error if _debugging() else None)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            raise _internal(error) from error

    return run


@contextlib.contextmanager
def flagged(flags: Mapping[str, str]) -> Iterator[None]:
    """A refusal of a field, in no file, names the flag that the field came from."""
    try:
        yield
    except InputError as error:
        flag = flags.get(error.place.field or "") if error.place.file is None else None
        if flag is None:
            raise
        raise InputError(error.problem, hint=error.hint, place=Place(flag)) from None


def _debugging() -> bool:
    return os.environ.get("EXAPLAN_DEBUG", "") not in ("", "0")


def _internal(error: Exception) -> BaseException:
    """Exit code 3 with one line; with EXAPLAN_DEBUG=1 the error itself, with its traceback."""
    if _debugging():
        return error
    problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    say(f"exaplan: internal error ({problem})")
    say("  please report it with the command, the ask and the traceback that EXAPLAN_DEBUG=1 shows")
    return typer.Exit(INTERNAL)


def _silence_stdout() -> None:
    """The reader left (`| head`): send what is still buffered nowhere, so that the exit stays quiet."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit(text: str) -> None:
    """Data to stdout."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence_stdout()
        raise _unwritable(Path("<stdout>"), error) from None


@contextlib.contextmanager
def patience(what: str) -> Iterator[None]:
    """Say ``what`` on stderr when the work inside takes longer than a moment."""
    timer = threading.Timer(PATIENCE, say, (what,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ----------------------------------------------------------------------------------------------------- files


def check_out(path: Path | None, flag: str = "--out") -> None:
    """Refuse a file that cannot be written before the answer is computed."""
    if path is None:
        return
    place = Place(flag)
    if path.is_dir():
        raise InputError(f"{path} is a directory", hint="name a file inside it, like plan.json", place=place)
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", hint="make it first (mkdir -p)", place=place)


def write(path: Path, content: str | bytes, flag: str = "--out") -> None:
    """Write ``content`` to ``path`` whole or not at all: the old file stays until the new one is complete."""
    check_out(path, flag)
    target = Path(os.path.realpath(path))
    raw = content.encode() if isinstance(content, str) else content
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(raw)  # a device or a pipe has no old content to keep
        else:
            _replace(target, raw)
    except OSError as error:
        raise _unwritable(path, error, flag) from None
    say(f"wrote {path}")


def _replace(target: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those that a new file gets."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _unwritable(path: Path, error: OSError, flag: str = "--out") -> InputError:
    reason = error.strerror or type(error).__name__
    hint = "free some space, or write elsewhere" if error.errno in (28, 122) else "check the folder's permissions"
    problem = f"{path} was not written ({reason}); an old file there is unchanged"
    return InputError(problem, hint=hint, place=Place(flag))
