"""Make it so: carry out a plan against the API server."""
