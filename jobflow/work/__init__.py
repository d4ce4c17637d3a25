"""What is due: a deduplicating keyed queue, and the rules from object change to keys."""
