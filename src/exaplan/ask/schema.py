"""The schema of a question: what may be asked, in which units, with which defaults (`exaplan schema ask`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StrictBool, WithJsonSchema
from pydantic_core import PydanticCustomError

from exaplan import units
from exaplan.errors import InputError, Place
from exaplan.nouns import Layout, Limits, Training

Keys = tuple[str | int, ...]
PlaceOf = Callable[..., Place]

FILE_SUFFIXES = (".yaml", ".yml", ".json", ".csv", ".gz")

Precision = Literal["bf16", "fp16", "fp8", "fp8-block", "mxfp8", "nvfp4", "fp32", "tf32"]
Objective = Literal["time", "cost", "energy", "carbon", "throughput"]
Schedule = Literal["1f1b", "interleaved", "zero-bubble", "dualpipe"]


def dotted(keys: Keys) -> str:
    """``("work", "tokens")`` as ``work.tokens``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def nowhere(*keys: str | int) -> Place:
    """The place of a value that stands in no file."""
    return Place(field=dotted(keys) or None)


class Origin(NamedTuple):
    """Where an ask came from: the place of each value, and the folder that its paths are relative to."""

    place: PlaceOf
    folder: Path | None


# ------------------------------------------------------------------------------------------- kinds of value


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Reads one quantity with its unit and keeps it inside [least, most] (SI)."""

    dimension: str
    least: float
    most: float

    def __call__(self, value: Any) -> float | None:
        if value is None:
            return None
        try:
            number = units.parse(value, self.dimension)
        except InputError as error:
            raise _wrong(error.problem, error.hint) from None
        if not self.least <= number <= self.most:
            raise _wrong(f"{value!r} is {self._side(number)}", f"write it like {self._example()}")
        return number

    def _side(self, number: float) -> str:
        low, limit = number < self.least, self.least if number < self.least else self.most
        if low and number == 0:
            return "zero, and it must be more"
        return f"{'below' if low else 'above'} what is possible ({units.show(limit, self.dimension)})"

    def _example(self) -> str:
        return units.DIMENSIONS[self.dimension].example

    def schema(self) -> dict[str, Any]:
        """What the JSON schema says of such a value."""
        bare = units.DIMENSIONS[self.dimension].bare
        kind: Any = ["string", "number"] if bare else "string"
        return {"type": kind, "description": f"{self.dimension}, like {self._example()}"}


def _wrong(problem: str, hint: str) -> PydanticCustomError:
    """A refusal that pydantic carries to ``_first_error`` together with the path of the field."""
    return PydanticCustomError("exaplan", "{problem}", {"problem": problem, "hint": hint})


def _whole(least: int, most: int) -> Any:
    quantity = _Quantity("count", least, most)

    def read(value: Any) -> int | None:
        number = quantity(value)
        return None if number is None else int(number)

    schema = {"type": ["integer", "string"], "minimum": least, "maximum": most}
    return (BeforeValidator(read), WithJsonSchema(schema))


def _measured(dimension: str, least: float, most: float) -> Any:
    quantity = _Quantity(dimension, least, most)
    return (BeforeValidator(quantity), WithJsonSchema(quantity.schema()))


Count = Annotated[int, *_whole(1, 100_000_000)]
Degree = Annotated[int, *_whole(1, 10_000_000)]
OrZero = Annotated[int, *_whole(0, 10_000_000)]
SeqLen = Annotated[int, *_whole(1, 100_000_000)]
Tokens = Annotated[float, *_measured("tokens", 1.0, 1e18)]
Money = Annotated[float, *_measured("money", 1e-6, 1e15)]
Power = Annotated[float, *_measured("power", 1e-3, 1e15)]
Duration = Annotated[float, *_measured("time", 1e-9, 3.2e10)]
Reference = str | dict[str, Any]


class _Part(BaseModel):
    """Strict and frozen: a key that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class Work(_Part):
    """What is done: a training run. ``tokens`` or ``steps`` say how much; with neither, one step is answered."""

    kind: Literal["training"] = "training"
    tokens: Tokens | None = None
    steps: Annotated[int, *_whole(1, 10**12)] | None = None
    seq_len: SeqLen = 4096
    global_batch: Count = 1024
    precision: Precision = "bf16"
    method: Literal["full", "lora"] = "full"
    rank: Annotated[int, *_whole(1, 65_536)] = 16
    targets: tuple[str, ...] = ()
    framework: str = ""
    attention: Literal["fused", "unfused"] = "fused"


class ClusterAsk(_Part):
    """On what: names from the catalogue, or paths of the asker's own files.

    ``chip`` (or ``node``, which has one, or a bundled cluster's ``name``) is needed; ``count`` [chips] is one node
    if left out; ``node``, ``fabric`` and ``site`` are the usual ones of that chip.
    ``power_cap`` is the limit that each chip runs at; left out, its TDP.
    """

    name: Reference | None = None
    chip: Reference | None = None
    count: Count | None = None
    node: Reference | None = None
    fabric: Reference | None = None
    site: Reference | None = None
    power_cap: Power | None = None


