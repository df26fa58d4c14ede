"""MobileNetV2 (Sandler et al., 2018, arXiv 1801.04381, table 2)."""

from __future__ import annotations

from mcusim.network.zoo.blocks import Table, stage
from mcusim.network.zoo.residuals import architecture

TABLE = Table(
    (
        *stage(1, 16, 1, 1),
        *stage(6, 24, 2, 2),
        *stage(6, 32, 3, 2),
        *stage(6, 64, 4, 2),
        *stage(6, 96, 3, 1),
        *stage(6, 160, 3, 2),
        *stage(6, 320, 1, 1),
    )
)

ARCHITECTURE = architecture("mobilenet_v2", "arXiv 1801.04381", TABLE)
