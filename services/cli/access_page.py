"""The page docs/access.md: who may call what, written from the table itself."""

from collections.abc import Iterator

from services.common.access.principal import Kind
from services.common.access.rules import ANYBODY, RULES, SUBSCRIBERS, Rule

_INTRODUCTION = """\
# Who may call

Written by `harken config access`; do not edit. `make check` fails when it differs from the table,
`services/common/access/rules.py`. What is not in the table nobody may call, and a test fails.

Without a certificate a process asks nobody who they are: it listens on loopback only, or says
`insecure=true`. With one (`tls_certificate_file`, `tls_key_file`, `tls_ca_file`) it speaks TLS:

| port | who comes in | who they are |
|---|---|---|
| `listen` | who shows a certificate of `tls_ca_file` | what its SAN says, else as below |
| `token_listen` | anybody, by TLS | what a key or a token says |
| `health_listen` | anybody, without TLS | nobody: it serves gRPC health only |

**Certificates.** The identity is the URI in the SAN, and nothing a caller sends changes it:
`spiffe://harken/service/profile` (`ranker`, `feedback`, `trainer`),
`spiffe://harken/backend/<tenant>`, `.../merchandiser/<tenant>`, `.../operator/<tenant>`; `%2A` is
all tenants. Other names get a meaning by `san_principals`; one without a meaning, such as that of
an edge, speaks for whom the key or token of a call is. Servers also need the DNS name by which they
are called.

**API keys**, `authorization: Bearer hk_<id>_<secret>`: `harken keys create` shows one once and
writes its hash to a file, which processes read anew within seconds. No key makes its holder one of
our own services.

**Tokens (JWT)**, `authorization: Bearer ...`: signed by EdDSA, ES256 or RS256 with a key of
`jwks_file`, made by `jwt_issuer` for `jwt_audience`, with `exp` and `sub`. `harken_tenant` is the
tenant, `harken_kind` the kind, an end user where it is missing: the user `sub`, and the session
`harken_session` where it is given.

**Answers.** Nobody known: UNAUTHENTICATED, whatever is wrong. Somebody known who may not:
PERMISSION_DENIED with the reason NOT_ALLOWED (the RPC), OTHER_TENANT, OTHER_SUBJECT,
OTHER_SUBSCRIBER or OPERATORS_ONLY (the field `pinned` of PutEmbeddings), decided before anything is
looked up, so it is the same for ids and tenants that exist and for those that do not. Too often:
RESOURCE_EXHAUSTED, RATE_LIMITED, with the time to come back.

## The table

*own tenant*: of the caller, where `*` is all of them; *all tenants*: only for callers whose tenant
is `*`; *self*: every subject of the request is the caller; *own name*: follows the feed as
{subscribers}, or as a name that begins so, with a dash; *anybody*: known or not. *audited*: whose
calls are in the [audit log](audit.md), let in or refused.
"""

_SELF = "self"


def access_page() -> str:
    """Return the page."""
    names = ", ".join(f"`{name}`" for name in SUBSCRIBERS.values())
    return "\n".join([_INTRODUCTION.format(subscribers=names), *_tables()]) + "\n"


def _tables() -> Iterator[str]:
    kinds = list(Kind)
    service = ""
    for method, rule in RULES.items():
        _, of, name = method.split("/")
        if of != service:
            service = of
            yield f"\n### {service}\n" if service else ""
            yield f"| RPC | {' | '.join(kinds)} | audited |"
            yield f"|---|{'---|' * len(kinds)}---|"
        cells = " | ".join(_cell(rule, kind) for kind in kinds)
        yield f"| {name} | {cells} | {_audited(rule)} |"


def _cell(rule: Rule, kind: Kind) -> str:
    if rule.open:
        return "anybody"
    if kind not in rule.kinds:
        return ""
    words = ["own tenant" if rule.tenant and not kind.is_service else "all tenants"]
    if kind is Kind.END_USER and rule.subjects:
        words.append(_SELF)
    if kind in SUBSCRIBERS and rule.subscriber:
        words.append("own name")
    return ", ".join(words)


def _audited(rule: Rule) -> str:
    return "all" if rule.audited == ANYBODY else ", ".join(sorted(rule.audited))
