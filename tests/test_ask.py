"""The schema of a question: defaults, units, and every refusal with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan import ask
from exaplan.catalog.loader import parse_yaml
from exaplan.errors import InputError
from exaplan.nouns import Layout

BASE = {"model": "llama-3.1-8b", "cluster": {"chip": "h100-sxm", "count": 64}}


def asked(**more: Any) -> ask.Ask:
    """An ask with these top-level fields over a valid base."""
    return ask.parse({**BASE, **more})


def test_what_is_left_out_has_a_default_that_is_told() -> None:
    """Every default that matters is listed as ``field = value``; what was given is not."""
    made = asked(work={"seq_len": 8192})
    assert made.work.global_batch == 1024
    told = made.defaults()
    assert "work.global_batch = 1024" in told and "work.precision = bf16" in told
    assert not any(line.startswith(("work.seq_len", "work.rank", "cluster.count")) for line in told)


def test_quantities_are_si_floats() -> None:
    """Units are gone once an ask is read."""
    made = asked(limits={"money": "$2M", "power": "10 MW", "deadline": "90 d"}, observed={"step_time": "4100 ms"})
    assert (made.limits.money, made.limits.power, made.limits.deadline) == (2e6, 10e6, 7_776_000.0)
    assert made.observed.step_time == 4.1
    assert made.bounds().money == 2e6


def test_tokens_are_given_or_follow_from_steps() -> None:
    """tokens = steps x global batch x sequence length; with neither, one step is asked."""
    assert asked(work={"tokens": "15T"}).tokens == 15e12
    assert asked(work={"steps": 10, "seq_len": 2048, "global_batch": 4}).tokens == 10 * 4 * 2048
    assert asked().tokens is None


def test_the_noun_of_the_work_is_complete() -> None:
    """``training()`` hands every field on."""
    made = asked(work={"tokens": "1B", "precision": "fp8", "method": "lora", "rank": 8, "attention": "unfused"})
    noun = made.training()
    assert (noun.tokens, noun.precision, noun.method, noun.attention) == (1e9, "fp8", "lora", "unfused")


def test_a_layout_is_whole_only_with_its_three_degrees() -> None:
    """Fields that are given are fixed; dp, tp and pp together make a layout."""
    assert asked(layout={"tp": 8}).fixed() == {"tp": 8}
    assert asked(layout={"tp": 8}).whole_layout() is None
    assert asked(layout={"tp": 8, "pp": 2, "dp": 4}).whole_layout() == Layout(dp=4, tp=8, pp=2)


def test_other_spellings_mean_the_same() -> None:
    """``chips``, ``nodes``, ``place``, a bare cluster name and labels of bundled asks are understood."""
    made = ask.parse({"name": "x", "title": "y", "model": "m", "cluster": {"chips": "h100", "place": "us"}})
    assert (made.cluster.chip, made.cluster.site) == ("h100", "us")
    assert ask.parse({"model": "m", "cluster": "frontier"}).cluster.name == "frontier"


def test_paths_are_relative_to_the_ask(tmp_path: Path) -> None:
    """A value with a slash or a file suffix is a file beside the ask; anything else is a name."""
    made = ask.parse(BASE, folder=tmp_path)
    assert made.path_of("config.json") == tmp_path / "config.json"
    assert made.path_of("my/chip") == tmp_path / "my" / "chip"
    assert made.path_of("/abs/chip.yaml") == Path("/abs/chip.yaml")
    assert made.path_of("h100-sxm") is None


def test_a_resolved_ask_can_be_asked_again() -> None:
    """resolved() is a fixed point of parse, so that a plan.json reproduces its run."""
    work = {"tokens": "15.6T", "method": "lora", "targets": ["linear_qkv"]}
    made = asked(work=work, limits={"deadline": "54 d", "money": "$1.234567M"}, layout={"tp": 8, "offload": True})
    again = ask.parse(made.resolved())
    assert again.resolved() == made.resolved()
    assert again.tokens == made.tokens and again.limits == made.limits and again.fixed() == made.fixed()


def test_a_resolved_ask_finds_its_files_from_anywhere(tmp_path: Path) -> None:
    """Relative paths are made whole, names stay names."""
    made = ask.parse(
        {"model": "../m/config.json", "cluster": {"chip": "mine.yaml", "node": "hgx-h100"}}, folder=tmp_path
    )
    again = ask.parse(made.resolved())
    assert again.path_of(str(again.model)) == tmp_path / "../m/config.json"
    assert again.path_of(str(again.cluster.chip)) == tmp_path / "mine.yaml"
    assert again.cluster.node == "hgx-h100"


REFUSED: list[tuple[Any, str, str]] = [
    ({"cluster": {"chip": "c"}}, "model: `model` is missing", "exaplan models"),
    ({**BASE, "modle": "x"}, "`modle` is not a field of an ask", "did you mean `model`?"),
    ({**BASE, "work": {"token": "1T"}}, "work.token: `token` is not a field of work", "did you mean `tokens`?"),
    ({**BASE, "tokens": "1T"}, "`tokens` is not a field of an ask", "it stands under `work:`"),
    ({**BASE, "work": {"zzz": 1}}, "`zzz` is not a field of work", "known: attention, framework"),
    ({"model": "m"}, "`cluster.chip` is missing", "exaplan chips"),
    ({**BASE, "model": 5}, "model: 5 is not a name", "path of your own file"),
    ({**BASE, "work": 5}, "work: 5 is not a group of fields", "indented"),
    ({**BASE, "work": {"seq_len": 0}}, "work.seq_len: 0 is zero, and it must be more", "16,384"),
    ({**BASE, "work": {"seq_len": -8}}, "work.seq_len: -8 is negative", "16,384"),
    ({**BASE, "work": {"seq_len": "8k"}}, "'k' is not a unit of count", "write the whole number out"),
    ({**BASE, "work": {"seq_len": 10**12}}, "is above what is possible (100,000,000)", "16,384"),
    ({**BASE, "work": {"tokens": float("nan")}}, "work.tokens: 'nan' is not a finite number", "15T"),
    ({**BASE, "work": {"tokens": "nan"}}, "work.tokens: 'nan' is not a finite number", "15T"),
    ({**BASE, "work": {"tokens": 1e30}}, "is above what is possible", "15T"),
    ({**BASE, "work": {"tokens": "1T", "steps": 5}}, "`tokens` and `steps` both", "keep one"),
    ({**BASE, "work": {"kind": "serving"}}, "'serving' is not answered by this version", "come later"),
    ({**BASE, "work": {"kind": "servnig"}}, "'servnig' is not one of 'training'", "choose one"),
    ({**BASE, "work": {"precision": "fp7"}}, "'fp7' is not one of 'bf16'", "choose one"),
    ({**BASE, "work": {"rank": 8}}, "`rank` belongs to method lora", "method: lora"),
    ({**BASE, "work": {"framework": 7}}, "work.framework: 7 is not a text", "schema ask"),
    ({**BASE, "limits": {"power": 5}}, "5 has no unit, and limits.power needs one (power)", "3.2 kW"),
    ({**BASE, "limits": {"money": 500}}, "limits.money: '500' has no currency", "$129k"),
    ({**BASE, "limits": {"money": "¥3M"}}, "no exchange rate is given", "US dollars"),
    ({**BASE, "limits": {"deadline": "5 kW"}}, "'kW' is not a unit of time (it is a unit of power)", "90 d"),
    ({**BASE, "cluster": {"chip": "c", "chips": "d"}}, "`chips` and `chip` say the same thing", "keep one"),
    ({**BASE, "cluster": {"chip": "c", "count": 10**15}}, "is above what is possible", "16,384"),
    ({**BASE, "layout": {"tp": 3}}, "tp 3 = 3 chips, but the cluster has 64", "cluster.count"),
    ({**BASE, "layout": {"dp": 4, "tp": 4, "pp": 2, "cp": 1}}, "dp 4 x tp 4 x pp 2 x cp 1 = 32 chips", "product"),
    ({**BASE, "layout": {"zero": 5}}, "layout.zero: 5 is above what is possible (3)", ""),
    ({**BASE, "layout": {"tp": 8, "etp": 4}}, "etp is 4", "set etp to 1"),
    ({**BASE, "layout": {"offload": "no"}}, "'no' is neither true nor false", "true or false"),
    ({**BASE, "objective": "speed"}, "'speed' is not one of", "choose one"),
    ({**BASE, "system": "sora"}, "`system` (whole systems) is not answered by this version", "model"),
    ([1, 2], "an ask is a mapping of fields", "start with"),
    ("text", "an ask is a mapping of fields", "start with"),
]


@pytest.mark.parametrize(("value", "problem", "remedy"), REFUSED)
def test_each_wrong_ask_is_refused_with_its_remedy(value: Any, problem: str, remedy: str) -> None:
    """The message names field and value, the hint says what to write instead."""
    with pytest.raises(InputError) as caught:
        ask.parse(value)
    assert problem in str(caught.value)
    assert remedy in caught.value.hint


def test_a_place_without_a_file_is_its_field() -> None:
    """An ask that was made in Python names fields."""
    assert str(asked().place("cluster", "chip")) == "cluster.chip"
    assert asked().folder is None


def test_a_refusal_names_file_line_and_field() -> None:
    """The place of the value, not of the file's start, stands before the message."""
    document = parse_yaml("model: m\nwork:\n  tokens: 1T\n  seq_len: -1\ncluster: {chip: c}\n", "run.yaml")
    with pytest.raises(InputError) as caught:
        ask.parse(document.value, document.place)
    assert str(caught.value).startswith("run.yaml:4:3: work.seq_len: -1 is negative")


def test_an_unknown_key_is_told_before_its_consequences() -> None:
    """A misspelt required key is named as misspelt, not as missing."""
    with pytest.raises(InputError, match="modl"):
        ask.parse({"modl": "m", "cluster": {"chip": "c"}})


def test_the_schema_describes_what_is_read() -> None:
    """A valid ask passes its JSON schema, and an unknown key does not."""
    schema = ask.json_schema()
    jsonschema.validate(asked(work={"tokens": "1T"}, limits={"money": "$5"}).resolved(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**BASE, "modle": 1}, schema)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(ask.paths()), junk=JUNK)
def test_no_value_of_any_field_crashes(field: str, junk: Any) -> None:
    """Whatever stands in a field, the ask is either read or refused as bad input."""
    value: dict[str, Any] = {**BASE, "cluster": dict(BASE["cluster"])}
    group, _, name = field.rpartition(".")
    (value.setdefault(group, {}) if group else value)[name] = junk
    try:
        made = ask.parse(value)
    except InputError as error:
        assert error.hint
        return
    assert ask.parse(made.resolved()).resolved() == made.resolved()
