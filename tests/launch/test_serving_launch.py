"""Launch lines of servers: goldens, flags against their documentation, what bash starts, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from made_answers import answer as training
from made_served import plan, served

from exaplan.catalog import Catalog, load
from exaplan.errors import InputError
from exaplan.nouns.serving import Deployment, Formats, Lengths, Replica, Settings, Speculative, Traffic
from exaplan.report import answered
from exaplan.report.launch import FORMATS, SERVING, check_format, check_kind, launch_text, version_of
from exaplan.report.launch.service import placed, service_of
from exaplan.report.launch.tables import flags, own_flags, table

from .services import DEPLOYMENTS, ENGINES, answer, files_of, flags_of, made, settings, started, valid

CATALOG = load()
KEPT = [(form, name) for name, (forms, _, _) in DEPLOYMENTS.items() for form in forms]
SAID = {("vllm", "disaggregated"), ("trtllm", "adapters")}


@pytest.mark.parametrize(("form", "name"), KEPT)
def test_known_deployments_are_written_as_they_were(
    form: str, name: str, catalog: Catalog, launch_golden: Callable[[str, str], None]
) -> None:
    """Each script byte by byte, and valid bash."""
    text = launch_text(form, answer(catalog, form, name))
    valid(text)
    launch_golden(f"serving_{form}_{name}.sh", text)


LAYOUTS = st.builds(
    Replica, tp=st.sampled_from([1, 2, 4, 8]), pp=st.sampled_from([1, 1, 2]), cp=st.sampled_from([1, 1, 1, 2]),
    dp=st.sampled_from([1, 1, 2, 8]), ep=st.sampled_from([1, 1, 2, 8, 16]),
)  # fmt: skip
CHOICES = st.builds(
    Settings, engine=st.just("x"),
    formats=st.builds(
        Formats, st.sampled_from(["bf16", "fp16", "fp8", "fp8-block", "int4-wo", "nvfp4", "mxfp4", "q4_k_m", "q8_0"]),
        st.sampled_from(["bf16", "fp8", "fp16", "int8", "q8_0"]),
    ),
    max_seqs=st.sampled_from([None, 1, 64]), max_tokens=st.sampled_from([None, 512, 8192]),
    chunked=st.sampled_from([None, True, False]), prefix_cache=st.sampled_from([None, True, False]),
    memory_share=st.sampled_from([None, 0.85]), lora=st.sampled_from([None, None, (4, 16), (1, 600)]),
    speculative=st.sampled_from(
        [None, Speculative(2, 0.8), Speculative(4, 0.5, "ngram"), Speculative(3, 0.6, "tiny'x")]
    ),
    router=st.sampled_from(["round-robin", "least-loaded", "prefix"]), offload=st.sampled_from([0.0, 0.0, 32e9]),
)  # fmt: skip


@pytest.mark.parametrize("form", SERVING)
@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cut=LAYOUTS, prefill=st.none() | LAYOUTS, copies=st.integers(1, 5), chosen=CHOICES)
def test_any_deployment_is_written_or_refused(
    form: str, cut: Replica, prefill: Replica | None, copies: int, chosen: Settings
) -> None:
    """A script whose every setting is documented, or one error that names --launch and a way out."""
    put = Deployment(cut, copies, chosen, prefill, copies if prefill else 0)
    try:
        text = launch_text(form, made(CATALOG, form, put))
    except InputError as error:
        assert error.place.field == "--launch" and error.hint and " cannot express " in error.problem
        return
    assert flags_of(form, text) <= flags(form).keys()
    assert "None" not in text and "nan" not in text


@pytest.mark.parametrize("form", SERVING)
def test_no_row_of_the_tables_is_idle(form: str, catalog: Catalog) -> None:
    """Each setting of a format's file is written for some deployment."""
    used: set[str] = set()
    plain = settings(formats=Formats("fp16", "bf16"), chunked=True, prefix_cache=True, max_seqs=8)
    more = [
        Deployment(Replica(), 1, plain),
        Deployment(Replica(pp=2), 1, replace(plain, prefix_cache=False, speculative=Speculative(2, 0.8))),
        Deployment(Replica(), 1, replace(plain, chunked=False, speculative=Speculative(2, 0.8, "tiny"), offload=1e9)),
        Deployment(Replica(), 1, replace(plain, lora=(2, 8), speculative=Speculative(2, 0.8, "ngram"))),
        Deployment(Replica(tp=4, dp=4, ep=16), 1, replace(plain, chunked=True)),
        Deployment(Replica(tp=8), 2, plain),
    ]
    puts = [(put, chip) for known, put, chip in DEPLOYMENTS.values() if form in known]
    for put, chip in [*puts, *((put, "h100-sxm") for put in more)]:
        try:
            used |= flags_of(form, launch_text(form, made(catalog, form, put, chip)))
        except InputError:
            continue
    assert set(own_flags(form)) - used == set()


