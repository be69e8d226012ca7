"""LPIPS by its authors' package: `python lpips_reference.py DIRECTORY SNIPPET`.

Reads pairs.npz of the directory (`first`, `second`: [N, H, W, 3] in [0, 1]), writes alex.npz there
by the code in the file SNIPPET, and distances.npy, [N]. The package ships its linear layers and
downloads AlexNet; here AlexNet is left random, from a fixed seed.
"""

import functools
import os
import sys
from pathlib import Path

import lpips
import numpy as np
import torch

snippet = Path(sys.argv[2]).read_text()
os.chdir(sys.argv[1])
torch.manual_seed(0)
network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True)
with torch.no_grad():
    for name, weights in network.net.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(weights)
        else:
            torch.nn.init.normal_(weights, std=0.1)

# What the code downloads in its user's hands.
lpips.LPIPS = functools.wraps(lpips.LPIPS)(lambda net: {"alex": network}[net])
exec(snippet)

with np.load("pairs.npz") as pairs, torch.no_grad():
    first, second = (torch.tensor(pairs[k].transpose(0, 3, 1, 2)) for k in ("first", "second"))
    distances = network(first, second, normalize=True)
np.save("distances.npy", distances.numpy().ravel())
