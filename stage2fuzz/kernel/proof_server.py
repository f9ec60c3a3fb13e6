"""The confined process that builds and proves a tree; ``proof`` is the other end.

Its argument is the name of the granule.
"""

import sys
from functools import partial

from stage2fuzz.arch import granule_named
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.confined import answer
from stage2fuzz.process.serve import serve

if __name__ == "__main__":
    sized = partial(build, granule=granule_named(sys.argv[1]))
    serve(partial(answer, build=sized, engine=KernelEngine))
