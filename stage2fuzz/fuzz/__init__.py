"""One fuzz input: decoded, run, judged, recorded."""
