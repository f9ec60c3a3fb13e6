"""hyp/pgtable.c as of v5.10 to v6.1."""
