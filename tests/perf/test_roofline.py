"""The kernel formulas: laws that physics demands, values that others measured, and the records of the fits."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.catalog import fits
from exaplan.perf import roofline
from exaplan.perf.roofline import AttentionFit, ChipRates, GemmFit, VectorFit

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
A100 = ChipRates(312e12, 2039e9, 108.0)
H100 = ChipRates(989.4e12, 3350e9, 132.0)
CURVES = sorted(fits.record("gemm")["curves"])
IDEAL = GemmFit(1.0, 0.0, 1.0, 0.0, 64.0, 0.0, 1.0, 128.0, 128.0, 0.0)

sizes = st.integers(1, 70_000).map(float)
curves = st.sampled_from(CURVES)
quick = settings(max_examples=150, deadline=None)


def product(m: float, n: float, k: float, rates: ChipRates, fit: GemmFit, groups: float = 1.0) -> float:
    return roofline.matmul_time(m, n, k, groups, 2.0, 2.0, rates, fit)


def curve(key: str) -> GemmFit:
    architecture, form = key.split("/")
    return fits.matmul(architecture, form)


def flash(seq: float, heads: float, rates: ChipRates, fit: AttentionFit, **other: Any) -> float:
    asked = {"batch": 1.0, "kv_heads": heads, "dim": 128.0, "window": 0.0, "causal": True} | other
    shape = (asked["batch"], seq, seq, heads, asked["kv_heads"], asked["dim"], asked["dim"])
    return roofline.attention_time(*shape, asked["window"], asked["causal"], rates, fit)


# ------------------------------------------------------------------------------------------- closed forms


def test_ideal_product_is_the_roof() -> None:
    """With perfect efficiency a large aligned product takes FLOPs / peak."""
    assert product(8192, 8192, 8192, H100, IDEAL) == pytest.approx(2 * 8192.0**3 / H100.peak, rel=1e-6)


def test_thin_product_is_the_memory_roof() -> None:
    """With perfect efficiency one row times a large matrix takes its bytes / bandwidth."""
    moved = 2.0 * (8192 + 8192 * 8192 + 8192)
    assert product(1, 8192, 8192, H100, IDEAL) == pytest.approx(moved / H100.bandwidth, rel=1e-3)


def test_tile_quantisation() -> None:
    """One row more than a whole number of tiles costs a whole row of tiles."""
    fit = IDEAL._replace(wave=0.0)
    rates = H100._replace(bandwidth=1e18, processors=0.0)
    ratio = product(129, 8192, 8192, rates, fit) / product(128, 8192, 8192, rates, fit)
    assert ratio == pytest.approx(2.0)


def test_wave_quantisation() -> None:
    """A tile more than the processors costs a whole second wave when all of the tail is paid, else none of it."""
    paid = roofline.wave_loss(133.0, 132.0, 1.0) * 133.0 / 132.0
    hidden = roofline.wave_loss(133.0, 132.0, 0.0)
    assert (paid, hidden) == (pytest.approx(2.0), 1.0)


def test_grouped_product_pays_tiles_per_group() -> None:
    """64 experts with 64 rows each run slower than one product with the same rows, never quicker."""
    together = product(4096, 2048, 7168, H100, curve("hopper/bf16"))
    apart = product(4096, 2048, 7168, H100, curve("hopper/bf16"), groups=64.0)
    assert apart > 1.5 * together


def test_grouped_weights_are_all_read() -> None:
    """A grouped product with few rows is bound by reading every group's weights."""
    least = 2.0 * 64 * 2048 * 7168 / H100.bandwidth
    assert product(64, 2048, 7168, H100, curve("hopper/bf16"), groups=64.0) > least


def test_empty_work_takes_no_time() -> None:
    """No rows, no sequence, no bytes: no time."""
    vector = fits.vector("hopper")
    assert product(0, 10, 10, H100, IDEAL) == 0.0
    assert flash(0.0, 8, H100, fits.attention("hopper")) == 0.0
    assert roofline.vector_time(0.0, H100, vector) == 0.0


def test_causal_attention_is_half_of_full() -> None:
    """Long causal attention costs half of full attention."""
    fit = fits.attention("hopper")
    ratio = flash(131072, 16, H100, fit) / flash(131072, 16, H100, fit, causal=False)
    assert ratio == pytest.approx(0.5, rel=0.02)


