"""What the models of ``MCUSIM_MODELS`` cost, as reference traces, and the limits that they are held to.

Every channel is computed, also those that a build would leave out as provably without effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from memory_checks import STACK_BYTES

from mcusim.testing import Bench

KIB = 1024
LARGE_CHIP = "mps2-an386"


@dataclass(frozen=True)
class Limit:
    """Million cycles and KiB of SRAM (arena, scratch, stack, static data) at most."""

    name: str
    cycles: float
    sram: float
    spec: str = "layer"
    chip: str = "stm32f412zg"
    input_in: str = "sram"
    flash: float = 1024


LIMITS = (
    Limit("vww_96_int8", 11.0, 56, flash=272),
    Limit("pretrainedResnet_quant", 15.0, 50),
    Limit("kws_ref_model", 4.0, 17),
    Limit("ad01_int8", 0.38, 3),
    Limit("person_detect", 10.8, 56),
    Limit("mcunet_vww", 18.5, 92),
    Limit("mcunet_detection", 31, 256),
    Limit("mcunetv2_large", 320, 4096, chip=LARGE_CHIP, flash=4096),
    Limit("mcunetv2_large", 400, 252, "patch:3x4@10", LARGE_CHIP, "flash", 4096),
)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.name}-{limit.spec.partition(':')[0]}")
def test_models_cost_what_they_did(limit: Limit, models: Path, mcusim: Bench) -> None:
    elf = mcusim.build(
        models / f"{limit.name}.tflite",
        limit.spec,
        chip=limit.chip,
        input_in="flash" if limit.input_in == "flash" else "sram",
        prune="none",
    )
    run = mcusim.run(elf, chip=limit.chip, inputs=[np.load(models / f"{limit.name}.rand.in.npy")])
    kind = limit.spec.partition("@")[0].replace(":", "-")
    mcusim.compare(run, f"models/{limit.name}-{kind}", cycles="0.5%", sram=0, flash="0.5%")
    totals, memory, firmware = run.trace.totals, run.trace.memory, run.trace.firmware
    assert totals.cycles <= limit.cycles * 1e6
    assert memory.sram_peak_bytes <= limit.sram * KIB
    assert memory.stack_bytes < STACK_BYTES
    assert firmware.flash_bytes <= limit.flash * KIB
