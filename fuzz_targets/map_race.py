#!/usr/bin/env python3
"""Fuzz target: vCPUs of different wants fault on one page: the race that the series is about.

Run it by path, with libFuzzer's usual flags after ours:
``fuzz_targets/map_race.py --engine model:v5.10 -max_total_time=30 my-corpus/``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stage2fuzz.fuzz_targets.driver import main

if __name__ == "__main__":
    main("map_race")
