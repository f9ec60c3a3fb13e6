"""Confined processes: whatever runs a tree's code runs in one of them, and all of them alike.

``confine`` is the small program that sets the limits and ends everything with its asker;
``confined`` starts it; ``wait`` looks after a program to its end; ``child`` and ``serve`` are the
two ends of one protocol of questions and answers.
"""
