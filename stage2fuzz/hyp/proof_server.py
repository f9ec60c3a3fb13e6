"""The confined process that builds and proves EL2 of a tree; ``proof`` is the other end."""

from functools import partial

from stage2fuzz.hyp.adapter import HypEngine
from stage2fuzz.hyp.build import build
from stage2fuzz.kernel.confined import answer
from stage2fuzz.process.serve import serve

if __name__ == "__main__":
    serve(partial(answer, build=build, engine=HypEngine))
