"""A small Kubernetes API server: enough of the protocol for kubectl, for clients in Python and Go, and for tests.

wire/        how requests come in and answers go out: TLS, in-process, bodies, streams
server       one request in, one answer out; calls, routes: what a request is about
access/      who sends it, and whether it may
reads/       get, list, watch, logs, and the form in which they are told
writes/      create, update, patch, delete, and what goes with what goes
ownership/   who has set which field; server-side apply
webhooks/    admission by others
documents/   discovery, OpenAPI, health
registry     what is served now; types: what a CRD serves; builtin/: what is there without one
schema/      what an object may look like, and its rules in CEL
storage/     objects and history as bytes, and on disk

What neither waits nor does I/O is in schema/, ownership/, types, and in modules that say so.
"""
