"""What we know: objects by key, indexes by owner and by template, and our own writes not yet seen."""
