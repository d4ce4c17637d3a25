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


MESSAGE = r"(events\[0\]\.)?(body\.)?(message|details(\..*)?)|err\[\d+\]"
OBJECT = r"(body|body\.items\[\d+\]|body\.rows\[\d+\]\.object|events\[\d+\]\.object(\.rows\[\d+\]\.object)?)"

ETCD = "etcd 3.5.1 of the wheel lacks progress requests: kube-apiserver refuses what needs them, production's does not"
GO_WORDS = "the words of Go's JSON, YAML and number parsers; status and reason are the same"
SELECTOR_WORDS = "the words of the selector parser; status and reason are the same"
DOCUMENTED = "texts about what Kubernetes itself defines are our own, and shorter"
ESTABLISHED = "a new kind is established before its create is answered, not a moment after"
CRD_VALUES = "a message about a CRD's versions shows them as they were sent, not as Go structs"
EVALUATOR = "the words of the evaluator of CEL, which is not Go's; status, reason and field are the same"
TLS_WORDS = "the words of the TLS library about a certificate"
ACCOUNT = "ServiceAccount admission is off in the test's kube-apiserver, as in envtest; a cluster fills this in"
FORMS = "JSON and YAML are read and JSON is written; protobuf is read for the kinds that kubectl's verbs make"
DUPLICATES = "a field that is there twice: the last one counts, and nobody is warned"
ABSENT_PATHS = "a path that is of no group is answered with a Status, not with plain text"
TYPED_LISTS = "items of lists of built-in kinds carry kind and apiVersion; Go clients ignore them"
WARNINGS = "several warnings are one header line; of several lines our client keeps the last"
PATCH_WORDS = "a patch that cannot be applied is told with the operation and its path, not with a general word"
HISTORY = "the embedded server remembers from its start, so that no version is too old there until much has happened"
TWICE = "a cause is told once: kube-apiserver checks metadata of custom objects twice and says so twice"
RULES = "where several rules forbid the same, the first is told: kube-apiserver's values and words for it differ"
ORDER = "the order in which groups are discovered"
STORAGE = "a hash of the stored version, for migrations of storage"
COLLECTIONS = "a POST to an object's path is refused; kube-apiserver takes it for one to the collection"
INT32 = "a number too big for int32 is refused, though kube-apiserver stores it: Go clients cannot read it"
MOMENTS = "a delete of no seconds is one event; kube-apiserver marks a Pod before it takes it away"
UNSTORED = "answers that are not stored (reviews, tokens) do not tell who owns what in them"
HOLDERS = "a Namespace and a CRD that end carry a grace period of 0, and a CRD's generation grows"
DETAILS = "details that no client reads: how a refusal names the kind, or an empty object"

