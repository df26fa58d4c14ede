"""ProxylessNAS (mobile) (Cai et al., 2019, arXiv 1812.00332, figure 4 "mobile").

Kernels, expansions and channels as in the authors' ``proxyless_mobile.config`` (mit-han-lab/proxylessnas);
the two blocks of the second stage for which the search chose to do nothing are left out. The same windows,
strides and expansions are in the layer names of the authors' logs/proxyless_mobile_10_latency.txt, and 320
million MACs in their README as it was in December 2018. Differences: none in shapes and work.
"""

from __future__ import annotations

from mcusim.network.zoo.blocks import Block, Table
from mcusim.network.zoo.residuals import architecture

TABLE = Table(
    (
        Block(1, 16),
        Block(3, 32, 2, kernel=5),
        Block(3, 32),
        Block(3, 40, 2, kernel=7),
        Block(3, 40),
        Block(3, 40, kernel=5),
        Block(3, 40, kernel=5),
        Block(6, 80, 2, kernel=7),
        Block(3, 80, kernel=5),
        Block(3, 80, kernel=5),
        Block(3, 80, kernel=5),
        Block(6, 96, kernel=5),
        Block(3, 96, kernel=5),
        Block(3, 96, kernel=5),
        Block(3, 96, kernel=5),
        Block(6, 192, 2, kernel=7),
        Block(6, 192, kernel=7),
        Block(3, 192, kernel=7),
        Block(3, 192, kernel=7),
        Block(6, 320, kernel=7),
    )
)


ARCHITECTURE = architecture("proxylessnas", "arXiv 1812.00332", TABLE)
