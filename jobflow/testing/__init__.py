"""For tests of flows, ours and yours: builders that read as sentences, and clocks that do not wait."""
