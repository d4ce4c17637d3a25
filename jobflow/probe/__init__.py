"""Outside evidence: what is asked of the world beside the API server, as coroutines that block nobody."""
