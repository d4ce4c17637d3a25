"""The command line: one file a verb; `kubectl jobflow` is the same code."""
