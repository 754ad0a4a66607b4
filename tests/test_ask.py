"""The schema of a question: defaults, units, and every refusal with its remedy."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan import ask
from exaplan.catalog.loader import parse_yaml
from exaplan.errors import InputError, NoPlan, Place
from exaplan.nouns import Layout, Limits

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
    assert ask.parse({"model": "m", "limits": {"budget": "$5", "max_count": 8}}).bounds() == Limits(5.0, count=8)
    assert ask.parse({"model": "m", "cluster": {"chips": ["a", "b"]}}).chips == ("a", "b")


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


# ------------------------------------------------------------------------------------------- what is in question


def test_without_a_chip_all_chips_are_in_question() -> None:
    """Neither chip, node, name nor fleet: every chip, counts searched up to a ceiling that is told."""
    made = ask.parse({"model": "m"})
    assert made.every_chip and made.chips == () and made.open_count
    assert made.bounds().count == made.most_chips == 16_384 and "limits.count = 16384" in made.defaults()
    for part in ({"chip": "a"}, {"node": "n"}, {"name": "c"}, {"fleet": "8xa"}):
        assert not ask.parse({"model": "m", "cluster": part}).every_chip


def test_several_chips_and_sites_are_kept_in_order() -> None:
    """Lists stay lists without repeats; a list of one is that one."""
    made = ask.parse({"model": "m", "cluster": {"chip": ["b", "a", "b"], "site": ["x", "y"]}})
    assert made.cluster.chip == made.chips == ("b", "a") and made.sites == ("x", "y")
    one = ask.parse({"model": "m", "cluster": {"chip": ["a"], "site": ["x"]}})
    assert (one.cluster.chip, one.chips, one.cluster.site, one.sites) == ("a", ("a",), "x", ("x",))
    assert asked().sites == ()


OPEN: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"chip": "a"}, {}, False),
    ({"chip": "a", "count": 64}, {"deadline": "9 d"}, False),
    ({"chip": "a"}, {"money": "$5"}, True),
    ({"chip": "a"}, {"deadline": "9 d"}, True),
    ({"chip": "a"}, {"power": "1 MW"}, True),
    ({"chip": "a"}, {"count": 64}, True),
    ({"node": "n"}, {"count": 64}, True),
    ({"name": "c"}, {"money": "$5"}, False),
    ({"chip": ["a", "b"]}, {}, True),
    ({"chip": ["a", "b"], "count": 64}, {}, False),
    ({}, {}, True),
    ({"count": 64}, {}, False),
    ({"fleet": "8xa"}, {}, True),
]


@pytest.mark.parametrize(("cluster", "limits", "searched"), OPEN)
def test_counts_are_searched_where_limits_or_several_chips_call_for_it(
    cluster: dict[str, Any], limits: dict[str, Any], searched: bool
) -> None:
    """A given count is fixed; left out, one node is meant unless something is to be chosen."""
    made = ask.parse({"model": "m", "cluster": cluster, "limits": limits})
    assert made.open_count is searched
    free = 16_384 if searched and not made.fleet else None
    assert made.bounds().count == limits.get("count", free)


OBJECTIVES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"tokens": "1T"}, {}, "time"),
    ({"tokens": "1T"}, {"deadline": "9 d"}, "cost"),
    ({"steps": 10}, {"deadline": "9 d"}, "cost"),
    ({"tokens": "1T"}, {"deadline": "9 d", "money": "$5"}, "time"),
    ({"tokens": "1T"}, {"money": "$5"}, "time"),
    ({}, {"deadline": "9 d", "money": "$5"}, "throughput"),
    ({}, {"money": "$5"}, "throughput"),
    ({}, {"deadline": "9 d"}, "throughput"),
    ({}, {"power": "1 MW"}, "time"),
]


@pytest.mark.parametrize(("work", "limits", "objective"), OBJECTIVES)
def test_the_objective_follows_from_what_is_limited(
    work: dict[str, Any], limits: dict[str, Any], objective: str
) -> None:
    """Only a deadline: the cheapest; no amount of work within limits: the most; the rule's choice is told."""
    made = asked(work=work, limits=limits)
    assert made.objective == objective and f"objective = {objective}" in made.defaults()


