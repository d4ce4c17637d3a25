"""Volcano's Job controller and scheduler, played for the embedded control plane.

`runtime.py` is the loop, `sync.py` decides (pure), `phases.py` and `policies.py` are Volcano's rules,
`pods.py` builds pods, `plugins/` has one Job plugin a file.
"""
