"""Impersonation: `kubectl --as`, by those who may.

In: who asks, the Impersonate headers, the authorizer. Out: the Caller that the request is answered as. Raises 403 for
each identity that the caller may not take on.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobflow.local.apiserver.access.authorizer import Authorizer, refused
from jobflow.local.apiserver.access.callers import AUTHENTICATED, Caller
from jobflow.local.apiserver.access.rights import SERVICE_ACCOUNT_PREFIX, Attributes
from jobflow.local.apiserver.statuses import bad_request


def impersonated(caller: Caller, user: str, groups: Sequence[str], authorizer: Authorizer) -> Caller:
    """Whom the caller wants to be; itself where no header says otherwise."""
    if not user:
        if groups:
            raise bad_request("groups are to be impersonated without a user: send Impersonate-User too")
        return caller
    namespace, _, account = user.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    is_account = user.startswith(SERVICE_ACCOUNT_PREFIX) and bool(account)
    wanted = [Attributes("impersonate", resource="users", name=user)]
    if is_account:
        wanted = [Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=account)]
    wanted += [Attributes("impersonate", resource="groups", name=group) for group in groups]
    for one in wanted:
        decision = authorizer.ask(caller, one)
        if not decision.allowed:
            raise refused(caller, one, decision)
    held = list(groups)
    if is_account and not groups:
        held += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    if AUTHENTICATED not in held:
        held.append(AUTHENTICATED)
    return Caller(user, tuple(held), agent=caller.agent)
