"""Documents: what the server tells of itself: health, version, discovery, OpenAPI."""
