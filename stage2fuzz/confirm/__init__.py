"""A finding's interleaving forced onto a real kernel, and what becomes of it."""
