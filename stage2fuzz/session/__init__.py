"""A local fuzzing session: targets, findings confirmed and minimised."""