@pytest.mark.parametrize("objective", ["time", "cost", "energy", "carbon"])
def test_an_objective_under_a_limit_needs_the_size_of_the_run(objective: str) -> None:
    """Without tokens a budget or deadline asks for the most tokens; anything else is refused with both remedies."""
    for limits in ({"money": "$2M"}, {"deadline": "9 d"}):
        with pytest.raises(InputError, match=f"objective {objective} under a limit on") as caught:
            asked(limits=limits, objective=objective)
        assert "--tokens" in caught.value.hint and "throughput" in caught.value.hint
        assert asked(limits=limits, objective="throughput").objective == "throughput" == asked(limits=limits).objective
    assert asked(limits={"power": "1 MW"}, objective=objective).objective == objective


def test_a_given_objective_wins() -> None:
    """The rule only fills what was left out."""
    made = asked(limits={"deadline": "9 d"}, objective="carbon", work={"tokens": "1T"})
    assert made.objective == "carbon" and not any(line.startswith("objective") for line in made.defaults())


def test_a_deadline_may_be_a_day() -> None:
    """From the start to that day, in seconds; the day itself is kept."""
    made = asked(start="2026-11-22", limits={"deadline": "2026-12-02"})
    assert made.start == date(2026, 11, 22) and made.limits.deadline == date(2026, 12, 2)
    assert made.deadline == made.bounds().deadline == 10 * 86400.0
    assert asked(limits={"deadline": "10 d"}).deadline == 10 * 86400.0 and asked().deadline is None
    assert made.resolved()["limits"]["deadline"] == "2026-12-02" and made.resolved()["start"] == "2026-11-22"


def test_days_may_be_dates_of_python() -> None:
    """A date object is a day as well."""
    made = asked(start=date(2026, 1, 1), limits={"deadline": date(2026, 1, 3)})
    assert made.deadline == 2 * 86400.0


@pytest.mark.parametrize("written", ["$2M", "2M", " 2 M", "2 million", "2M USD", "$2,000,000", "US$2M", "2.0M"])
def test_a_budget_reads_as_people_write_it(written: str) -> None:
    """A scale is enough to know dollars; a bare number is refused (was 2 meant, or 2 million?)."""
    assert asked(limits={"money": written}).limits.money == 2e6


@pytest.mark.parametrize("written", ["30d", "30 d", "30 days", "720h"])
def test_a_deadline_reads_as_people_write_it(written: str) -> None:
    """With or without a space."""
    assert asked(limits={"deadline": written}).deadline == 30 * 86400.0


FLEETS = ["64xA100,8xH100", "64 x A100, 8 X H100", "64*A100, 8\u00d7H100", "64 A100,8 H100", "A100:64, H100 x 8"]


@pytest.mark.parametrize("written", FLEETS)
def test_a_fleet_reads_as_people_write_it(written: str) -> None:
    """Text means the same as the list of items; what is there is owned."""
    made = ask.parse({"model": "m", "cluster": {"fleet": written}})
    assert [(item.chip, item.count) for item in made.fleet] == [("A100", 64), ("H100", 8)]
    assert made.terms == "own" and "cluster.terms = own" in made.defaults()
    items = [{"chip": "A100", "count": 64}, {"chip": "H100", "count": 8}]
    assert ask.parse({"model": "m", "cluster": {"fleet": items}}).resolved() == made.resolved()


def test_a_fleet_may_name_node_and_fabric(tmp_path: Path) -> None:
    """Each item has its own; files are found from anywhere; the ceiling is the fleet's own unless one is given."""
    item = {"chip": "mine.yaml", "count": 64, "node": "hgx", "fabric": "ib"}
    made = ask.parse({"model": "m", "cluster": {"fleet": [item]}}, folder=tmp_path)
    again = ask.parse(made.resolved()).fleet[0]
    assert (again.chip, again.node, again.fabric) == (str(tmp_path / "mine.yaml"), "hgx", "ib")
    assert made.most_chips is None
    assert ask.parse({"model": "m", "cluster": {"fleet": [item]}, "limits": {"count": 8}}).most_chips == 8


def test_terms_and_hold_have_their_defaults() -> None:
    """Any offer, and the upper end; ``hold`` is told only where a limit has a range."""
    made = asked(limits={"money": "$5"})
    assert (made.terms, made.limits.hold) == ("any", "upper")
    assert {"cluster.terms = any", "limits.hold = upper"} <= set(made.defaults())
    assert not any(line.startswith("limits.hold") for line in asked(limits={"count": 64}).defaults())
    kept = asked(limits={"hold": "expected"}, cluster={"chip": "a", "count": 8, "terms": "own"})
    assert kept.resolved()["limits"] == {"hold": "expected"} and kept.terms == "own"


