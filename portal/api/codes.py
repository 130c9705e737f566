"""The codes of problems: a line each in the API's documentation, and the HTTP status of a refusal.

A refusal is raised with its code in the rooms below; here it is told what that means to a program. A test holds this
against the source, both ways (tests/nets/test_refusals.py).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

# What the door itself says, whatever the resource.
DOOR = {
    HTTPStatus.BAD_REQUEST: ("request.invalid", "What was sent is wrong; `errors` names the fields or parameters."),
    HTTPStatus.UNAUTHORIZED: ("token.unknown", "No token was sent, or it is unknown or revoked."),
    HTTPStatus.FORBIDDEN: ("token.not_allowed", "The token lacks the scope."),
    HTTPStatus.NOT_FOUND: ("resource.not_found", "There is nothing here that this token may see."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("request.method_not_allowed", "This address does not take this method."),
    HTTPStatus.CONFLICT: ("resource.changed_meanwhile", "Somebody changed the same thing at the same moment."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("request.too_large", "The body is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("request.not_json", "The body is not sent as JSON."),
    HTTPStatus.TOO_MANY_REQUESTS: ("request.too_often", "Wait as long as `Retry-After` says."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("server.failed", "Something failed on our side. Nothing was changed."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("server.busy", "Nothing was changed. Try again."),
}

# What the door says of one call in particular.
CALLS = {
    "idempotency.other_body": (HTTPStatus.UNPROCESSABLE_ENTITY, "The `Idempotency-Key` was used for another call."),
    "idempotency.running": (HTTPStatus.CONFLICT, "The same call is still being done: send it again in a few seconds."),
    "token.expired": (HTTPStatus.UNAUTHORIZED, "The token's last day is over: make another one."),
    "provider.suspended": (HTTPStatus.FORBIDDEN, "The operator has suspended the provider; its tokens open nothing."),
}

REFUSALS = {
    "account.answered_for": "The pool answers for the account, so its alarm is not ended by hand.",
    "account.being_created": "The account is still being created at the pool.",
    "account.has_customer": "The account belongs to another customer.",
    "account.just_given": "The account was given to another customer at the same moment.",
    "account.name_invalid": "No account can have this name.",
    "account.name_taken": "The login has an account of this name: adopt it, or choose another name.",
    "account.no_customer": "The account belongs to no customer.",
    "account.not_listed": "The pool does not list the account now.",
    "brand.no_colour": "`brand_colour` is # and six digits from 0 to f.",
    "brand.not_seen": "The colour can hardly be told from the page in one of the themes.",
    "contract.exists": "The customer has a contract: add a version to it.",
    "customer.act_open": "An act at the pool for the customer is not settled, so it is not closed.",
    "customer.closed": "The customer is closed: open it again first.",
    "customer.correction_open": "A correction of what was billed waits for the customer's next document.",
    "customer.draft_open": "A draft of the customer is not issued, so it is not closed.",
    "customer.has_account": "The customer has a mining account, and keeps it.",
    "customer.name_missing": "A customer needs a name.",
    "customer.no_account": "The customer has no mining account.",
    "customer.not_closed": "The customer is not closed.",
    "customer.reference_taken": "Another customer has this `external_ref`.",
    "customer.rewards_open": "Rewards of the customer are not billed, so it is not closed.",
    "document.carried": "The draft was below its minimum and carried to the next month.",
    "document.changed_meanwhile": "The drafts are not those that were looked at.",
    "document.dated_before_last": "The last document of the series has a later date: a clock is wrong.",
    "document.discarded": "The draft was discarded: close its month again.",
    "document.earlier_draft": "A draft of an earlier month is issued or discarded first.",
    "document.file_failed": "A file could not be made: its problem stands on the document.",
    "document.file_not_made": "The file is being made: try again in a minute.",
    "document.held": "All chosen drafts are held.",
    "document.issued": "The document is issued already.",
    "document.no_file_failed": "No file of the document has failed.",
    "document.not_draft": "Only a draft can be discarded.",
    "document.not_issued": "Only an issued document has files.",
    "document.stale": "Rewards or terms changed after the draft was computed: close its month again.",
    "exclusion.ends_before_it_begins": "An exclusion ends after it begins.",
    "exclusion.out_of_reach": "An exclusion begins at most two years ago and ends at most a year from now.",
    "exclusion.over": "The exclusion is over already.",
    "exclusion.reason_unknown": "The reason is none of those that there are.",
    "exclusion.scope_unclear": "An exclusion is for one worker, one customer or one site, or for all.",
    "exclusion.text_too_long": "The note or the site's name is too long.",
    "exclusion.worker_unassigned": "The worker's account belongs to no customer yet.",
    "fleet.retirement_days": "Workers are retired after 1 to 365 days.",
    "hold.destination_unknown": "The pool does not say in a known word where a reward on the draft was paid:"
    " close its month again.",
    "hold.earlier_document": "An earlier draft of the contract is held, and comes first.",
    "hold.incomplete": "The draft leaves something out: it is settled, or a person lets it pass.",
    "hold.misdirected": "Rewards on the draft were paid where nobody had agreed to: a person approves them.",
    "hold.payout_drifting": "The pool pays the customer's rewards elsewhere than was agreed: a person agrees to that,"
    " or has it put back.",
    "intent.in_hand": "A worker has the act in hand: there is nothing to decide yet.",
    "intent.not_allowed": "This role may not decide the act.",
    "intent.settled": "The act at the pool has been settled already.",
    "intent.unanswered": "A decision says yes or no.",
    "invitation.accepted": "The invitation was accepted, so it cannot be revoked.",
    "key.being_checked": "A key of the login is being checked at this moment.",
    "key.check_failed": "The pool could not be asked whether the key works.",
    "key.check_lost": "The check took too long and was given up.",
    "key.empty": "The API key or the secret is empty.",
    "key.gone": "The key was thrown away or replaced.",
    "key.in_use": "The key is in use: throwing it away ends the reading, and has to be confirmed.",
    "key.just_stored": "Somebody else stored the same key at the same moment.",
    "key.missing": "The login has no active key, so nothing is read or done for it.",
    "key.none": "There is no pool key yet.",
    "key.none_active": "None of the pool keys is active.",
    "key.not_accepted": "The pool refused the key when it was checked.",
    "key.not_checked": "The login's key has not been checked yet.",
    "key.not_opened": "This worker cannot open the key.",
    "key.not_usable_here": "The key cannot be used in this portal.",
    "key.odd_characters": "The API key or the secret holds characters that no key has.",
    "key.odd_length": "The API key or the secret is as long as no key is.",
    "key.of_other_login": "The key is stored under another login.",
    "key.of_other_user": "The key belongs to another WhiteBIT user than the login's keys.",
    "key.refused": "The pool refused the login's key, so nothing is read or done for it.",
    "key.replaced": "The key was replaced by another one.",
    "key.spaced": "The API key or the secret has a space or line break inside.",
    "key.swapped": "API key and secret look swapped.",
    "key.tried_lately": "A key of the login is tried now, or was a moment ago: `Retry-After` says when it may be tried"
    " again.",
    "key.unreadable": "The sealed key does not open.",
    "key.works_already": "The key is stored already, and works.",
    "link.endless": "The link never ends, so it is not renewed.",
    "link.forever_unconfirmed": "That a link lives for ever has to be confirmed.",
    "link.lifetime_unknown": "No link lives that long.",
    "link.no_room": "The account has as many active links as the pool allows.",
    "link.not_made": "The link has not been made yet.",
    "link.not_ours": "The link was made outside the portal, so it is not renewed here.",
    "link.not_renewable": "Only links of 7 days that were issued here renew themselves.",
    "link.over": "The link is over: issue a new one.",
    "link.permission_unknown": "No link shows this.",
    "link.shows_nothing": "A link shows at least one thing.",
    "link.still_works": "The link has half of its life left: a second one has to be confirmed.",
    "login.ambiguous": "There are several logins: say which.",
    "login.name_invalid": "No login can be called this.",
    "login.name_taken": "Another login is called this.",
    "logo.no_picture": "What was sent is no PNG, JPEG or WebP.",
    "logo.too_large": "The logo has more than 512 KiB, or a side of more than 2,000 pixels.",
    "member.exists": "The person is a member already.",
    "member.last_owner": "The last owner stays one.",
    "member.role_unknown": "There is no such role here.",
    "omission.changed_meanwhile": "What the draft leaves out is not what was looked at.",
    "omission.none": "The draft leaves nothing out that holds it.",
    "omission.not_draft": "Only of a draft can something be let pass.",
    "omission.note_missing": "What is let pass is let pass with a note.",
    "payout.address_invalid": "Nothing can be paid to this address.",
    "payout.address_superfluous": "The main balance has no address.",
    "payout.address_unknown": "The pool does not say to which address it pays.",
    "payout.approver_missing": "A change needs the name of the person who approved it.",
    "payout.being_changed": "A change of the payout destination is being made at this moment.",
    "payout.change_unsettled": "An earlier change of the payout destination is not settled yet.",
    "payout.changed_meanwhile": "The pool says something else by now.",
    "payout.destination_invalid": "A payout goes to the main balance or to an address.",
    "payout.destination_unknown": "The pool names a payout destination that is not known.",
    "payout.not_drifting": "The account is paid as was agreed.",
    "payout.not_read": "The account's payout destination has not been read yet.",
    "period.not_ended": "The month has not ended in UTC.",
    "posting.is_reversal": "A reversal is not reversed.",
    "posting.reversed": "The transaction is reversed already.",
    "profile.name_missing": "A provider needs its legal name.",
    "profile.url_invalid": "The address of the support page is in full, and begins with https://.",
    "quarantine.account_gone": "The record's account is there no more.",
    "quarantine.being_read": "The pool is being read at this moment: try again in a minute.",
    "quarantine.decision_unfit": "This cannot be said of such a record.",
    "quarantine.note_missing": "A record is settled with a note.",
    "quarantine.reward_missing": "The record may be several rewards, or none that we have: say which one it is.",
    "quarantine.reward_unfit": "The record cannot be this reward.",
    "quarantine.settled": "The record was settled as something else.",
    "quarantine.taken_in": "A later reading has taken in such a reward.",
    "quarantine.unreadable": "The record still cannot be read.",
    "reward.changed_meanwhile": "The rewards are not those that were looked at.",
    "reward.not_misdirected": "No reward waits that was paid where nobody had agreed to.",
    "site.too_long": "A site's name has at most 64 characters.",
    "terms.basis_invalid": "`basis` is net or gross.",
    "terms.days_billed": "Issued documents have billed days that the new terms would take.",
    "terms.fee_bearer_missing": "A gross basis says who bears the pool's fee.",
    "terms.fee_bearer_superfluous": "On a net basis the pool's fee is shared.",
    "terms.field_unknown": "A revenue share has no such field.",
    "terms.kind_unknown": "Components of this kind are not built yet.",
    "terms.minimum_invalid": "`minimum_sat` is a whole number from 0 to 100000000.",
    "terms.not_one_component": "A contract has exactly one component.",
    "terms.settle_in_unknown": "Settling in this is not built yet.",
    "terms.share_invalid": "`share_ppm` is a whole number from 0 to 1000000.",
    "terms.too_far_ahead": "The first day is more than five years ahead.",
    "terms.too_far_back": "The first day is more than five years back.",
    "token.end_invalid": "A token ends within two years from today, or never.",
    "token.name_taken": "A token that is not revoked has this name.",
    "token.scopes_missing": "A token has at least one scope.",
    "worker.not_offline": "The worker is not known to be offline, so it is not retired.",
}

# Wrong by itself, however things stand. All others are right by themselves, but not as things stand: 409.
WRONG_BY_ITSELF = frozenset(
    {
        "brand.no_colour",
        "brand.not_seen",
        "customer.name_missing",
        "exclusion.ends_before_it_begins",
        "exclusion.reason_unknown",
        "exclusion.scope_unclear",
        "exclusion.text_too_long",
        "fleet.retirement_days",
        "link.lifetime_unknown",
        "link.permission_unknown",
        "link.shows_nothing",
        "logo.no_picture",
        "logo.too_large",
        "omission.note_missing",
        "payout.address_invalid",
        "payout.address_superfluous",
        "payout.destination_invalid",
        "profile.name_missing",
        "profile.url_invalid",
        "quarantine.note_missing",
        "site.too_long",
        "terms.basis_invalid",
        "terms.fee_bearer_missing",
        "terms.fee_bearer_superfluous",
        "terms.field_unknown",
        "terms.kind_unknown",
        "terms.minimum_invalid",
        "terms.not_one_component",
        "terms.settle_in_unknown",
        "terms.share_invalid",
        "token.end_invalid",
        "token.scopes_missing",
    }
)
HOLDS = [code for code in REFUSALS if code.startswith("hold.")]


def status_of(code: str) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if code in WRONG_BY_ITSELF else HTTPStatus.CONFLICT


def describe(result: dict[str, Any], **_arguments: Any) -> dict[str, Any]:
    """drf-spectacular's hook that adds the codes to the description."""
    lines = [(code, int(status), line) for status, (code, line) in DOOR.items()]
    lines += [(code, int(status), line) for code, (status, line) in CALLS.items()]
    lines += [(code, int(status_of(code)), line) for code, line in REFUSALS.items()]
    rows = "\n".join(f"| `{code}` | {status} | {line} |" for code, status, line in sorted(lines))
    result["info"]["description"] += (
        "\n\nThe `type` of a problem is `/problems/` and one of these codes, which do not change:"
        f"\n\n| code | status | what it means |\n| --- | --- | --- |\n{rows}\n"
    )
    return result
