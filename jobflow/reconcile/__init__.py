"""What should happen: pure functions from a snapshot to a plan, one policy a file."""
