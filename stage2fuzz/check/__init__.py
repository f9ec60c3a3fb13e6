"""Check: what a patch does to the code, before it is sent, and which commit did what.

A check looks at several versions of one code with the same scenarios and the same seeds, so what
one shows and another does not is the patch's doing and no luck: whatever differs is looked for
once more, longer, where it should not be.
"""