def test_windowed_attention_is_linear() -> None:
    """With a window, twice the sequence costs twice the time."""
    fit = fits.attention("hopper")
    ratio = flash(131072, 16, H100, fit, window=1024.0) / flash(65536, 16, H100, fit, window=1024.0)
    assert ratio == pytest.approx(2.0, rel=0.05)


def test_chunks_of_a_causal_sequence_add_up() -> None:
    """The keys of two halves of a causal sequence (the second sees the first) add to those of the whole."""
    first = roofline.attended_keys(4096, 4096, 0.0, True, 0.0)
    second = roofline.attended_keys(4096, 8192, 0.0, True, 0.0)
    assert (first + second) / 2.0 == roofline.attended_keys(8192, 8192, 0.0, True, 0.0)


def test_unfused_attention_is_slower() -> None:
    """Storing the matrix of scores costs at least twice the fused kernel at 4k tokens."""
    gemm, vector = fits.matmul("ampere", "bf16"), fits.vector("ampere")
    unfused = roofline.unfused_attention_time(4, 4096, 4096, 16, 128, 128, 6.0, 1.0, A100, gemm, vector)
    assert unfused > 2.0 * flash(4096, 16, A100, fits.attention("ampere"), batch=4.0)


def test_vector_passes_approach_bandwidth() -> None:
    """A pass over 10 GB takes bytes / (bandwidth x share)."""
    fit = VectorFit(0.8, 2e-6, 2e-6, 0.1)
    assert roofline.vector_time(1e10, H100, fit) == pytest.approx(1e10 / (0.8 * H100.bandwidth), rel=1e-3)


# ------------------------------------------------------------------------------------------- laws


@quick
@given(sizes, sizes, sizes, curves, st.floats(1.0, 8.0))
def test_a_better_chip_is_never_slower(m: float, n: float, k: float, key: str, gain: float) -> None:
    """More bandwidth, or more peak, never makes a product slower."""
    fit, time = curve(key), product(m, n, k, H100, curve(key))
    assert product(m, n, k, H100._replace(bandwidth=H100.bandwidth * gain), fit) <= time * (1 + 1e-12)
    assert product(m, n, k, H100._replace(peak=H100.peak * gain), fit) <= time * (1 + 1e-12)


@quick
@given(sizes, sizes, sizes, curves, st.sampled_from("mnk"), st.integers(1, 5000))
def test_more_flops_are_never_faster(m: float, n: float, k: float, key: str, side: str, more: int) -> None:
    """A product that is larger along any side never takes less time."""
    larger = {"m": m, "n": n, "k": k}
    larger[side] += more
    fit = curve(key)
    assert product(larger["m"], larger["n"], larger["k"], H100, fit) >= product(m, n, k, H100, fit) * (1 - 1e-12)


@quick
@given(sizes, sizes, sizes, curves)
def test_no_product_beats_the_roofs(m: float, n: float, k: float, key: str) -> None:
    """No product is faster than peak, or than bandwidth, or than the shortest kernel."""
    fit = curve(key)
    moved = roofline.matmul_bytes(m, n, k, 1.0, 2.0, 2.0)
    least = max(2.0 * m * n * k / H100.peak, moved / H100.bandwidth) + fit.floor
    assert product(m, n, k, H100, fit) >= least


@quick
@given(st.floats(1, 2e5), st.floats(1, 5e4), st.integers(1, 256), st.sampled_from([0.0, 128.0, 4096.0]), st.booleans())
def test_longer_attention_is_never_faster(seq: float, more: float, heads: int, window: float, causal: bool) -> None:
    """A longer sequence, or more heads, never takes less time; backward takes longer than forward."""
    fit = fits.attention("hopper")
    time = flash(seq, heads, H100, fit, window=window, causal=causal)
    assert flash(seq + more, heads, H100, fit, window=window, causal=causal) >= time * (1 - 1e-9)
    assert flash(seq, heads + 1, H100, fit, window=window, causal=causal) >= time * (1 - 1e-9)
    shape = (1.0, seq, seq, heads, heads, 128.0, 128.0, window, causal)
    assert roofline.attention_backward_time(*shape, H100, fit) >= time


@quick
@given(st.floats(0.01, 1e6), st.floats(0.01, 1e6), st.floats(1.0, 20.0))
def test_smooth_max_lies_between_maximum_and_sum(a: float, b: float, power: float) -> None:
    """The smooth maximum is at least the larger and at most the sum."""
    assert max(a, b) * (1 - 1e-12) <= roofline.smooth_max(a, b, power) <= (a + b) * (1 + 1e-12)


# ------------------------------------------------------------------------------------------- measured values


