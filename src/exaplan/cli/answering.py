"""The verbs that answer a question: its flags, and every form in which its answer leaves: tables, JSON, files.

What cannot work is refused before anything is computed, and all forms are made before the first is written.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from exaplan.cli.flags import FLAGS, Flag
from exaplan.cli.output import INTERRUPTED, check_out, emit, patience, say, write
from exaplan.cli.question import Said, read
from exaplan.cli.showing import check_report
from exaplan.errors import InputError

COMPILING = "working (the first run compiles for some seconds; later ones start at once) ..."


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every flag of ``FLAGS`` as an option; it receives them as keywords."""
    return asking_of(FLAGS)(command)


def asking_of(known: Mapping[str, Flag]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these flags as options; it receives them as keywords."""
    return lambda command: _with_flags(command, known)


def _with_flags(command: Callable[..., None], known: Mapping[str, Flag]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(**kwargs: Any) -> None:
        flags = {name: kwargs.pop(name) for name in known}
        command(flags=flags, **kwargs)

    given = inspect.signature(command, eval_str=True).parameters.values()
    kept = [parameter for parameter in given if parameter.name != "flags"]
    kind, shared = inspect.Parameter.KEYWORD_ONLY, {"default": None}
    for name, flag in known.items():
        names = (f"--{name.replace('_', '-')}", flag.also) if flag.also else ()
        option = typer.Option(*names, help=flag.help, rich_help_panel=flag.panel, metavar="VALUE", show_default=False)
        held: Any = list[str] if flag.many else str
        kept.append(inspect.Parameter(name, kind, annotation=Annotated[held | None, option], **shared))
    run.__signature__ = inspect.Signature([item.replace(kind=kind) for item in kept])  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in kept}
    del run.__wrapped__
    return run


class Forms(NamedTuple):
    """How an answer leaves: JSON to stdout or a file, launch settings, a report."""

    as_json: bool = False
    out: Path | None = None
    launch: str | None = None
    report: Path | None = None

    def check(self) -> None:
        """Refuse what cannot work, before anything is computed."""
        check_out(self.out)
        if self.launch is not None:
            from exaplan.report.launch import check_format

            check_format(self.launch)
        if self.report is not None:
            check_report(self.report, self.out)


def answer(
    verb: str,
    ask: str | None,
    flags: Mapping[str, Said],
    sets: list[str] | None,
    catalog: Path | None,
    forms: Forms,
    **options: Any,
) -> None:
    """Read the question, call the verb, show its answer; one that was cut short is shown, marked, and exits so."""
    forms.check()
    with patience(COMPILING):
        from exaplan.catalog import load

        known = load(catalog)
        question = _held(read(ask, flags, sets or (), known), ask, flags, sets, known, forms)
        _check_kind(verb, question, forms)

        import exaplan

        made = getattr(exaplan, verb)(question, known, **options)
        document = _document(made, known, forms) | _settings(made, forms)
        pages = _pages(made, known, forms)
    _deliver(verb, made, known, forms, document, pages)
    if cut := _cut_short(made):
        say(f"not a whole answer: {cut}")
        raise typer.Exit(INTERRUPTED)


def _check_kind(verb: str, question: Any, forms: Forms) -> None:
    """Refuse a verb or a launch format that is not of this kind of work, before anything is computed."""
    kind = question.work.kind
    if verb == "simulate" and kind != "serving":
        hint = "ask `exaplan plan` or `exaplan estimate`; to serve, add --rate 20/s, --users 200 or --trace FILE"
        place = question.place("work", "kind")
        raise InputError("a training run has no requests to simulate", hint=hint, place=place)
    if forms.launch is not None:
        from exaplan.report.launch import check_kind

        check_kind(forms.launch, kind)


def _cut_short(made: Any) -> str:
    """Why a simulation was not run to its end; "" = it was."""
    runs = [plan.run for plan in getattr(made, "plans", ())[:1]]
    return next((run.partial for run in runs if run is not None and run.partial), "")


def _held(
    question: Any,
    ask: str | None,
    flags: Mapping[str, Said],
    sets: list[str] | None,
    known: Any,
    forms: Forms,
) -> Any:
    """The question, held to what the launch format needs of a layout, or of an engine, where the asker left it open."""
    if forms.launch is None:
        return question
    if question.work.kind != "training":
        engine = _engine_of(forms.launch, question)
        return read(ask, flags, [f"engine.name={engine}", *(sets or ())], known) if engine else question
    import json

    from exaplan.case import schedules_of
    from exaplan.report.launch import tables

    open_fields = {k: v for k, v in tables.needs(forms.launch).items() if getattr(question.layout, k) is None}
    if not open_fields:
        return question
    more = schedules_of(question.work.framework)  # beside 1F1B and interleaved, which every format has
    told = ", ".join(f"{k} {json.dumps(v)}" for k, v in open_fields.items() if k != "schedule" or more)
    if told:
        say(f"--launch {forms.launch}: the layout is held to {told}, which is what it can express")
    extra = [f"layout.{name}={json.dumps(value)}" for name, value in open_fields.items()]
    return read(ask, flags, [*extra, *(sets or ())], known)


def _engine_of(form: str, question: Any) -> str:
    """The engine that a launch format is of, where the asker named none; "" = nothing to hold to."""
    from exaplan.report.launch import ENGINES

    named = "name" in question.engine.model_fields_set
    if named or form not in ENGINES or question.engine.name in ENGINES[form]:
        return ""
    say(f"--launch {form}: the engine is held to {ENGINES[form][0]}")
    return ENGINES[form][0]


def _document(made: Any, known: Any, forms: Forms) -> dict[str, Any]:
    """The answer as JSON values, where some form of it is wanted."""
    if not (forms.out or forms.as_json):
        return {}
    from exaplan.report import answered

    return answered.document(made, known)


def _deliver(verb: str, made: Any, known: Any, forms: Forms, document: dict[str, Any], pages: bytes) -> None:
    """Files first, then stdout: JSON, launch settings or tables."""
    from exaplan.report import answered, to_json

    if forms.out:
        write(forms.out, to_json.text({key: document[key] for key in document if key != "launch"}))
    if forms.report:
        write(forms.report, pages, "--report")
    if forms.as_json:
        emit(to_json.text(document))
    elif forms.launch:
        emit(document["launch"]["text"])
    else:
        from exaplan.report.screen import draw

        emit(draw(answered.view(verb, made, known)))


# ----------------------------------------------------------------------------------------------- launch, report


def _settings(made: Any, forms: Forms) -> dict[str, Any]:
    """``{launch: {format, version, plan, text}}`` where it is wanted; plan: its rank, 1 = best."""
    if forms.launch is None:
        return {}
    from exaplan.report import answered
    from exaplan.report.launch import version_of

    rank, text, note = answered.launched(forms.launch, made)
    if note:
        say(note)
    return {"launch": {"format": forms.launch, "version": version_of(forms.launch), "plan": rank, "text": text}}


def _pages(made: Any, known: Any, forms: Forms) -> bytes:
    """The report as bytes; nothing where none is wanted."""
    if forms.report is None:
        return b""
    from exaplan.report import answered
    from exaplan.report.page import suffix_of

    return answered.pages(made, suffix_of(forms.report), known)
