"""Findings: every fault ever found, once, with its reproducer and what people said about it.

Nothing is imported here: states and words are read without SQLAlchemy, which costs half a second.
"""
