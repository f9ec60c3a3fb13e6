"""Proofs: every interleaving of one small scenario, and what that says and what not."""
