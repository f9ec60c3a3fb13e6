"""``python -m stage2fuzz.hunt.child LIBRARY FD``: takes turns until there are no more."""

from stage2fuzz.hunt.turn import take
from stage2fuzz.kernel.child import serve

if __name__ == "__main__":
    serve(take)
