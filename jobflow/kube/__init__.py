"""The wire: the only package that talks to an API server."""
