"""``plan`` and ``estimate``: the flags of a question, and every form in which its answer leaves: tables, JSON, files.

What cannot work is refused before anything is computed, and all forms are made before the first is written.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from exaplan.cli.output import check_out, emit, patience, say, write
from exaplan.cli.question import FLAGS, Said, read
from exaplan.cli.showing import check_report

COMPILING = "working (the first run compiles for some seconds; later ones start at once) ..."


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every flag of ``FLAGS`` as an option; it receives them as keywords."""

    @functools.wraps(command)
    def run(**kwargs: Any) -> None:
        flags = {name: kwargs.pop(name) for name in FLAGS}
        command(flags=flags, **kwargs)

    given = inspect.signature(command, eval_str=True).parameters.values()
    kept = [parameter for parameter in given if parameter.name != "flags"]
    kind, shared = inspect.Parameter.KEYWORD_ONLY, {"default": None}
    for name, flag in FLAGS.items():
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
    """Read the question, call the verb, show its answer."""
    forms.check()
    with patience(COMPILING):
        from exaplan.catalog import load

        known = load(catalog)
        question = _held(read(ask, flags, sets or (), known), ask, flags, sets, known, forms)

        import exaplan

        made = getattr(exaplan, verb)(question, known, **options)
        document = _document(verb, made, known, forms) | _settings(made, forms)
        pages = _pages(verb, made, known, forms)
    _deliver(verb, made, known, forms, document, pages)


def _held(
    question: Any,
    ask: str | None,
    flags: Mapping[str, Said],
    sets: list[str] | None,
    known: Any,
    forms: Forms,
) -> Any:
    """The question, held to what the launch format needs of a layout where the asker left it open."""
    if forms.launch is None:
        return question
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


def _document(verb: str, made: Any, known: Any, forms: Forms) -> dict[str, Any]:
    """The answer as JSON values, where some form of it is wanted."""
    if not (forms.out or forms.as_json):
        return {}
    if verb == "tax":
        from exaplan.report.money import tax_json

        return dict(tax_json(made, known))
    from exaplan.report import to_json

    return to_json.answer_json(made, known)


def _deliver(verb: str, made: Any, known: Any, forms: Forms, document: dict[str, Any], pages: bytes) -> None:
    """Files first, then stdout: JSON, launch settings or tables."""
    from exaplan.report import to_json

    if forms.out:
        write(forms.out, to_json.text({key: document[key] for key in document if key != "launch"}))
    if forms.report:
        write(forms.report, pages, "--report")
    if forms.as_json:
        emit(to_json.text(document))
    elif forms.launch:
        emit(document["launch"]["text"])
    else:
        emit(_tables(verb, made, known))


def _tables(verb: str, made: Any, known: Any) -> str:
    from exaplan.report.screen import draw

    if verb == "tax":
        from exaplan.report.money import tax_view

        return draw(tax_view(made, known))
    from exaplan.report.tables import estimate_view, plan_view

    return draw({"plan": plan_view, "estimate": estimate_view}[verb](made))


# ----------------------------------------------------------------------------------------------- launch, report


def _settings(made: Any, forms: Forms) -> dict[str, Any]:
    """``{launch: {format, version, plan, text}}`` where it is wanted; plan: its rank, 1 = best."""
    if forms.launch is None:
        return {}
    from exaplan.report.launch import version_of

    rank, text = _first_text(forms.launch, made)
    return {"launch": {"format": forms.launch, "version": version_of(forms.launch), "plan": rank, "text": text}}


def _first_text(form: str, made: Any) -> tuple[int, str]:
    """(rank, settings) of the best plan that the program can express; the refusal of the first where there is none."""
    from exaplan.errors import InputError
    from exaplan.report.launch import launch_text

    refusals = []
    for rank in range(1, len(made.estimates) + 1):
        try:
            text = launch_text(form, replace(made, estimates=made.estimates[rank - 1 :]))
        except InputError as error:
            refusals.append(error)
            continue
        if refusals:
            say(f"--launch {form}: settings of plan #{rank}; of #1: {refusals[0].problem}")
        return rank, text
    raise refusals[0]


def _pages(verb: str, made: Any, known: Any, forms: Forms) -> bytes:
    """The report as bytes; nothing where none is wanted."""
    if forms.report is None:
        return b""
    from exaplan.report.page import report_bytes, suffix_of

    if verb == "tax":
        from exaplan.report.money import tax_report

        return tax_report(made, suffix_of(forms.report), known)
    return report_bytes(made, suffix_of(forms.report), known)