ALLOWANCE: tuple[Allowed, ...] = (
    Allowed(
        ETCD,
        r"events\[0\]\.(type|object\.message)",
        r"watch=1(&timeoutSeconds=1)?$|sendInitialEvents",
        r"\| \"(ERROR|Timeout: Too large resource version|a watch stream was .* RequestWatchProgress is disabled)",
    ),
    Allowed(DOCUMENTED, r".*columnDefinitions\[\d+\]\.description"),
    Allowed(DOCUMENTED, r"out\[\d+\]", r"kubectl explain"),
    Allowed(ESTABLISHED, r"body\.status\..*", r"POST .*/customresourcedefinitions"),
    Allowed(
        ESTABLISHED,
        r"body\.metadata\.managedFields\[\d+\]",
        r"POST .*/customresourcedefinitions",
        r'"manager": "kube-apiserver"',
    ),
    Allowed(ACCOUNT, OBJECT + r"\.spec\.serviceAccountName"),
    Allowed(ACCOUNT, r"out\[\d+\]", r"describe pod"),
    Allowed(FORMS, MESSAGE, "", r"accepted media types include|media types are accepted|415: Unsupported"),
    Allowed(FORMS, r"status|headers\.content-type|body(\..*)?", r"GET .*/configmaps$", r"406|yaml|<|absent"),
    Allowed(GO_WORDS, MESSAGE, "", r"json parse error|looking for beginning|cannot unmarshal|strconv\.|unrecognized"),
    Allowed(GO_WORDS, MESSAGE, "", r"is registered for version|invalid object type|continue key is not valid"),
    Allowed(GO_WORDS, r"events\[0\]\.(status|body\..*)", r"watch=1&resourceVersion=x"),
    Allowed(SELECTOR_WORDS, MESSAGE, r"(label|field)Selector=|kubectl get jf -l"),
    Allowed(
        ABSENT_PATHS,
        r"body|headers\.content-type|body\.(message|details)",
        r"GET /(apis|nothing|api)",
        r"could not find|text/plain|absent",
    ),
    Allowed(TYPED_LISTS, r"body\.items\[\d+\]\.(kind|apiVersion)", r"/(configmaps|pods)(\?| |$)"),
    Allowed(
        DUPLICATES,
        r"status|body\.(message|code)|headers\.warning",
        r"fieldValidation=(Strict|Warn)",
        r"duplicate field|^201 \| 400",
    ),
    Allowed(WARNINGS, r"headers\.warning", "", r'", 299'),
    Allowed(PATCH_WORDS, MESSAGE, r"PATCH .*json-patch", r"the server rejected our request|error decoding patch"),
    Allowed(PATCH_WORDS, MESSAGE, r"POST .*/jobflows ", r"operation 0 \(remove .*Unable to remove nonexistent key"),
    Allowed(DETAILS, r"body\.details(\.kind)?", "", r"absent\) \| \{\}|^\"[A-Za-z]+\" \| \"[A-Za-z]+\"$"),
    Allowed(RULES, r"body\.(message|details\.causes.*)", r"POST .*/jobs ", r"chars long|should match"),
    Allowed(RULES, r"body\.(message|details\.causes.*)", r"PATCH .*fieldValidation=Strict", r"strict decoding error"),
    Allowed(HISTORY, r"events\[0\]\..*", r"watch=1&resourceVersion=1$"),
    Allowed(CRD_VALUES, MESSAGE, r"POST .*/customresourcedefinitions ", r"must have exactly one version marked"),
    Allowed(
        TWICE,
        r"body\.(message|details\.causes.*)",
        "",
        r"no new finalizers|list-type map|spec.half|\.size|must be positive",
    ),
    Allowed(
        RULES,
        r"body\.(message|details.*)",
        "",
        r"Only one reference can have|StorageError|metadata\.(uid|resourceVersion)",
    ),
    Allowed(
        RULES,
        r"status|body\.(message|code|reason|details.*)",
        r"(POST|PATCH) /apis",
        r"does not match the expected|field is immutable|must be Job|^(400|409) \| 422",
    ),
    Allowed(ORDER, r"out\[\d+\]", r"kubectl get volcano"),
    Allowed(UNSTORED, r"body\.metadata\.managedFields", r"POST .*(reviews|/token) "),
    Allowed(
        RULES, r"body\.(message|details\.causes\[[12]\])", r"POST .*/customresourced", r"names\.(listKind|singular)"
    ),
    Allowed(EVALUATOR, MESSAGE, r"POST .*/customresourcedefinitions ", r"compilation failed: ERROR"),
    Allowed(TLS_WORDS, MESSAGE, r"POST .*/configmaps ", r"tls: failed to verify certificate"),
    Allowed(MOMENTS, r"events\[2\]\.type", r"/pods\?watch=1&resourceVersion=\d+$", r'^"DELETED" \| "MODIFIED"$'),
    Allowed(STORAGE, r"body\.resources\[\d+\]\.storageVersionHash"),
    Allowed(COLLECTIONS, r"status|body\.(message|code)", r"POST .*/jobflows/a |PUT .*/jobflows "),
    Allowed(INT32, r"status|body\.(message|code)", r"POST .*/jobs", r"1099511627776|^422 \| 201"),
    Allowed(HOLDERS, r"body\.metadata\.(deletionGracePeriodSeconds|generation)", r"/namespaces/NS$|customresourcedef"),
)

used: set[Allowed] = set()


def allowed(asked: str, where: str, told: str) -> bool:
    """Whether an entry covers the difference."""
    for entry in ALLOWANCE:
        if entry.covers(asked, where, told):
            used.add(entry)
            return True
    return False
