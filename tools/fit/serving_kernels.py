"""Fit what only serving needs of kernels: python tools/fit/serving_kernels.py --data ../shared/data [--part NAME].

Writes data/fits/serving_products.yaml, serving_attention.yaml, serving_reduce.yaml, serving_exchange.yaml,
serving_cards.yaml and serving_grouped.yaml (the last two rest on the first).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import common
import serving_kernels_attention as attention
import serving_kernels_collectives as collectives
import serving_kernels_layers as layers
import serving_kernels_products as products

PARTS = {
    "products": (
        products.curves,
        (products.TABLE,),
        "operators.product_time, engines' own kernels, input casts included",
    ),
    "attention": (
        attention.curves,
        (attention.TABLE, attention.MLA_TABLE),
        "attention.decode_kind_time and prompt_kind_time",
    ),
    "reduce": (
        collectives.reduce_curves,
        (collectives.TABLE,),
        "operators.small_all_reduce, kernels replayed from graphs",
    ),
    "exchange": (collectives.exchange_curves, (collectives.DEEPEP,), "operators.low_latency_time, both ways together"),
    "cards": (layers.chips, (layers.TABLE,), "operators.product_time, peak and memory of single cards"),
    "grouped": (layers.grouped_curves, (layers.TABLE,), "a layer of routed experts"),
}


def main() -> None:
    """Fit the parts asked for and write their records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with kernels/*.csv.gz")
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    given = parser.parse_args()
    for name, (curves, tables, what) in PARTS.items():
        if given.part in (name, "all"):
            common.write(
                f"serving_{name}",
                {
                    "date": common.DATE,
                    "method": f"tools/fit/serving_kernels.py: soft-L1 of log(predicted/measured) of {what}",
                    "input": {t: common.digest(given.data / "kernels" / t) for t in tables},
                    "curves": curves(given.data),
                },
            )


if __name__ == "__main__":
    main()
