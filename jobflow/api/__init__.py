"""What things are: the types every other package speaks in. No I/O, no clock, no logging."""
