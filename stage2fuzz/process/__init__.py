"""Processes apart: what may die runs in them."""