def test_a_count_above_its_limit_is_no_plan() -> None:
    """Both fields, both values and the place: nothing can hold."""
    text = "model: m\ncluster: {chip: c, count: 64}\nlimits:\n  count: 8\n"
    document = parse_yaml(text, "run.yaml")
    with pytest.raises(NoPlan) as caught:
        ask.parse(document.value, document.place)
    assert caught.value.limit == "count" and "--max-count" in caught.value.hint
    for piece in ("run.yaml:4:3: limits.count", "64 chips (cluster.count)", "at most 8 are allowed (limits.count)"):
        assert piece in str(caught.value)
    assert asked(limits={"count": 64}).bounds().count == 64


SINGLE: list[tuple[dict[str, Any], str, str]] = [
    ({}, "`cluster.chip` is missing", "exaplan chips"),
    ({"count": 64}, "`cluster.chip` is missing", "--chip and --count"),
    ({"chip": ["a", "b"]}, "`cluster.chip` leaves a choice (a, b)", "name one chip"),
    ({"chip": "a", "site": ["x", "y"]}, "`cluster.site` leaves a choice (x, y)", "name one site"),
    ({"fleet": "8xa"}, "`cluster.fleet` leaves a choice (a)", "name one chip and its count"),
]


@pytest.mark.parametrize(("cluster", "problem", "remedy"), SINGLE)
def test_estimate_needs_one_cluster(cluster: dict[str, Any], problem: str, remedy: str) -> None:
    """What leaves a choice is for ``plan``."""
    with pytest.raises(InputError) as caught:
        ask.check_single(ask.parse({"model": "m", "cluster": cluster}))
    assert problem in str(caught.value) and remedy in caught.value.hint and "exaplan plan" in caught.value.hint


@pytest.mark.parametrize("cluster", [{"chip": "a"}, {"node": "n"}, {"name": "c"}, {"chip": ["a"], "site": ["x"]}])
def test_one_cluster_is_enough_for_estimate(cluster: dict[str, Any]) -> None:
    """A chip, a node or a cluster's name."""
    ask.check_single(ask.parse({"model": "m", "cluster": cluster}))


# ------------------------------------------------------------------------------------------------------------ law


def lawful(**law: Any) -> ask.Ask:
    """An ask under the export rules of China."""
    return asked(law={"to": "CN", **law})


def test_without_a_destination_no_law_is_told() -> None:
    """Nothing of the law stands among the defaults or in the written ask, and it does not bind."""
    made = asked()
    assert not made.bound and made.law.accept == ("free", "notify")
    assert not any(line.startswith("law") for line in made.defaults()) and "law" not in made.resolved()


def test_what_a_law_leaves_out_is_told() -> None:
    """Every default of the law that matters is told, written as people write it."""
    told = lawful(on="2024-01-15").defaults()
    wanted = {"law.origin = US", "law.buyer = private", "law.letters = all", "law.accept = free, notify"}
    assert wanted | {"law.vat = paid", "start = 2024-01-15"} <= set(told)
    assert not any(
        line.startswith(("law.on", "law.to", "law.without", "law.thresholds", "law.end_user")) for line in told
    )


DAYS: list[tuple[dict[str, Any], dict[str, Any], str | None, str | None]] = [
    ({"on": "2024-01-15"}, {}, "2024-01-15", "2024-01-15"),
    ({}, {"start": "2024-03-01"}, "2024-03-01", "2024-03-01"),
    ({"on": "2024-01-15"}, {"start": "2024-03-01"}, "2024-01-15", "2024-03-01"),
    ({}, {}, None, None),
]


@pytest.mark.parametrize(("law", "more", "on", "start"), DAYS)
def test_the_day_of_the_law_and_of_the_prices(
    law: dict[str, Any], more: dict[str, Any], on: str | None, start: str | None
) -> None:
    """Either follows from the other where it is left out; both may differ; with neither planning says the day."""
    made = asked(law={"to": "CN", **law}, **more)
    assert (made.law.on and made.law.on.isoformat(), made.start and made.start.isoformat()) == (on, start)
    again = ask.parse(made.resolved())
    assert (again.law, again.start) == (made.law, made.start)