@pytest.mark.parametrize("form", SERVING)
def test_each_row_has_its_source_and_version(form: str) -> None:
    """An https address, what it sets, and a version; files of a repository are named by commit or version."""
    for flag in own_flags(form).values():
        assert flag.address.startswith("https://") and flag.sets and flag.version, flag
        if "/blob/" in flag.address:
            assert re.search(r"/blob/([0-9a-f]{40}|v\d)", flag.address), flag.address
    assert SERVING[form] == version_of(form) == f"{table(form)['program']} {table(form)['version']}"


def _value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


@pytest.mark.parametrize(
    ("form", "tp", "caps"),
    [
        ("vllm", "--tensor-parallel-size", ("--max-num-seqs", "--max-num-batched-tokens")),
        ("sglang", "--tp-size", ("--max-running-requests", "--chunked-prefill-size")),
        ("trtllm", "--tp_size", ("--max_batch_size", "--max_num_tokens")),
    ],
)
def test_bash_starts_every_copy_on_chips_of_its_own(
    form: str, tp: str, caps: tuple[str, str], catalog: Catalog
) -> None:
    """Two copies of four chips: disjoint devices, ports of their own, the caps and the degree of the plan."""
    copies = started(launch_text(form, answer(catalog, form, "two_copies")))
    assert sorted(words[0] for words in copies) == ["0,1,2,3", "4,5,6,7"]
    assert len({_value(words, "--port") for words in copies}) == 2
    for words in copies:
        assert [_value(words, flag) for flag in (tp, *caps)] == ["4", "256", "8192"]


def test_the_checkpoint_is_one_word(catalog: Catalog) -> None:
    """A name with blanks and a semicolon reaches the server as it is, and starts nothing."""
    for form in SERVING:
        name = "desk" if form == "llama.cpp" else "two_copies"
        for words in started(launch_text(form, answer(catalog, form, name))):
            assert "a model; touch x" in words and "touch" not in words


def test_a_model_cannot_write_into_the_script(catalog: Catalog) -> None:
    """A name with quotes, dollars and line ends stays a comment and a message."""
    found = answer(catalog, "vllm", "two_copies")
    evil = replace(found, model=replace(found.model, name='x"\n$(touch /tmp/x)`id`\nrm -rf'))
    text = launch_text("vllm", evil)
    valid(text)
    assert "$(touch" not in text.split("set -euo pipefail")[1] and "`" not in text.split("set -euo pipefail")[1]
    assert len(started(text)) == 2


