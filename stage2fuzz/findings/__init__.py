"""Findings: every fault ever found, once, with its reproducer and what people said about it."""
