#!/usr/bin/env python3
"""Fuzz target: a guest hypervisor changes its stage 2 while its guests run.

Run it by path, with libFuzzer's usual flags after ours:
``fuzz_targets/nested.py --engine kernel:linux-7.3 -max_total_time=30 my-corpus/``.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import_module("start").main("nested")