def test_the_last_day_of_the_rules_is_a_default_that_is_told() -> None:
    """``dated`` fills in only what was left open, and what it fills in counts as left out."""
    made = lawful().dated("2026-09-25")
    assert made.law.on == made.start == date(2026, 9, 25)
    assert {"law.on = 2026-09-25", "start = 2026-09-25"} <= set(made.defaults())
    assert made.resolved()["law"]["on"] == made.resolved()["start"] == "2026-09-25"
    assert made.place("law", "to") == lawful().place("law", "to")
    for kept in (lawful(on="2024-01-15"), asked(law={"to": "CN"}, start="2024-01-15"), asked()):
        assert kept.dated("2026-09-25") == kept and kept.dated("2026-09-25").defaults() == kept.defaults()


def test_a_day_of_the_law_is_a_start_for_a_deadline() -> None:
    """A deadline that is a day counts from it."""
    made = lawful(on="2024-01-15") and asked(law={"to": "CN", "on": "2024-01-15"}, limits={"deadline": "2024-01-25"})
    assert made.deadline == 10 * 86400.0


def test_a_law_reads_as_people_write_it() -> None:
    """Other spellings of its fields, places as they were written, lists as text, both spellings of a licence."""
    made = asked(
        law={"place": " 中国 ", "date": "2024-01-15", "hq": "China", "accept": "free, License", "without": "a, b,a"}
    )
    law = made.law
    assert (law.to, law.headquarters, law.accept, law.without) == ("中国", "China", ("free", "licence"), ("a", "b"))
    assert asked(law={"country": "CN", "from": "TW", "entity": "Biren", "max_count": 64}).law.count == 64
    empty = lawful(
        headquarters=None, origin=None, end_user=None, accept=None, without=None, thresholds=None, count=None
    )
    assert empty.law == lawful(origin="US").law


def test_thresholds_may_be_written_flat_or_nested() -> None:
    """``rule.name: number`` and ``rule: {name: number}`` mean the same; a number may be text."""
    flat = lawful(thresholds={"us-2023.tpp": "4,000", "us-2023.pd": 5.5}).law.thresholds
    assert flat == lawful(thresholds={"us-2023": {"tpp": 4000, "pd": "5.5"}}).law.thresholds
    assert flat == {"us-2023.tpp": 4000.0, "us-2023.pd": 5.5}


def test_a_fleet_may_stand_under_a_law() -> None:
    """What is there already is asked about as well: planning tells that the law does not touch it."""
    made = ask.parse({"model": "m", "cluster": {"fleet": "8xh100"}, "law": {"to": "CN", "on": "2024-01-15"}})
    assert made.bound and made.fleet


def test_a_law_alone_is_read_for_check() -> None:
    """The flags of ``check``: the same fields, the same refusals, the place of each by its flag."""
    place = {"buyer": Place("--buyer")}
    law = ask.parse_law({"to": "CN", "on": "2024-01-15", "buyer": "state-funded"})
    assert (law.to, law.on, law.buyer) == ("CN", date(2024, 1, 15), "state-funded")
    with pytest.raises(InputError, match="--buyer: 'army' is not one of 'private' or 'state-funded'"):
        ask.parse_law({"to": "CN", "buyer": "army"}, lambda *keys: place[str(keys[-1])])


def test_a_day_alone_is_read_for_flags() -> None:
    """A date, nothing, or a refusal at its place."""
    assert ask.parse_day("2024-01-15", Place("--on")) == date(2024, 1, 15) and ask.parse_day(None, Place()) is None
    with pytest.raises(InputError, match="--on: 'now' is not a date"):
        ask.parse_day("now", Place("--on"))


# ------------------------------------------------------------------------------------------------------ refusals


def on(**cluster: Any) -> dict[str, Any]:
    """An ask with that cluster."""
    return {"model": "m", "cluster": cluster}


