"""Networks of the zoo cost what they did: every cycle and byte of the reference traces under ``traces/``.

What costs more fails with the layers and functions where it does; ``pytest --mcusim-update`` takes new
figures over, to be looked at in the diff of the traces.
"""

from __future__ import annotations

import numpy as np
import pytest
from memory_checks import check_memory

from mcusim.testing import Bench

MOBILENET_V1 = "zoo:mobilenet_v1?width=0.25&resolution=96"
MOBILENET_V2 = "zoo:mobilenet_v2?width=0.35&resolution=96&classes=10"
NETWORKS = {
    "tiny": ("zoo:tiny", ("layer", "patch:2x2@2", "stream", "bands:2@6")),
    "autoencoder": ("zoo:autoencoder", ("layer",)),
    "ds_cnn": ("zoo:ds_cnn", ("layer", "patch:2x2@2")),
    "resnet8": ("zoo:resnet8", ("layer", "patch:2x2@3")),
    "mobilenet_v1": (MOBILENET_V1, ("layer", "patch:3x3@3")),
    "mobilenet_v2": (MOBILENET_V2, ("layer", "patch:2x2@5", "patch:4x4@5", "stream")),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_cost_what_they_did(name: str, mcusim: Bench) -> None:
    model, schedules = NETWORKS[name]
    outputs = []
    for spec in schedules:
        run = mcusim.run(mcusim.build(model, spec))
        outputs.append(run.outputs[0][0])
        check_memory(run.trace)
        kind = spec.partition("@")[0].replace(":", "-")
        mcusim.compare(run, f"{name}-{kind}", cycles="0.5%", sram=0, flash="0.5%")
    assert all(np.array_equal(outputs[0], other) for other in outputs[1:])
