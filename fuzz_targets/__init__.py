"""Fuzz targets: thin scripts over ``stage2fuzz.fuzz.harness``, and the only users of Atheris."""