@pytest.mark.parametrize(
    ("n", "milliseconds", "tolerance"),
    [(2048, 0.2818, 0.15), (4096, 1.0210, 0.08), (8192, 3.9614, 0.08), (16384, 15.0087, 0.12), (32768, 61.1346, 0.10)],
)
def test_a100_squares(n: float, milliseconds: float, tolerance: float) -> None:
    """A100 products of 8192 x n x n as measured by PrincetonUniversity/LLMCompass (matmul_A100.csv, 2e015fd)."""
    predicted = product(8192, n, n, A100, fits.matmul("ampere", "bf16"))
    assert predicted * 1e3 == pytest.approx(milliseconds, rel=tolerance)


@pytest.mark.parametrize(
    ("m", "n", "k", "milliseconds"),
    [(8192, 7168, 16384, 2.33), (16384, 8192, 8192, 3.11), (32768, 10240, 5120, 4.37), (8192, 16384, 1536, 0.55)],
)
def test_h100_training_products(m: float, n: float, k: float, milliseconds: float) -> None:
    """H100 bf16 products as measured by aiconfigurator, within 15% (its own sources differ by 6%)."""
    predicted = product(m, n, k, H100, fits.matmul("hopper", "bf16"))
    assert predicted * 1e3 == pytest.approx(milliseconds, rel=0.15)


@pytest.mark.parametrize(("n", "k", "milliseconds"), [(4096, 7168, 0.664757), (1536, 7168, 0.250947)])
def test_h800_block_scaled_products(n: float, k: float, milliseconds: float) -> None:
    """H800 DeepGEMM products of 16,384 rows as measured by alibaba/InferSim (bench_data/gemm/h800, f2293da)."""
    rates, fit = ChipRates(1978.9e12, 3350e9, 132.0), fits.matmul("hopper", "fp8_block")
    predicted = roofline.matmul_time(16384, n, k, 1.0, 1.0, 2.0, rates, fit)
    assert predicted * 1e3 == pytest.approx(milliseconds, rel=0.08)


@pytest.mark.parametrize(
    ("seq", "dim", "causal", "speed"),
    [
        (2048, 128, False, 625),
        (16384, 128, False, 648),
        (4096, 128, True, 579),
        (16384, 128, True, 616),
        (8192, 64, False, 496),
    ],
)
def test_h100_flash_attention_of_the_paper(seq: float, dim: float, causal: bool, speed: float) -> None:
    """Forward speed [TFLOP/s] of FlashAttention-3, arXiv:2407.08608 figure 5, which the fit has not seen."""
    heads, batch = 2048.0 / dim, 16384.0 / seq
    flops = 4.0 * batch * heads * seq * seq * dim * (0.5 if causal else 1.0)
    time = flash(seq, heads, H100, fits.attention("hopper"), batch=batch, dim=dim, causal=causal)
    assert flops / time / 1e12 == pytest.approx(speed, rel=0.08)


@pytest.mark.parametrize(("seq", "speed"), [(2048, 501), (4096, 542), (16384, 561)])
def test_h100_flash_attention_backward_of_the_paper(seq: float, speed: float) -> None:
    """Backward speed [TFLOP/s] at head size 128 without mask, arXiv:2407.08608 figure 6."""
    shape = (16384.0 / seq, seq, seq, 16.0, 16.0, 128.0, 128.0, 0.0, False)
    time = roofline.attention_backward_time(*shape, H100, fits.attention("hopper"))
    assert 10.0 * 16384 * seq * 2048 / time / 1e12 == pytest.approx(speed, rel=0.08)


# ------------------------------------------------------------------------------------------- compiled twins


@pytest.mark.parametrize("name", ["matmul_time", "attention_time", "attention_backward_time", "vector_time"])
def test_compiled_equals_plain(name: str) -> None:
    """numba compiles the formula with its callees, and it gives the same number."""
    kernel = pytest.importorskip("exaplan.perf.kernel")
    plain = getattr(roofline, name)
    arguments: dict[str, tuple[Any, ...]] = {
        "matmul_time": (4097.0, 1536.0, 6144.0, 4.0, 2.0, 2.0, H100, fits.matmul("hopper", "bf16")),
        "vector_time": (1e8, H100, fits.vector("hopper")),
    }
    shape = (2.0, 4096.0, 4096.0, 32.0, 8.0, 128.0, 128.0, 0.0, True, H100, fits.attention("hopper"))
    given_ = arguments.get(name, shape)
    assert kernel.compiled(plain)(*given_) == pytest.approx(plain(*given_), rel=1e-12)


