"""Interactive: exec, attach and port-forward, which are refused with what to do instead.

In: a Call that names a Pod and one of these subresources. Out: nothing; a StatusError whose words kubectl prints.
They are ways into a container that is somewhere else; here containers are processes of the user's own machine.
"""

from __future__ import annotations

from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.statuses import StatusError, bad_request
from jobflow.local.apiserver.writes.objects import Objects

INSTEAD = {
    "exec": "run the command in a terminal of this machine; the pod's files are in {files}",
    "attach": "read what it prints with `kubectl logs -f {pod}`; it has no standard input",
    "portforward": "connect to it at its own address, {address}, on the port it listens on",
}


def refusal(call: Call, objects: Objects) -> StatusError:
    """Why not, and what else. Raises 404 where there is no such pod."""
    pod = objects.read(call.served, objects.find(call.served, call.namespace, call.name))
    wanted = call.route.subresource or ""
    instead = INSTEAD[wanted].format(
        pod=call.name,
        files=f"run/pods/{pod['metadata']['uid']} of the --data directory",
        address=(pod.get("status") or {}).get("podIP") or "which it gets when it starts",
    )
    what = "port-forward" if wanted == "portforward" else wanted
    return bad_request(f"{what} is not here: containers are processes of this machine, or simulated; {instead}")
