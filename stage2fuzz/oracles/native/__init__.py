"""The native judge: the oracles' own Python, translated to C, says who would speak of a run.

One text of each rule: nothing here knows what a rule says. Who speaks is found out natively; what
is said, and what proves it, comes from the Python text.
"""