def test_a_copy_on_two_hosts_is_started_on_both(catalog: Catalog) -> None:
    """SGLang by rank, vLLM by Ray, its attention ranks by their first number, TensorRT-LLM by Slurm from the first."""
    ranks = [started(launch_text("sglang", answer(catalog, "sglang", "one_large")), host)[0] for host in (0, 1)]
    assert [_value(words, "--node-rank") for words in ranks] == ["0", "1"]
    first, second = (started(launch_text("vllm", answer(catalog, "vllm", "one_large")), host) for host in (0, 1))
    assert [words[1] for words in first] == ["ray", "vllm"] and second[0][1:3] == ["ray", "start"]
    starts = [started(launch_text("vllm", answer(catalog, "vllm", "experts")), host)[0] for host in (0, 1)]
    assert "--headless" not in starts[0] and _value(starts[1], "--data-parallel-start-rank") == "8"
    slurm = [started(launch_text("trtllm", answer(catalog, "trtllm", "one_large")), host) for host in (0, 1)]
    assert slurm[0][0][1] == "srun" and _value(slurm[0][0], "--ntasks") == "16" and slurm[1] == []


def test_a_wrong_host_is_refused_by_the_script(catalog: Catalog) -> None:
    """The number of a host that the plan does not have ends the script with an error."""
    import subprocess

    with pytest.raises(subprocess.CalledProcessError):
        started(launch_text("sglang", answer(catalog, "sglang", "one_large")), 7)


def test_prompts_and_decoding_are_started_apart(catalog: Catalog) -> None:
    """Three copies read prompts, one decodes, each with its role; the notes name all of them for the router."""
    text = launch_text("sglang", answer(catalog, "sglang", "disaggregated"))
    words = [*started(text, 0), *started(text, 1)]
    assert sorted(_value(one, "--disaggregation-mode") for one in words) == ["decode", "prefill", "prefill", "prefill"]
    assert text.count("# --prefill http://HOST0:") == 3 and "# --decode http://HOST1:8000" in text
    orchestra = files_of(launch_text("trtllm", answer(catalog, "trtllm", "disaggregated")))["disaggregated.yaml"]
    assert orchestra["context_servers"]["num_instances"] == 3 and orchestra["generation_servers"]["urls"] == [
        "HOST1:8000"
    ]


def test_caps_of_attention_ranks_are_as_each_engine_counts(catalog: Catalog) -> None:
    """vLLM takes those of a rank, SGLang those of all ranks together."""
    put = Deployment(Replica(dp=8, ep=8), 1, settings(max_seqs=16, max_tokens=1024))
    counts = {}
    for form, flag in (
        ("vllm", "--max-num-seqs"),
        ("sglang", "--max-running-requests"),
        ("trtllm", "--max_batch_size"),
    ):
        counts[form] = _value(started(launch_text(form, made(catalog, form, put)))[0], flag)
    assert counts == {"vllm": "16", "sglang": "128", "trtllm": "16"}


@pytest.mark.parametrize(
    ("traffic", "longest"),
    [
        (Traffic(Lengths("fixed", 1000.0), Lengths("uniform", 50.0, low=1, high=99)), 1099),
        (Traffic(Lengths("fixed", 1000.0), Lengths("fixed", 100.0), turns=3, prefix=50), 3350),
        (Traffic(Lengths("fixed", 1000.0), Lengths("fixed", 100.0), turns=3, history="window", keep=500), 1600),
        (Traffic(Lengths("lognormal", 1000.0, 1.0), Lengths("fixed", 100.0)), None),
        (Traffic(Lengths("trace", 0.0), Lengths("trace", 0.0), "trace", trace="x.csv"), None),
    ],
)
def test_the_longest_request_bounds_the_context(traffic: Traffic, longest: int | None, catalog: Catalog) -> None:
    """Of the last turn with all before it; where nothing bounds it, no flag is written."""
    found = made(catalog, "vllm", Deployment(Replica(), 1, settings()), traffic=traffic)
    assert service_of(found, "vllm").longest == longest
    assert (f"--max-model-len {longest}" in launch_text("vllm", found)) == (longest is not None)
    assert ("--max-model-len" in launch_text("vllm", found)) == (longest is not None)


