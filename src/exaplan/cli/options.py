"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AskName = Annotated[str | None, typer.Argument(metavar="[ASK]", help="A YAML file, or a name of `exaplan asks`.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON to stdout instead of tables.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV to stdout instead of a table.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the JSON to this file, too.")]
Folder = Annotated[Path | None, typer.Option("--catalog", metavar="DIR", help="A folder laid over the catalogue.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Set any field of the ask.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=1, max=1000, help="How many plans to show.")]
Runs = Annotated[Path | None, typer.Option("--runs", metavar="FILE", help="CSV or CSV.gz of published runs.")]
SchemaName = Annotated[str, typer.Argument(metavar="NAME", help="ask, plan, simulate, check, tax, cases, chip, ...")]
Launch = Annotated[
    str | None,
    typer.Option(
        "--launch",
        metavar="FORMAT",
        help="Settings to launch it: megatron, torchtitan, slurm, ...; vllm, ...",
    ),
]
ServeLaunch = Annotated[
    str | None,
    typer.Option("--launch", metavar="FORMAT", help="Settings to launch it: vllm, sglang, trtllm or llama.cpp."),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write charts, too: .html, .svg, .png or .vl.json."),
]
First = Annotated[Path, typer.Argument(metavar="A.json", help="What `--out` or `--json` wrote.")]
Second = Annotated[Path, typer.Argument(metavar="B.json", help="The plan to hold against it.")]
Having = Annotated[str, typer.Option("--find", metavar="TEXT", help="Only those with this text.")]
Lang = Annotated[str | None, typer.Option("--lang", metavar="LANGUAGE", help="en or zh, of the tables; JSON has none.")]

LAW = "Law (analysis, not legal advice)"


def _law(*names: str, metavar: str, help: str) -> typer.models.OptionInfo:
    made: typer.models.OptionInfo = typer.Option(*names, metavar=metavar, help=help, rich_help_panel=LAW)
    return made


To = Annotated[str | None, _law("--to", metavar="PLACE", help="Where it goes, like CN, China or 中国.")]
On = Annotated[str | None, _law("--on", metavar="DATE", help="Day whose rules hold; the last day read if left out.")]
Headquarters = Annotated[
    str | None, _law("--headquarters", metavar="PLACE", help="Of the buyer or its parent; the destination if left out.")
]
FromPlace = Annotated[str | None, _law("--origin", metavar="PLACE", help="Whence it is shipped; the US if left out.")]
EndUser = Annotated[str | None, _law("--end-user", metavar="NAME", help="Name to look up in the entity list.")]
Buyer = Annotated[str | None, _law("--buyer", metavar="KIND", help="private or state-funded.")]
Letters = Annotated[
    str | None, _law("--letters", metavar="WHOM", help="Letters to single makers bind all of them, or the addressees.")
]
Without = Annotated[str | None, _law("--without", metavar="RULES", help="Rules that are left out: a,b.")]
Threshold = Annotated[
    list[str] | None, _law("--threshold", metavar="RULE.NAME=NUMBER", help="Another number than the encoded one.")
]
Since = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day of a series.")]
