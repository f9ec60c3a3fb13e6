"""A case: scenario and schedule, as value, text and bytes."""