@given(st.lists(st.sampled_from([1, 2, 4, 8, 16]), min_size=1, max_size=2), st.integers(1, 9))
@examples(max_examples=60, deadline=None)
def test_copies_never_share_a_chip(sizes: list[int], copies: int) -> None:
    """On every host each chip belongs to one copy at most, and ports differ."""
    cut, *more = (Replica(tp=min(size, 8), pp=max(1, size // 8)) for size in sizes)
    put = Deployment(cut, copies, settings(), more[0] if more else None, copies if more else 0)
    taken: set[tuple[int, int]] = set()
    ports: set[tuple[int, int]] = set()
    for copy in placed(service_of(made(CATALOG, "vllm", put), "vllm")):
        assert len(copy.devices) * copy.hosts == copy.pool.replica.chips
        mine = {(copy.host + step, device) for step in range(copy.hosts) for device in copy.devices}
        assert not mine & taken and max(device for _, device in mine) < 8 and (copy.host, copy.port) not in ports
        taken |= mine
        ports.add((copy.host, copy.port))


GGUF = settings(formats=Formats("q8_0", "fp16"))
REFUSED: list[tuple[str, Deployment, str, str]] = [
    ("vllm", Deployment(Replica(cp=2), 1, settings()), "layout.cp = 2", "--cp 1"),
    ("vllm", Deployment(Replica(tp=4, dp=2, ep=2), 1, settings()), "layout.ep = 2", "--ep 1 or --ep 8"),
    ("vllm", Deployment(Replica(tp=8, pp=2, dp=2), 1, settings()), "an attention rank of 16", "--dp 1"),
    ("vllm", Deployment(Replica(), 1, settings(formats=Formats("q4_0"))), "q4_0", "--launch llama.cpp"),
    ("vllm", Deployment(Replica(), 1, settings(formats=Formats("fp8", "int8"))), "work.kv = int8", "--kv fp8"),
    ("vllm", Deployment(Replica(), 1, settings(lora=(1, 600))), "work.lora.rank = 600", "512 or less"),
    ("vllm", Deployment(Replica(), 1, settings(offload=1e9), Replica(), 1), "engine.offload", "drop engine.offload"),
    ("sglang", Deployment(Replica(cp=2), 1, settings()), "layout.cp = 2", "--cp 1"),
    ("sglang", Deployment(Replica(), 1, settings(formats=Formats("q8_0"))), "q8_0", "--launch llama.cpp"),
    ("sglang", Deployment(Replica(), 1, settings(formats=Formats("fp8", "nvfp4"))), "work.kv = nvfp4", "--kv fp8"),
    ("sglang", Deployment(Replica(), 1, settings(offload=1e9, prefix_cache=False)), "engine.offload", "prefix_cache"),
    ("trtllm", Deployment(Replica(tp=2, dp=4), 1, settings()), "layout.tp = 2 with dp = 4", "--tp 1 --dp 8"),
    ("trtllm", Deployment(Replica(cp=2), 1, settings()), "layout.cp = 2", "--cp 1"),
    ("trtllm", Deployment(Replica(), 1, settings(formats=Formats("fp8", "int8"))), "work.kv = int8", "--kv fp8"),
    ("llama.cpp", Deployment(Replica(), 1, settings()), "work.precision = fp8", "q4_k_m"),
    ("llama.cpp", Deployment(Replica(dp=2), 1, GGUF), "layout.dp = 2", "--dp 1"),
    ("llama.cpp", Deployment(Replica(tp=2, pp=2), 1, GGUF), "tp = 2 together", "--pp 1"),
    ("llama.cpp", Deployment(Replica(), 1, settings(formats=Formats("q8_0", "fp8"))), "work.kv = fp8", "--kv bf16"),
    ("llama.cpp", Deployment(Replica(pp=16), 1, GGUF), "16 chips", "--launch vllm"),
    ("llama.cpp", Deployment(Replica(), 1, replace(GGUF, chunked=False)), "chunked", "drop"),
    (
        "llama.cpp", Deployment(Replica(), 1, GGUF, Replica(), 1),
        "prompts read by other copies", "--launch vllm",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("form", "deployment", "what", "remedy"), REFUSED)
def test_what_cannot_be_said_is_refused_with_a_way_out(
    form: str, deployment: Deployment, what: str, remedy: str, catalog: Catalog
) -> None:
    """The program, the field with its value, and what to do instead."""
    with pytest.raises(InputError) as caught:
        launch_text(form, made(catalog, form, deployment))
    assert what in caught.value.problem and remedy in caught.value.hint and SERVING[form] in caught.value.problem


@pytest.mark.parametrize("form", SERVING)
def test_plans_of_other_engines_are_refused(form: str, catalog: Catalog) -> None:
    """A plan for one engine is not written for another; a plan for any engine is."""
    put = Deployment(Replica(), 1, settings(formats=Formats("fp16", "fp16")))
    other = next(name for name in ENGINES.values() if name != ENGINES[form])
    foreign = made(catalog, form, put)
    foreign = replace(foreign, plans=(plan(catalog, replace(put, settings=replace(put.settings, engine=other))),))
    with pytest.raises(InputError, match=r"engine\.name") as caught:
        launch_text(form, foreign)
    assert f"--engine {ENGINES[form]}" in caught.value.hint and "--launch" in caught.value.hint
    anyone = replace(foreign, plans=(plan(catalog, replace(put, settings=replace(put.settings, engine="pooled"))),))
    valid(launch_text(form, anyone))


def test_chips_of_other_vendors_are_refused(catalog: Catalog) -> None:
    """TensorRT-LLM is for chips of NVIDIA; the formats that do run there stand in the hint."""
    put = Deployment(Replica(tp=8), 1, settings())
    with pytest.raises(InputError, match="does not run on mi300x") as caught:
        launch_text("trtllm", made(catalog, "trtllm", put, "mi300x"))
    assert "--launch vllm, sglang, llama.cpp" in caught.value.hint
    assert "HIP_VISIBLE_DEVICES=0,1" in launch_text(
        "vllm", made(catalog, "vllm", replace(put, replica=Replica(tp=2)), "mi300x")
    )


def test_formats_of_the_other_kind_are_refused(catalog: Catalog) -> None:
    """Before anything is computed, and when it is written."""
    with pytest.raises(InputError, match=r"Megatron-LM .* trains, and this plan is one for serving") as caught:
        check_kind("megatron", "serving")
    assert "--launch vllm, sglang, trtllm, llama.cpp" in caught.value.hint
    with pytest.raises(InputError, match=r"vLLM .* serves, and this plan is one for training"):
        launch_text("vllm", training(catalog))
    with pytest.raises(InputError, match="trains"):
        launch_text("nemo", served(catalog))
    for form in SERVING:
        check_kind(form, "serving")
    for form in FORMATS:
        check_kind(form, "training")


def test_an_unknown_format_names_the_known_ones() -> None:
    """With the nearest first."""
    with pytest.raises(InputError, match="unknown launch format 'vlm'") as caught:
        check_format("vlm")
    assert caught.value.hint.startswith("did you mean vllm?") and "llama.cpp" in caught.value.hint


def test_the_first_plan_that_can_be_said_is_written(catalog: Catalog) -> None:
    """Its rank and why not the first; the refusal of the first where none can be said."""
    good = made(catalog, "vllm", Deployment(Replica(tp=2), 1, settings()))
    bad = made(catalog, "vllm", Deployment(Replica(cp=2), 1, settings()))
    rank, text, note = answered.launched("vllm", replace(good, plans=(*bad.plans, *good.plans)))
    assert rank == 2 and "vllm serve" in text and "of #1: vLLM" in note and "layout.cp" in note
    assert answered.launched("vllm", good)[2] == ""
    with pytest.raises(InputError, match=r"layout\.cp"):
        answered.launched("vllm", bad)


def test_training_plans_go_through_the_same_door(catalog: Catalog) -> None:
    """``launched`` writes what ``launch_text`` writes."""
    made_: Any = training(catalog)
    assert answered.launched("slurm", made_) == (1, launch_text("slurm", made_), "")
