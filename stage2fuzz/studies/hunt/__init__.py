"""Hunt: millions of schedules of many scenarios on a kernel tree, each new class judged.

``stage2fuzz fuzz`` lets feedback choose both scenario and schedule; a hunt chooses neither, runs
in C for the most part, and so is the one that can say "none in ten million".
"""
