"""Access: who sends a request, and whether it may.

    tokens        bearer tokens of ServiceAccounts, signed and read
    accounts      a ServiceAccount `default` in every namespace; TokenRequests; whom a token stands for
    rights        Roles and bindings: what somebody may do, and by which binding. Pure
    bootstrap     the roles that are there from the start
    authorizer    one question to the roles that are stored now
    impersonation whom a caller asks to be, if it may

Whoever has the server's own token is its administrator and is not held back by any of this.
"""
