"""Stands in for a training: finds its GPUs as a real one does, and holds them for a moment.

    CUDA_VISIBLE_DEVICES=0,1 python3 train.py --model medium --lr 1e-3

It needs neither a GPU nor a package. Each GPU is a file in the folder `gpus`, which it locks: if
another training on this node has the same GPU, it fails.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def main() -> None:
    args = arguments()
    name, gpus = visible_gpus()
    held = [hold(gpu) for gpu in gpus]
    print(f"{args.model} model, {name}={','.join(gpus)}", flush=True)
    for epoch in range(1, args.epochs + 1):
        time.sleep(0.2)
        print(f"epoch {epoch}: loss {2.5 / epoch:.2f}", flush=True)
    for file in held:
        file.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="small")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    return parser.parse_args()


def visible_gpus() -> tuple[str, list[str]]:
    """Return the variable that says which GPUs this process may use, and their numbers."""
    for name in VARIABLES:
        if name in os.environ:
            return name, [gpu for gpu in os.environ[name].split(",") if gpu]
    sys.exit(f"neither {' nor '.join(VARIABLES)} is set: which GPUs may be used?")


def hold(gpu: str) -> TextIO:
    """Lock a GPU until the file is closed."""
    path = Path("gpus", f"{socket.gethostname()}-{gpu}.lock")
    path.parent.mkdir(exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"GPU {gpu} is in use by another training")
    return file


if __name__ == "__main__":
    main()
