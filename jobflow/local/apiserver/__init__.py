"""A small Kubernetes API server: enough of the protocol for kubectl, for clients in Python and Go, and for tests.

Pure parts, which neither wait nor do I/O: what is served (`types`, `builtin`), what an object may look like
(`schema`), how it changes (`patches`), who is meant (`selectors`), and how it is told (`table`, `discovery`,
`openapi`). The server, its store and its wire are built on them.
"""
