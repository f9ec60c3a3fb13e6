"""Fuzz targets: thin scripts over ``stage2fuzz.harness``, and the only users of Atheris."""
