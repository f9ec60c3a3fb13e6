"""The coordinator: decides purely (plan, merge) and acts in one loop."""
