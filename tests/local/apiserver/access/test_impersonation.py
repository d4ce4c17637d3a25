"""Impersonation: who may act as whom."""

from __future__ import annotations

import pytest

from jobflow.local.apiserver.access.authorizer import Authorizer
from jobflow.local.apiserver.access.callers import ADMIN, AUTHENTICATED, Caller
from jobflow.local.apiserver.access.impersonation import impersonated
from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.storage.store import Store

NOBODY = Caller("nobody")


def test_without_a_header_everybody_is_who_they_are():
    assert impersonated(NOBODY, "", (), Authorizer(Store())) is NOBODY


def test_the_administrator_may_be_anybody():
    found = impersonated(ADMIN, "me", ("us",), Authorizer(Store()))
    assert (found.name, found.groups, found.is_admin) == ("me", ("us", AUTHENTICATED), False)


def test_an_account_comes_with_its_groups():
    found = impersonated(ADMIN, "system:serviceaccount:ns:worker", (), Authorizer(Store()))
    assert found.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED)


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("me", 'users "me" is forbidden: User "nobody" cannot impersonate resource "users"'),
        ("system:serviceaccount:ns:worker", 'cannot impersonate resource "serviceaccounts" .* in the namespace "ns"'),
    ],
)
def test_others_need_the_right(user, told):
    with pytest.raises(StatusError, match=told):
        impersonated(NOBODY, user, (), Authorizer(Store()))


def test_groups_need_a_user():
    with pytest.raises(StatusError, match="send Impersonate-User too"):
        impersonated(ADMIN, "", ("system:masters",), Authorizer(Store()))
