"""Oracles: what is right, judged from events alone; no engine is imported here."""
