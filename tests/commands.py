"""Running a command in this process: one that succeeds with JSON, and one that must be refused."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from typer.testing import CliRunner, Result

from exaplan.cli import app
from exaplan.report import schemas


def run(*args: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(app, list(args))


def told(schema: str, *args: str) -> Any:
    """The JSON of a command that succeeds; it passes its published schema."""
    done = run(*args, "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    jsonschema.validate(made, schemas.schema(schema))
    return made


def refused(*args: str) -> str:
    """What a command says that must be refused with exit 2: one message, one hint, no data, no traceback."""
    done = run(*args)
    assert done.exit_code == 2, done.output
    assert done.stdout == "" and "Traceback" not in done.stderr and "internal" not in done.stderr
    assert done.stderr.startswith("exaplan: ") and done.stderr.count("hint:") == 1, done.stderr
    return str(done.stderr)
