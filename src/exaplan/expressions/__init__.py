"""A safe little language for tests and formulas that stand in data files (rules, cases).

``parse("2 * a >= min(b, 4800) and place in ['CN', 'HK']", names)`` checks the text once, against a whitelist over
Python's own grammar (nothing is ever executed by Python), and compiles it to closures. Evaluation is three-valued:
``None`` is unknown; ``and``, ``or``, ``not`` follow Kleene's logic, everything else is unknown where a part is.
What cannot be computed (a division by zero, an overflow, text times a number) is an InputError, never a crash.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Never

from exaplan.errors import InputError, Place
from exaplan.expressions import operations as ops
from exaplan.expressions.operations import Run, Values

LONGEST = 2000  # characters of one expression
DEEPEST = 100  # levels of nesting

_NOTHING: Mapping[str, Any] = MappingProxyType({})
WORDS = ("true", "false", "unknown")
FUNCTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"min": (1, 99), "max": (1, 99), "abs": (1, 1), "log": (1, 1), "exp": (1, 1), "sqrt": (1, 1), "round": (1, 2)}
    | {"date": (1, 1)}
)
_KNOWN = "numbers, 'text', names, + - * / **, comparisons, and, or, not, in [..], " + ", ".join(
    f"{name}()" for name in FUNCTIONS
)


@dataclass(frozen=True)
class Expression:
    """A parsed expression: call it with the values of its ``names`` (a name left out or None is unknown).

    shown: the text with constants put in; ``turns`` gives where a value changes what its comparisons say. kind: what
    it comes to: ``truth`` (a comparison, and, or, not, true, false, unknown), ``name`` (one name), else ``value``.
    """

    text: str
    names: frozenset[str]
    shown: str = ""
    run: Run = field(default=lambda _: None, repr=False, compare=False)
    differences: tuple[tuple[frozenset[str], Run], ...] = field(default=(), repr=False, compare=False)
    kind: str = "value"

    def __call__(self, values: Values = _NOTHING) -> float | bool | str | None:
        """The value; None where it is unknown."""
        found: float | bool | str | None = self.run(values)
        return found

    def turns(self, name: str, values: Values) -> tuple[float, ...]:
        """Values of the number ``name`` at which one of the comparisons turns, the others being as in ``values``.

        Comparisons that are linear in ``name`` are solved exactly: x = -g(0) / (g(1) - g(0)) for g = left - right.
        """
        found = (_root(run, name, values) for names, run in self.differences if name in names)
        return tuple(sorted({root for root in found if root is not None}))


def parse(
    text: str, names: Collection[str], *, constants: Mapping[str, Any] = _NOTHING, place: Place | None = None
) -> Expression:
    """Check and compile ``text``. names: what it may mention (dots are allowed: ``a.b``); constants: names that are
    replaced by a number, text or list right away; place: where the text stands, for errors.

    Words of the language: true, false, unknown; ``date('2023-11-17')`` is a count of days.
    """
    return _Compiler(text, names, constants, place or Place()).expression()


def day(text: str) -> float:
    """An ISO date as days since 0001-01-01, as ``date('...')`` counts them; ValueError if it is none."""
    return float(date.fromisoformat(text).toordinal())


def _root(run: Run, name: str, values: Values) -> float | None:
    points = []
    for at in (0.0, 1.0, 2.0):
        try:
            points.append(run({**values, name: at}))
        except InputError:
            return None
    if any(not isinstance(point, float) for point in points):
        return None
    start, one, two = points
    slope = one - start
    if slope == 0 or not math.isclose(two - one, slope, rel_tol=1e-9):
        return None
    return float(-start / slope)


# ----------------------------------------------------------------------------------------------- compiler


class _Compiler:
    """Walks the syntax tree once and makes closures; refuses whatever is not in the whitelist."""

    def __init__(self, text: str, names: Collection[str], constants: Mapping[str, Any], place: Place) -> None:
        self.text, self.known, self.constants, self.where = str(text), names, constants, place
        self.names: set[str] = set()
        self.differences: list[tuple[frozenset[str], Run]] = []

    def expression(self) -> Expression:
        """The compiled expression."""
        tree = self._tree()
        run = self._node(tree, 0)
        shown = self._shown()
        return Expression(self.text, frozenset(self.names), shown, run, tuple(self.differences), self._kind(tree))

    def _kind(self, tree: ast.expr) -> str:
        if isinstance(tree, ast.Compare | ast.BoolOp) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
        ):
            return "truth"
        if not isinstance(tree, ast.Name) or tree.id in self.constants:
            return "value"
        return "name" if tree.id in self.known else "truth"

    def _tree(self) -> ast.expr:
        self.text = " ".join(self.text.split())
        if not self.text:
            self._fail("the expression is empty", "write a comparison or a formula, e.g. `a >= 2 * b`")
        if len(self.text) > LONGEST:
            self._fail(f"the expression has {len(self.text)} characters", f"at most {LONGEST} are read; split it")
        if "\\" in self.text or "\0" in self.text:
            self._fail("a backslash is not read", "write plain text in quotes")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            self._fail(f"cannot be read: {error.msg}", f"the language knows {_KNOWN}", (error.offset or 1) - 1)
        except (ValueError, RecursionError, MemoryError):
            self._fail("cannot be read: nested too deeply", "write it shorter and less nested")

    def _fail(self, problem: str, hint: str, at: int = 0) -> Never:
        shown = self.text if len(self.text) <= 120 else self.text[:117] + "..."
        raise InputError(f"{problem}, in `{shown}` at character {at + 1}", hint=hint, place=self.where)

    def _at(self, node: ast.AST) -> int:
        """Position of a node in characters (the tree counts bytes of UTF-8)."""
        return len(self.text.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore"))

    def _refuse(self, node: ast.AST) -> Never:
        what = ast.get_source_segment(self.text, node) or type(node).__name__
        self._fail(f"`{what[:40]}` is not part of the language", f"it knows {_KNOWN}", self._at(node))

    def _failing(self, node: ast.AST) -> ops.Fail:
        """What raises the error of a node whose values do not fit."""

        def fail(problem: str) -> Never:
            self._fail(problem, "check the values that enter this expression", self._at(node))

        return fail

    def _node(self, node: ast.AST, depth: int) -> Run:
        if depth > DEEPEST:
            self._fail(f"nested deeper than {DEEPEST} levels", "split the expression", self._at(node))
        make = getattr(self, "_do_" + type(node).__name__.lower(), None)
        if make is None:
            self._refuse(node)
        run: Run = make(node, depth + 1)
        return run

    # ----------------------------------------------------------------------------------------------- leaves

    def _do_constant(self, node: ast.Constant, depth: int) -> Run:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self._refuse(node)
        if isinstance(value, str):
            return lambda _: value
        try:
            number = ops.finite(float(value))
        except OverflowError:
            self._fail("this number is too large", "write a finite number", self._at(node))
        return lambda _: number

    def _do_name(self, node: ast.Name, depth: int) -> Run:
        return self._named(node, node.id)

    def _named(self, node: ast.AST, name: str) -> Run:
        """A name of the values, a constant, or a word of the language."""
        if name in self.constants:
            value = self.constants[name]
            constant = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            return lambda _: constant
        if name in self.known:
            self.names.add(name)
            return lambda values: values.get(name)
        if name in WORDS:
            word = {"true": True, "false": False, "unknown": None}[name]
            return lambda _: word
        self._unknown(node, name)

    def _do_attribute(self, node: ast.Attribute, depth: int) -> Run:
        parts, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self._refuse(node)
        return self._named(node, ".".join((inner.id, *reversed(parts))))

    def _unknown(self, node: ast.AST, name: str) -> Never:
        pool = [*self.known, *self.constants, *WORDS]
        near = get_close_matches(name, pool, 1)
        listed = ", ".join(sorted(pool)[:40])
        hint = f"did you mean `{near[0]}`?" if near else f"names here: {listed}"
        self._fail(f"unknown name `{name[:60]}`", hint, self._at(node))

    def _do_list(self, node: ast.List | ast.Tuple, depth: int) -> Run:
        if not all(isinstance(part, ast.Constant) and isinstance(part.value, str | int | float) for part in node.elts):
            self._fail("a list holds only 'text' and numbers", "write e.g. `place in ['CN', 'HK']`", self._at(node))
        items = frozenset(part.value for part in node.elts if isinstance(part, ast.Constant))
        return lambda _: items

    _do_tuple = _do_list

    # ------------------------------------------------------------------------------------------- arithmetic

    def _do_unaryop(self, node: ast.UnaryOp, depth: int) -> Run:
        inner = self._node(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return ops.negation(inner, self._failing(node))
        if not isinstance(node.op, ast.USub | ast.UAdd):
            self._refuse(node)
        return ops.signed(inner, -1.0 if isinstance(node.op, ast.USub) else 1.0, self._failing(node))

    def _do_binop(self, node: ast.BinOp, depth: int) -> Run:
        operation = ops.ARITHMETIC.get(type(node.op))
        if operation is None:
            self._refuse(node)
        left, right = self._node(node.left, depth), self._node(node.right, depth)
        return ops.binary(left, right, operation, self._failing(node))

    def _do_call(self, node: ast.Call, depth: int) -> Run:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords:
            self._refuse(node)
        least, most = FUNCTIONS[name]
        if not least <= len(node.args) <= most:
            self._fail(f"`{name}` takes {least} to {most} values", "separate them by commas", self._at(node))
        if name == "date":
            return self._date(node)
        return ops.called(name, [self._node(part, depth) for part in node.args], self._failing(node))

    def _date(self, node: ast.Call) -> Run:
        part = node.args[0]
        try:
            count = day(part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "")
        except ValueError:
            self._fail("this is not a date", "write date('2023-11-17')", self._at(part))
        return lambda _: count

    # ------------------------------------------------------------------------------------------------ logic

    def _do_compare(self, node: ast.Compare, depth: int) -> Run:
        sides = [self._side(part, depth) for part in (node.left, *node.comparators)]
        fail, parts = self._failing(node), []
        for index, operator in enumerate(node.ops):
            compare = ops.COMPARE.get(type(operator))
            if compare is None:
                self._refuse(node)
            (a, left), (b, right) = sides[index], sides[index + 1]
            name = node.left.id if index == 0 and isinstance(node.left, ast.Name) else ""
            if name in a and not b and (fixed := right(_NOTHING)) is not None:
                parts.append(ops.compared_name(name, fixed, compare, fail))
            else:
                parts.append(ops.compared(left, right, compare, fail))
            self.differences.append((a | b, ops.difference(left, right)))
        return parts[0] if len(parts) == 1 else ops.conjunction(parts, fail)

    def _side(self, node: ast.expr, depth: int) -> tuple[frozenset[str], Run]:
        """The names of one side of a comparison, and how to compute it."""
        before, self.names = self.names, set()
        run = self._node(node, depth)
        own, self.names = frozenset(self.names), before | self.names
        return own, run

    def _do_boolop(self, node: ast.BoolOp, depth: int) -> Run:
        parts = [self._node(part, depth) for part in node.values]
        join = ops.conjunction if isinstance(node.op, ast.And) else ops.disjunction
        return join(parts, self._failing(node))

    # ------------------------------------------------------------------------------------------------ words

    def _shown(self) -> str:
        """The text with numbers in the place of constants; quoted text stays."""
        numbers = {name: value for name, value in self.constants.items() if isinstance(value, int | float)}

        def put(found: re.Match[str]) -> str:
            word = found.group()
            return f"{_plain(numbers[word])}" if word in numbers else word

        return re.sub(r"'[^']*'|[A-Za-z_][A-Za-z_0-9.]*", put, self.text)


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value
