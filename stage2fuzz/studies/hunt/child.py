"""``python -m stage2fuzz.studies.hunt.child LIBRARY FD``: takes turns until there are no more."""

from stage2fuzz.process.native_child import serve
from stage2fuzz.studies.hunt.turn import take

if __name__ == "__main__":
    serve(take)