REFUSED: list[tuple[Any, str, str]] = [
    ({"cluster": {"chip": "c"}}, "model: `model` is missing", "exaplan models"),
    ({**BASE, "modle": "x"}, "`modle` is not a field of an ask", "did you mean `model`?"),
    ({**BASE, "work": {"token": "1T"}}, "work.token: `token` is not a field of work", "did you mean `tokens`?"),
    ({**BASE, "tokens": "1T"}, "`tokens` is not a field of an ask", "it stands under `work:`"),
    ({**BASE, "work": {"zzz": 1}}, "`zzz` is not a field of work", "known: attention, framework"),
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
    ({**BASE, "work": {"kind": "control"}}, "'control' is not answered by this version", "come later"),
    ({**BASE, "work": {"kind": "servnig"}}, "'servnig' is not one of 'training'", "choose one"),
    ({**BASE, "work": {"precision": "fp7"}}, "'fp7' is not one of 'bf16'", "choose one"),
    ({**BASE, "work": {"rank": 8}}, "`rank` belongs to method lora", "method: lora"),
    ({**BASE, "work": {"framework": 7}}, "work.framework: 7 is not a text", "schema ask"),
    ({**BASE, "limits": {"power": 5}}, "5 has no unit, and limits.power needs one (power)", "3.2 kW"),
    ({**BASE, "limits": {"money": 500}}, "limits.money: '500' has no currency", "$129k"),
    ({**BASE, "limits": {"money": "¥3M"}}, "no exchange rate is given", "US dollars"),
    ({**BASE, "limits": {"money": "$0"}}, "limits.money: '$0' is zero, and it must be more", "$129k"),
    ({**BASE, "limits": {"money": "0M"}}, "limits.money: '0M' is zero, and it must be more", "$129k"),
    ({**BASE, "limits": {"money": "-2M"}}, "limits.money: '-2M' has no currency", "$129k"),
    ({**BASE, "limits": {"money": "2"}}, "limits.money: '2' has no currency", "$129k"),
    ({**BASE, "limits": {"money": "2m"}}, "limits.money: '2m' has no currency", "$129k"),
    ({**BASE, "limits": {"money": "2M EUR"}}, "no exchange rate is given", "US dollars"),
    ({**BASE, "limits": {"deadline": "5 kW"}}, "'kW' is not a unit of time (it is a unit of power)", "90 d"),
    ({**BASE, "limits": {"deadline": "30"}}, "'30' has no unit, and limits.deadline needs one (time)", "2027-03-01"),
    ({**BASE, "limits": {"deadline": 30}}, "30 has no unit, and limits.deadline needs one (time)", "90 d"),
    ({**BASE, "limits": {"deadline": "0 d"}}, "limits.deadline: '0 d' is zero, and it must be more", "90 d"),
    ({**BASE, "limits": {"deadline": "2027-03-01"}}, "the deadline 2027-03-01 is a day, and no start", "--start"),
    ({**BASE, "limits": {"deadline": "2027-02-30"}}, "'2027-02-30' is not a date (day is out of range", "2027-03-01"),
    ({**BASE, "limits": {"deadline": "1.3.2027"}}, "'1.3.2027' is not a date", "year-month-day"),
    ({**BASE, "limits": {"deadline": "2027-03"}}, "'2027-03' is not a date", "year-month-day"),
    (
        {**BASE, "start": "2027-03-01", "limits": {"deadline": "2027-03-01"}},
        "limits.deadline: the deadline 2027-03-01 is not after the start, 2027-03-01",
        "behind the start",
    ),
    ({**BASE, "start": "soon"}, "start: 'soon' is not a date", "2027-03-01"),
    ({**BASE, "start": 20270301}, "start: 20270301 is not a date", "2027-03-01"),
    ({**BASE, "start": "1027-03-01"}, "start: '1027-03-01' is outside 1990 to 2199", "2027-03-01"),
    ({**BASE, "limits": {"hold": "maybe"}}, "'maybe' is not one of 'upper' or 'expected'", "choose one"),
    ({**BASE, "limits": {"count": 0}}, "limits.count: 0 is zero, and it must be more", "16,384"),
    (on(chip="c", terms="lease"), "'lease' is not one of 'any', 'rent', 'buy' or 'own'", "choose one"),
    (on(terms="own"), "cluster.terms: terms own means that the chips are already there", "--fleet 64xA100"),
    (on(chip="c", terms="own"), "terms own means that the chips are already there", "--count"),
    (on(chip=["c", "d"], count=8, terms="own"), "terms own means that the chips are already there", "--count"),
    (on(chip=["c", "d"], node="n"), "cluster.node: a node holds chips of one type, and 2 are named (c, d)", "one chip"),
    (on(chip=[]), "cluster.chip: the list is empty", "leave the field out"),
    (on(chip=""), "cluster.chip: '' is not a name", "path of your own file"),
    (on(chip=["a", 5]), "cluster.chip: 5 is not a name", "path of your own file"),
    (on(site=["a", ""]), "cluster.site: '' is not a name", "path of your own file"),
    (on(name="c", chip="d"), "cluster.chip: `name` and `chip` each say what the cluster is made of", "keep one"),
    (on(name="c", node="d"), "cluster.node: `name` and `node` each say what the cluster is made of", "keep one"),
    (on(fleet=[]), "cluster.fleet: the fleet is empty", "64xA100,8xH100"),
    (on(fleet=" "), "cluster.fleet: the fleet is empty", "64xA100,8xH100"),
    (on(fleet={}), "cluster.fleet: {} is not a fleet", "{chip: NAME, count: 64}"),
    (on(fleet="lots"), "cluster.fleet: 'lots' is not a number of chips", "64xA100,8xH100"),
    (on(fleet="64xA100,"), "cluster.fleet: '' is not a number of chips", "64xA100,8xH100"),
    (on(fleet="1,024xA100"), "cluster.fleet: '1' is not a number of chips", "without commas inside a number"),
    (on(fleet="6.5xA100"), "cluster.fleet: '6.5xA100' is not a number of chips", "64xA100,8xH100"),
    (on(fleet="-8xA100"), "cluster.fleet: '-8xA100' is not a number of chips", "64xA100,8xH100"),
    (on(fleet="8xA100 8xH100"), "cluster.fleet: '8xA100 8xH100' is not a number", "64xA100,8xH100"),
    (on(fleet="0xA100"), "cluster.fleet[0].count: '0' is zero, and it must be more", "16,384"),
    (on(fleet=[{"chip": "a", "count": 8}, 5]), "cluster.fleet[1]: 5 is not a group of fields", "indented"),
    (on(fleet=[{"chip": "a", "cont": 8}]), "`cont` is not a field of cluster.fleet[0]", "did you mean `count`?"),
    (on(fleet=[{"chip": "a"}]), "`cluster.fleet[0].count` is missing", "like 64"),
    (on(fleet=[{"count": 8}]), "`cluster.fleet[0].chip` is missing", "exaplan chips"),
    (on(fleet=[{"chip": 5, "count": 8}]), "cluster.fleet[0].chip: 5 is not a name", "path of your own file"),
    (on(fleet="8xa,8xa"), "cluster.fleet[1]: a stands twice in the fleet", "the sum of both"),
    (on(fleet="8xa", chip="a"), "cluster.chip: `fleet` says which chips are there", "keep one"),
    (on(fleet="8xa", name="a"), "cluster.name: `fleet` says which chips are there", "keep one"),
    (on(fleet="8xa", node="a"), "cluster.node: `fleet` says which chips are there", "keep one"),
    (on(fleet="8xa", count=8), "cluster.count: `fleet` says which chips are there", "limits.count"),
    (on(fleet="8xa", terms="rent"), "cluster.terms: a fleet is already there, so terms rent", "leave out"),
    ({**BASE, "layout": {"dp": 3}}, "work.global_batch: global_batch 1024 does not divide over dp 3", "a multiple"),
    ({**BASE, "layout": {"dp": 8, "micro_batch": 3}}, "does not divide over dp 8 x micro_batch 3", "a multiple"),
    (
        {**on(chip="c"), "limits": {"count": 32}, "layout": {"tp": 8, "pp": 8}},
        "layout: tp 8 x pp 8 = 64 chips, but at most 32 are searched",
        "--max-count",
    ),
    ({**on(), "layout": {"tp": 32768}}, "tp 32768 = 32,768 chips, but at most 16,384 are searched", "--max-count"),
    ({**on(fleet="8xa,9xb"), "layout": {"tp": 16}}, "tp 16 = 16 chips, but at most 9 are searched", "larger fleet"),
    ({**BASE, "cluster": {"chip": "c", "chips": "d"}}, "`chips` and `chip` say the same thing", "keep one"),
    ({**BASE, "cluster": {"chip": "c", "count": 10**15}}, "is above what is possible", "16,384"),
    ({**BASE, "layout": {"tp": 3}}, "tp 3 = 3 chips, but the cluster has 64", "cluster.count"),
    ({**BASE, "layout": {"dp": 4, "tp": 4, "pp": 2, "cp": 1}}, "dp 4 x tp 4 x pp 2 x cp 1 = 32 chips", "product"),
    ({**BASE, "layout": {"zero": 5}}, "layout.zero: 5 is above what is possible (3)", ""),
    ({**BASE, "layout": {"tp": 8, "etp": 4}}, "etp is 4", "set etp to 1"),
    ({**BASE, "layout": {"offload": "no"}}, "'no' is neither true nor false", "true or false"),
    ({**BASE, "law": {"on": "2024-01-15"}}, "law.on: `on` is about the export rules", "give the day as --start"),
    ({**BASE, "law": {"thresholds": {"a.b": 1}}}, "law.thresholds.a.b: `thresholds` is about the export rules", "--to"),
    ({**BASE, "law": {"buyer": "private"}}, "law.buyer: `buyer` is about the export rules", "--to"),
    ({**BASE, "law": 5}, "law: 5 is not a group of fields", "indented"),
    ({**BASE, "law": {"too": "CN"}}, "`too` is not a field of law", "did you mean `to`?"),
    ({**BASE, "law": {"to": ""}}, "law.to: '' is not a place", "CN, China or 中国"),
    ({**BASE, "law": {"to": 86}}, "law.to: 86 is not a place", "CN, China or 中国"),
    ({**BASE, "law": {"to": "CN", "place": "CN"}}, "`place` and `to` say the same thing", "keep one"),
    ({**BASE, "law": {"to": "CN", "hq": []}}, "law.headquarters: [] is not a place", "CN, China or 中国"),
    ({**BASE, "law": {"to": "CN", "on": "soon"}}, "law.on: 'soon' is not a date", "2027-03-01"),
    ({**BASE, "law": {"to": "CN", "buyer": "army"}}, "'army' is not one of 'private' or 'state-funded'", "choose"),
    ({**BASE, "law": {"to": "CN", "letters": "none"}}, "'none' is not one of 'all' or 'addressees'", "choose"),
    ({**BASE, "law": {"to": "CN", "vat": "no"}}, "'no' is not one of 'paid' or 'recovered'", "choose"),
    ({**BASE, "law": {"to": "CN", "accept": "denial"}}, "`denial` cannot be accepted", "--without"),
    ({**BASE, "law": {"to": "CN", "accept": "maybe"}}, "law.accept: 'maybe' is not a verdict", "free, notify"),
    ({**BASE, "law": {"to": "CN", "accept": []}}, "law.accept: the list is empty", "[free, notify]"),
    ({**BASE, "law": {"to": "CN", "accept": 5}}, "law.accept: 5 is not a list of verdicts", "[free, notify]"),
    ({**BASE, "law": {"to": "CN", "without": 5}}, "law.without: 5 is not a list of names", "exaplan rules"),
    ({**BASE, "law": {"to": "CN", "without": "a,,b"}}, "law.without: '' is not one of names", "exaplan rules"),
    ({**BASE, "law": {"to": "CN", "end_user": 5}}, "law.end_user: 5 is not a text", "schema ask"),
    ({**BASE, "law": {"to": "CN", "thresholds": 5}}, "law.thresholds: 5 is not a group", "exaplan rules"),
    ({**BASE, "law": {"to": "CN", "thresholds": {"a.b": "x"}}}, "law.thresholds.a.b: 'x' is not a number", "unit"),
    ({**BASE, "law": {"to": "CN", "thresholds": {"a.b": True}}}, "True is not a number", "unit"),
    ({**BASE, "law": {"to": "CN", "thresholds": {"a.b": [1]}}}, "[1] is not a number", "unit"),
    ({**BASE, "law": {"to": "CN", "thresholds": {"a.b": -1}}}, "a.b: -1 is not a finite number, 0 or more", "unit"),
    ({**BASE, "law": {"to": "CN", "thresholds": {"a.b": "nan"}}}, "a.b: 'nan' is not a finite number", "unit"),
    ({**BASE, "law": {"to": "CN", "thresholds": {" ": 1}}}, "' ' is not the name of a threshold", "tpp=4800"),
    ({**BASE, "law": {"to": "CN", "count": 0}}, "law.count: 0 is zero", "16,384"),
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


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


NAMES = st.sampled_from(["h100-sxm", "a100", "./mine.yaml"]) | st.lists(
    st.sampled_from(["h100-sxm", "b200", "../x.yaml"]), min_size=1, max_size=3
)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"chip": st.sampled_from(["a100", "./mine.yaml"]), "count": st.integers(1, 10**5)},
        optional={"node": st.just("hgx"), "fabric": st.just("ib")},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda item: (item["chip"], item.get("node"), item.get("fabric")),
)
CLUSTERS = (
    some(chip=NAMES, count=st.integers(1, 10**6), site=NAMES, terms=st.sampled_from(["any", "rent", "buy"]))
    | some(node=st.just("hgx"), fabric=st.just("ib"), power_cap=st.just("500 W"))
    | st.fixed_dictionaries({"fleet": ITEMS}, optional={"terms": st.sampled_from(["any", "own"]), "site": NAMES})
    | st.just({"name": "frontier"})
)
AMOUNTS = st.floats(0.001, 1e9)
LIMITS = some(
    money=AMOUNTS.map(lambda value: f"${value!r}"),
    power=AMOUNTS.map(lambda value: f"{value!r} kW"),
    deadline=AMOUNTS.map(lambda value: f"{value!r} s") | st.just("2027-03-01"),
    count=st.integers(10**6, 10**8),
    hold=st.sampled_from(["upper", "expected"]),
)
WORKS = some(precision=st.just("fp8"), seq_len=st.just(8192)) | some(
    tokens=AMOUNTS.map(lambda value: 1.0 + value), method=st.just("lora")
)
LAWS = st.just({}) | st.fixed_dictionaries(
    {"to": st.sampled_from(["CN", "中国", "my-site"])},
    optional={
        "on": st.sampled_from(["2022-10-07", "2024-01-15"]),
        "headquarters": st.just("CN"),
        "origin": st.just("TW"),
        "end_user": st.just("Biren"),
        "buyer": st.sampled_from(["private", "state-funded"]),
        "letters": st.just("addressees"),
        "accept": st.lists(st.sampled_from(["free", "notify", "licence", "unknown"]), min_size=1),
        "without": st.lists(st.sampled_from(["a", "b"])),
        "thresholds": st.dictionaries(st.sampled_from(["a.x", "b.y"]), st.floats(0, 1e12)),
        "count": st.integers(1, 10**6),
        "vat": st.just("recovered"),
    },
)
ASKS = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "cluster": CLUSTERS,
        "limits": LIMITS,
        "work": WORKS,
        "law": LAWS,
        "start": st.just("2026-11-22"),
    },
    optional={"objective": st.sampled_from(["time", "cost", "energy", "carbon", "throughput"]), "seed": st.just(7)},
)