# ------------------------------------------------------------------------------------------- catalogue of fits


@pytest.mark.parametrize("key", CURVES)
def test_coefficients_are_physical(key: str) -> None:
    """No curve exceeds its roofs, and every curve states its spread."""
    fit = curve(key)
    assert 0.2 < fit.peak <= 1.0 and 0.3 <= fit.memory <= 1.0 and 0.0 <= fit.wave <= 1.0
    assert fit.floor < 3e-5 and fit.spread > 0.0


@pytest.mark.parametrize("architecture", ["volta", "cdna3", "cdna4", "tpu-v5p", "ascend", "blackwell-ultra", "unheard"])
def test_unmeasured_chips_inherit_with_a_wider_spread(architecture: str) -> None:
    """Every architecture has a curve of each kind; an inherited one is less certain than any of its source's."""
    heir = fits.INHERIT.get(architecture, fits.POOLED)
    assert fits.matmul(architecture, "bf16").spread >= fits.matmul(heir.source, "bf16").spread + heir.widening - 1e-12
    for accessor in (fits.attention, fits.vector, fits.link, fits.experts):
        assert accessor(architecture).spread > 0.0


def test_formats_fall_back() -> None:
    """mxfp8 takes the fp8 curve, fp16 the bf16 curve; fp8 on a chip without it takes bf16's and a wider spread."""
    assert fits.matmul("hopper", "mxfp8") == fits.matmul("hopper", "fp8")
    assert fits.matmul("ampere", "fp16") == fits.matmul("ampere", "bf16")
    assert fits.matmul("ampere", "fp8").spread > fits.matmul("ampere", "bf16").spread


def test_h20_runs_nearer_its_peak() -> None:
    """H20, which power never holds back, reaches 94% of its peak; H100 does not."""
    assert fits.matmul("hopper", "bf16", "h20").peak > 0.9 > fits.matmul("hopper", "bf16", "h100-sxm").peak


# ------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("name", ["gemm", "attention", "vector", "collectives", "experts"])
def test_records_name_their_input(name: str) -> None:
    """Every record has a date, a method and the sha256 of every table it was fitted on."""
    record = fits.record(name)
    assert record["date"] and record["method"]
    assert record["input"] and all(len(digest) == 64 for digest in record["input"].values())


def tool(name: str) -> Any:
    """A fitting script as a module, or skip."""
    for needed in ("pandas", "scipy"):
        pytest.importorskip(needed, reason="fitting scripts need pandas and scipy")
    if not (SHARED / "kernels").is_dir():
        pytest.skip("the measured tables of ../shared/data are not here")
    sys.path.insert(0, str(ROOT / "tools" / "fit"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("key", ["hopper/bf16", "ampere/bf16", "blackwell/bf16"])
def test_stored_error_is_the_error(key: str) -> None:
    """Recomputing the error of the stored coefficients on the tables gives the stored error."""
    gemm = tool("gemm")
    stored = fits.record("gemm")["curves"][key]
    frame = gemm.load(SHARED)
    frame = frame[(frame.architecture + "/" + frame.format) == key]
    values = gemm.np.array([stored["coefficients"][knob.name] for knob in gemm.KNOBS])
    tile = (stored["coefficients"]["tile_m"], stored["coefficients"]["tile_n"])
    found = gemm.bands(frame, gemm.predict(frame, values, gemm.np.ones(len(frame)), tile))
    for band, error in stored["error"].items():
        assert found[band]["n"] == error["n"]
        assert found[band]["median"] == pytest.approx(error["median"], abs=0.002)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["gemm", "attention", "vector", "collectives", "experts"])
def test_records_belong_to_the_tables(name: str) -> None:
    """The sha256 in each record is that of the table at hand."""
    common = tool("common")
    for table, digest in fits.record(name)["input"].items():
        assert common.digest(SHARED / "kernels" / table) == digest


def test_training_products_are_within_the_target() -> None:
    """Recorded median error of large products (m >= 2048): 6% or less on A100 and Hopper, 8.5% on Blackwell."""
    stored = fits.record("gemm")["curves"]
    worst = {"ampere/bf16": 0.06, "hopper/bf16": 0.06, "hopper/fp8": 0.06, "hopper/fp8_block": 0.04}
    for key, limit in (worst | {"blackwell/bf16": 0.085}).items():
        assert stored[key]["error"]["m>=2048"]["median"] <= limit
        assert math.isfinite(stored[key]["coefficients"]["peak"])
