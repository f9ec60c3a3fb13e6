"""The confined process that builds and proves a tree; ``proof`` is the other end."""

from functools import partial

from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.confined import answer
from stage2fuzz.process.serve import serve

if __name__ == "__main__":
    serve(partial(answer, build=build, engine=KernelEngine))