@settings(deadline=None)
@given(value=ASKS)
def test_every_ask_survives_being_written(value: dict[str, Any]) -> None:
    """resolved(), through JSON, asks the very same again: every field, whatever was left out, from any folder."""
    if {"money", "deadline"} & value["limits"].keys() and "tokens" not in value["work"]:
        value = value | {"objective": "throughput"}  # nothing else can be asked without tokens
    made = ask.parse(value, folder=Path("/somewhere"))
    written = json.loads(json.dumps(made.resolved()))
    again = ask.parse(written, folder=Path("/elsewhere"))
    assert again.resolved() == written and again.bounds() == made.bounds()
    kept = (
        "objective",
        "start",
        "seed",
        "law",
        "work",
        "limits",
        "layout",
        "observed",
        "open_count",
        "every_chip",
        "terms",
    )
    assert all(getattr(again, name) == getattr(made, name) for name in (*kept, "terms"))
    assert len(again.chips) == len(made.chips) and [item.count for item in again.fleet] == [i.count for i in made.fleet]
    assert {line for line in again.defaults() if not line.startswith("limits.count")} == set()
    jsonschema.validate(written, ask.json_schema())


@settings(deadline=None)
@given(field=st.sampled_from(ask.paths()), junk=JUNK)
def test_no_value_of_any_field_crashes(field: str, junk: Any) -> None:
    """Whatever stands in a field, the ask is either read or refused as bad input."""
    value: dict[str, Any] = {**BASE, "cluster": dict(BASE["cluster"])}
    group, _, name = field.rpartition(".")
    (value.setdefault(group, {}) if group else value)[name] = junk
    try:
        made = ask.parse(value)
    except (InputError, NoPlan) as error:
        assert error.hint
        return
    assert ask.parse(made.resolved()).resolved() == made.resolved()
