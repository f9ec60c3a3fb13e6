"""Schedules: which thread runs at each shared step, as a value and as strategies that make one."""
