"""``python -m stage2fuzz.kernel.child LIBRARY FD``: the process that kernel code may take down."""

import sys
from pathlib import Path

from stage2fuzz.kernel.explore import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, sys.stdout.buffer)
