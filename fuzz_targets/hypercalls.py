#!/usr/bin/env python3
"""Fuzz target: host CPUs call EL2 of pKVM at the same time.

Run it by path, with libFuzzer's usual flags after ours:
``fuzz_targets/hypercalls.py --engine hyp:TREE -max_total_time=30 my-corpus/``.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import_module("start").main("hypercalls")
