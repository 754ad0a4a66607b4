"""The reasons of verdicts: texts of a case's file with its numbers, dates and words filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from exaplan.catalog.cases import HOLE
from exaplan.planning.casebook.values import iso, number

# What a check answers, in the languages in which a reason may tell it.
SPOKEN: Mapping[str, Mapping[str, str]] = {
    "en": {"licence": "a licence is needed", "denial": "a licence is needed, with a presumption of denial",
           "notify": "free after a notice", "unknown": "not known", "none": "nothing"},
    "zh": {"free": "不受限", "notify": "通知后可出口", "licence": "须申请许可证", "denial": "须申请许可证,且推定拒绝",
           "unknown": "无法判定", "none": "无"},
}  # fmt: skip


def worded(text: str, values: Mapping[str, Any], dates: Collection[str], language: str = "en") -> str:
    """A reason with ``{name:.1f}`` or ``{power*1e-6:.1f}`` filled in; dates as ISO, what is unknown as ``?``."""

    def fill(found: Any) -> str:
        name, factor, spec = found.group(1), found.group(2), found.group(3) or ""
        value = values.get(name)
        amount = number(value)
        if amount is not None and factor:
            return write(amount * float(factor), spec)
        if isinstance(value, str):
            return SPOKEN.get(language, {}).get(value, value)
        return write(iso(amount) if amount is not None and name in dates else value, spec)

    return HOLE.sub(fill, text)


def write(value: Any, spec: str) -> str:
    """A value as text."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format(float(value), spec or (",.0f" if abs(value) >= 1000 else ".3g"))
    return str(value)
