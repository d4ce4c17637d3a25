"""The allowance: where the embedded server may differ from kube-apiserver, each with its reason.

In: a request and one difference of its answers. Out: the entry that allows it, if any. An entry names as little as it
can; one that is not needed any more is told at the end of a run, to be taken out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowed:
    """Differences at paths that match `where` and read as `says`, in answers to requests that match `asked`."""

    why: str
    where: str  # regex on the whole path of the difference, such as body.details.causes[0].message
    asked: str = ""  # regex within "METHOD path?query [content type]", or "kubectl words"
    says: str = ""  # regex within "embedded | real", values as JSON

    def covers(self, asked: str, where: str, told: str) -> bool:
        """Whether this difference is meant."""
        return bool(
            re.search(self.asked, asked) and re.fullmatch(self.where, where) and re.search(self.says, told, re.DOTALL)
        )


MESSAGE = r"(body\.)?(message|details(\..*)?)"
OBJECT = r"(body|body\.items\[\d+\]|body\.rows\[\d+\]\.object|events\[\d+\]\.object(\.rows\[\d+\]\.object)?)"
KINDS = r"/(jobflows|jobtemplates|jobs|configmaps|pods|widgets)(/a)?"
CRDS = r"^POST /apis/apiextensions\.k8s\.io/v1/customresourcedefinitions \[application/json\]$"

ETCD = "etcd 3.5.1 of the wheel lacks progress requests: kube-apiserver refuses what needs them, production's does not"
DOCUMENTED = "texts about what Kubernetes itself defines are our own, and shorter"
ESTABLISHED = "a new kind is established before its create is answered, not a moment after"
ACCOUNT = "ServiceAccount admission is off in the test's kube-apiserver, as in envtest; a cluster fills this in"
FORMS = "answers are JSON; requests are JSON, YAML, and protobuf for the kinds that kubectl's verbs make"
GO_WORDS = "how Go's JSON parser names the letter it stopped at, and Go's types; status and reason are the same"
ABSENT_PATHS = "a path that is of no kind is answered with a Status, not with plain text: clients read both alike"
PATCH_WORDS = "a patch that cannot be applied is told with the operation and its path, not with a general word"
PATCHED_VALUE = (
    "the object that a strict patch is refused for is shown without its unknown fields, as it would be stored"
)
HISTORY = "the embedded server remembers from its start, so that no version is too old there until much has happened"
CRD_VALUES = "a message about a CRD's versions shows them as they were sent, not as Go structs"
FACTOR = (
    "kube-apiserver cuts a multipleOf of less than one to zero for whole numbers, and refuses the rule's own factor"
)
ORDER = "which of the kinds of a category kubectl lists first"
TLS_WORDS = "the words of the TLS library about a certificate"
MOMENTS = "a delete of no seconds is one event; kube-apiserver marks a Pod before it takes it away"
COLLECTIONS = "a POST to an object's path is refused; kube-apiserver takes it for one to the collection"
INT32 = "a number too big for int32 is refused, though kube-apiserver stores it: Go clients cannot read it"

ALLOWANCE: tuple[Allowed, ...] = (
    Allowed(
        ETCD,
        r"events\[0\]\.(type|object\.message)",
        r"watch=1(&timeoutSeconds=1)?$|sendInitialEvents",
        r"\| \"(ERROR|Timeout: Too large resource version|a watch stream was .* RequestWatchProgress is disabled)",
    ),
    Allowed(
        DOCUMENTED,
        r"(body|events\[\d+\]\.object)\.columnDefinitions\[\d+\]\.description",
        rf"^GET .*{KINDS}(\?(includeObject|watch)=\w+)?$",
    ),
    Allowed(DOCUMENTED, r"out\[\d+\]", r"^kubectl explain jf( --recursive)?$"),
    Allowed(ESTABLISHED, r"body\.status\..*", CRDS),
    Allowed(ESTABLISHED, r"body\.metadata\.managedFields\[\d+\]", CRDS, r'"manager": "kube-apiserver"'),
    Allowed(
        ACCOUNT, OBJECT + r"\.spec\.serviceAccountName", r"/api/v1/namespaces/NS/pods\b", r'^"default" \| \(absent\)$'
    ),
    Allowed(ACCOUNT, r"out\[\d+\]", r"^kubectl describe pod a$"),
    Allowed(FORMS, MESSAGE, r"^GET .*/jobflows$", r"only the following media types are accepted"),
    Allowed(FORMS, r"status", r"^GET .*/configmaps$", r"^406 \| 200$"),
    Allowed(
        GO_WORDS,
        MESSAGE,
        rf"^(POST|PATCH|DELETE) .*{KINDS} \[application/(merge-patch\+)?json\]$",
        r"couldn't read JSON|must be a JSON object",
    ),
    Allowed(
        GO_WORDS,
        r"body\.(message|details)",
        r"^(POST|PATCH) /api/v1/namespaces/NS/(configmaps|pods)(/a)? ",
        r"json: cannot unmarshal \w+ into Go struct field",
    ),
    Allowed(GO_WORDS, MESSAGE, r"^GET .*\?limit=2&continue=nonsense$"),
    Allowed(
        ABSENT_PATHS,
        r"body|headers\.content-type",
        r"^GET (/nothing|/apis/flow\.volcano\.sh/v9/jobflows|/apis/.*/(widgets|things|nothings(/a)?))$",
        r"404 page not found|text/plain",
    ),
    Allowed(
        PATCH_WORDS, MESSAGE, rf"^PATCH .*{KINDS} \[application/json-patch\+json\]$", r"the server rejected our request"
    ),
    Allowed(
        PATCHED_VALUE,
        r"body\.(message|details\.causes\[0\]\.message)",
        rf"^PATCH .*{KINDS}\?fieldValidation=Strict ",
        r"strict decoding error",
    ),
    Allowed(HISTORY, r"events\[0\]\..*", r"watch=1&resourceVersion=1$"),
    Allowed(CRD_VALUES, MESSAGE, CRDS, r"must have exactly one version marked"),
    Allowed(FACTOR, MESSAGE, r"^POST .*/widgets ", r"spec\.half"),
    Allowed(ORDER, r"out\[\d+\]", r"^kubectl get volcano$"),
    Allowed(TLS_WORDS, MESSAGE, r"^POST .*/configmaps ", r"tls: failed to verify certificate"),
    Allowed(MOMENTS, r"events\[2\]\.type", r"/pods\?watch=1&resourceVersion=\d+$", r'^"DELETED" \| "MODIFIED"$'),
    Allowed(COLLECTIONS, r"status|body\.(message|code)", r"^(POST .*/jobflows/a|PUT .*/jobflows) "),
    Allowed(INT32, r"status|body\.(message|code)", r"^POST .*/jobs ", r"1099511627776|^422 \| 201$"),
)

used: set[Allowed] = set()


def allowed(asked: str, where: str, told: str) -> bool:
    """Whether an entry covers the difference."""
    for entry in ALLOWANCE:
        if entry.covers(asked, where, told):
            used.add(entry)
            return True
    return False
