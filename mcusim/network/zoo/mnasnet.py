"""MnasNet-B1 (Tan et al., 2019, arXiv 1807.11626), the version without squeeze-and-excitation.

Blocks as in the authors' ``mnasnet_b1`` (tensorflow/tpu, models/official/mnasnet/mnasnet_models.py), which
is what others call MnasNet 1.0 too. Its first block is written there without expansion; the last
convolution has 1280 channels at every width. Differences: none in shapes and work.

The authors' README gives the MACs of A1 only (312 million in its text, 315.2 in its table). No publication of
B1's could be opened; what is counted here, 314 million, is that of their block table.
"""

from __future__ import annotations

from mcusim.network.graph import Activation
from mcusim.network.zoo.blocks import Frame, Table, stage
from mcusim.network.zoo.residuals import architecture

TABLE = Table(
    (
        *stage(1, 16, 1, 1),
        *stage(3, 24, 3, 2),
        *stage(3, 40, 3, 2, kernel=5),
        *stage(6, 80, 3, 2, kernel=5),
        *stage(6, 96, 2, 1),
        *stage(6, 192, 4, 2, kernel=5),
        *stage(6, 320, 1, 1),
    ),
    Frame(last_grows=False, activation=Activation.RELU),
)


ARCHITECTURE = architecture("mnasnet", "arXiv 1807.11626", TABLE)