class LayoutAsk(_Part):
    """How the model is cut; each field that is given is kept fixed, the rest is searched."""

    dp: Degree | None = None
    tp: Degree | None = None
    pp: Degree | None = None
    vpp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    etp: Degree | None = None
    micro_batch: Degree | None = None
    recompute: str | None = None
    zero: Annotated[int, *_whole(0, 3)] | None = None
    zero_group: OrZero | None = None
    sequence_parallel: StrictBool | None = None
    schedule: Schedule | None = None
    cp_kind: Literal["ring", "ulysses"] | None = None
    offload: StrictBool | None = None


class LimitsAsk(_Part):
    """What must hold at once."""

    money: Money | None = None
    power: Power | None = None
    deadline: Duration | None = None
    count: Count | None = None


class Observed(_Part):
    """The asker's own measurement of this very work; the answer is recentred on it."""

    step_time: Duration | None = None


class Ask(_Part):
    """A question to exaplan. Quantities are SI floats once it is read."""

    model: Reference
    work: Work = Field(default_factory=Work)
    cluster: ClusterAsk = Field(default_factory=ClusterAsk)
    layout: LayoutAsk = Field(default_factory=LayoutAsk)
    limits: LimitsAsk = Field(default_factory=LimitsAsk)
    objective: Objective = "time"
    observed: Observed = Field(default_factory=Observed)
    seed: Annotated[int, *_whole(0, 2**53)] = 0

    _origin: Origin = PrivateAttr(default_factory=lambda: Origin(nowhere, None))

    def place(self, *keys: str | int) -> Place:
        """Where the value under ``keys`` was written (file and line, or the flag)."""
        return self._origin.place(*keys)

    @property
    def folder(self) -> Path | None:
        """The folder that paths in the ask are relative to; None = the current one."""
        return self._origin.folder

    def path_of(self, reference: str) -> Path | None:
        """The file that a reference names (relative to the ask), or None where it is a catalogue name."""
        if "/" not in reference and not reference.endswith(FILE_SUFFIXES):
            return None
        path, folder = Path(reference).expanduser(), self._origin.folder
        return path if path.is_absolute() or folder is None else folder / path

    @property
    def tokens(self) -> float | None:
        """Tokens of the whole run: given, or steps x global batch x sequence length; None = one step only."""
        if self.work.tokens is not None or self.work.steps is None:
            return self.work.tokens
        return float(self.work.steps) * self.work.global_batch * self.work.seq_len

    def training(self) -> Training:
        """The work as a noun."""
        work = self.work
        return Training(
            seq_len=work.seq_len,
            global_batch=work.global_batch,
            precision=work.precision,
            method=work.method,
            tokens=self.tokens,
            framework=work.framework,
            attention=work.attention,
        )

    def bounds(self) -> Limits:
        """The limits as a noun."""
        return Limits(**self.limits.model_dump())

    def fixed(self) -> dict[str, Any]:
        """Only the fields of the layout that were given."""
        return self.layout.model_dump(exclude_none=True)

    def whole_layout(self) -> Layout | None:
        """The layout where dp, tp and pp are all given (the rest by the noun's defaults), else None."""
        given = self.fixed()
        return Layout(**given) if {"dp", "tp", "pp"} <= given.keys() else None

    def defaults(self) -> tuple[str, ...]:
        """``field = value`` of everything that was left out and has a default."""
        return tuple(f"{dotted(keys)} = {value}" for keys, value in _left_out(self, ()))

    def resolved(self) -> dict[str, Any]:
        """The whole question as plain values that can be asked again from anywhere (units and whole paths)."""
        made = _plain(self)
        for group in (made, made.get("cluster", {})):
            for name in {"model", *ClusterAsk.model_fields} & group.keys():
                path = self.path_of(group[name]) if isinstance(group[name], str) else None
                group[name] = str(path.absolute()) if path else group[name]
        return made


# --------------------------------------------------------------------------------------------------- writing

_DIMENSION = {
    ("work", "tokens"): "tokens",
    ("limits", "money"): "money",
    ("limits", "power"): "power",
    ("cluster", "power_cap"): "power",
    ("limits", "deadline"): "time",
    ("observed", "step_time"): "time",
}


def _left_out(part: BaseModel, above: Keys) -> Iterator[tuple[Keys, Any]]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _left_out(value, (*above, name))
        elif name not in part.model_fields_set and value not in (None, "", ()) and _matters(part, name):
            yield (*above, name), value


def _matters(part: BaseModel, name: str) -> bool:
    return not (isinstance(part, Work) and name == "rank" and part.method == "full")


def _plain(part: BaseModel, above: Keys = ()) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in type(part).model_fields:
        value, keys = getattr(part, name), (*above, name)
        if isinstance(value, BaseModel):
            inner = _plain(value, keys)
            out |= {name: inner} if inner else {}
        elif value not in (None, "", ()) and _matters(part, name):
            shown = _exact(value, _DIMENSION[keys]) if keys in _DIMENSION else value
            out[name] = list(shown) if isinstance(shown, tuple) else shown
    return out


def _exact(value: float, dimension: str) -> str:
    """The quantity in as few digits as read back the same number: 14.8T, not 14.800000000000001T."""
    for digits in range(4, 17):
        text = units.show(value, dimension, digits)
        if units.parse(text, dimension) == value:
            return text
    return units.show(value, dimension, 17)


def json_schema() -> dict[str, Any]:
    """The JSON schema of an ask."""
    return Ask.model_json_schema()
