"""Volcano's controllers and scheduler, played for the embedded control plane.

`runtime.py` puts the parts together. `job_loop.py` is the loop of Jobs, `sync.py` decides about one (pure) and asks one
file a rule: `phases.py`, `occurrences.py` and `policies.py`, `dependencies.py`, `partitions.py`, `gang.py`,
`attachments.py`, `volumes.py`; `pods.py` builds pods and `plugins/` has one Job plugin a file. `scheduler.py` lets
gangs in, `queues.py` and `commands.py` are what their names say, `cron/` makes Jobs by the clock. `webhook.py` is what
the API server asks before it stores a Job; the rules are in `admission*.py` and `pod_rules.py`.
"""
