"""Customers: found by what is known of them, brought in once, and handed over to their people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from customers import onboarding, tenancy
from customers.models import AuditEntry, Customer, Invitation, MemberKind, Membership, Role
from mining.models import Credential, MiningAccount, PoolIntent, PoolLogin
from tests.logins import login_of
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Tenant, World, make_reward, move_point

pytestmark = pytest.mark.django_db

LIST = "/staff/customers/"
NEW = "/staff/customers/new/"


def of(client: Any) -> str:
    return reverse("staff:customer", args=[client.customer.code])


def stray(tenant: Tenant, name: str = "stray_01") -> MiningAccount:
    with tenancy.access_context(tenant.system):
        return MiningAccount.objects.create(
            provider=tenant.provider, login=tenant.login, name=name, state="active", first_seen_at=NOW
        )


# --- The list


def test_the_list_says_name_account_state_machines_hashrate_and_share(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, NOW.date().replace(day=1))
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(rewards_read_at=NOW)
        MiningAccount.objects.filter(pk=north.clients[1].account.pk).update(rewards_read_at=None)
    words = text(north.auditor.browser().get(LIST))
    assert "2 customers 2 accounts active" in words
    assert "Alder & Finch client_0 · C-0 Active 50 of 52 up 1 low 1 down just now 10.05 0.00082875" in words
    assert "Birch Mining client_1 · C-1 Active 50 of 52 up 1 low 1 down never read 10.05 none yet" in words


@pytest.mark.parametrize(
    ("words", "found"),
    [("alder", 1), ("C-1", 1), ("client_", 2), ("office@0", 1), ("nobody", 0), ("%", 0), ("_0", 1), ("'--", 0)],
)
def test_search_finds_by_name_reference_account_or_address(north: Tenant, words: str, found: int) -> None:
    answer = north.owner.browser().get(LIST, {"q": words})
    assert sum(client.customer.code in answer.content.decode() for client in north.clients) == found
    assert ("Nobody is found." in text(answer)) is (found == 0)


def test_pages_follow_each_other_without_a_gap(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.views.paging.keyset.__kwdefaults__", {"size": 2})
    with tenancy.access_context(north.system):
        for name in ("alder & finch", "Aspen", "zeta"):
            Customer.objects.create(provider=north.provider, name=name, email="x@x.example", created_at=NOW)
    browser, seen, address = north.owner.browser(), [], LIST
    while address:
        answer = browser.get(address)
        seen += [row.customer.name for row in answer.context["rows"]]
        after = answer.context["after"]
        address = f"{LIST}?after={after}" if after else ""
    assert seen == ["Alder & Finch", "alder & finch", "Aspen", "Birch Mining", "zeta"]


@pytest.mark.parametrize("after", ["cus_x", "\x00", "1"])
def test_a_made_up_place_in_the_list_is_no_page(north: Tenant, after: str) -> None:
    assert north.owner.browser().get(LIST, {"after": after}).status_code == 404


def test_the_neighbours_customer_is_no_place_in_the_list(world: World) -> None:
    after = world.south.clients[0].customer.code
    assert world.north.owner.browser().get(LIST, {"after": after}).status_code == 404


def test_an_empty_list_says_how_to_begin(north: Tenant) -> None:
    empty = onboarding.create_provider(slug="empty", name="Empty", now=NOW)
    from tests.world import person

    with tenancy.access_context(empty):
        owner = person(empty, "owner@empty.example", Role.OWNER)
    words = text(owner.browser().get(LIST))
    assert "No customers yet." in words
    assert heading(owner.browser().get("/staff/")) == "One thing needs you"
    for page in ("contracts", "rewards", "documents", "sync", "keys", "team", "customer_new", "contract_new"):
        assert owner.browser().get(reverse(f"staff:{page}")).status_code == 200


# --- One customer


def test_one_customer_shows_everything_that_is_its_own(north: Tenant) -> None:
    answer = north.support.browser().get(of(north.clients[1]))
    words = text(answer)
    assert heading(answer) == "Birch Mining"
    for part in (
        "Account client_1 at main. Your reference C-1.",
        "Hashrate 10.05 PH/s",
        "Machines up 50 of 52",
        "3 Oct 2026 Final 0.00097500 0.00014625 0.00082875",
        "Our share 15 %",
        "The pool pays External address",
        "owner1@client-of-north.example, owner",
    ):
        assert part in words
    assert "client_0" not in words


def test_the_neighbours_customer_does_not_exist(world: World) -> None:
    for client in world.south.clients:
        assert world.north.owner.browser().get(of(client)).status_code == 404


@pytest.mark.parametrize("code", ["cus_x", "%00", "..", "new%00"])
def test_a_made_up_address_is_no_page(north: Tenant, code: str) -> None:
    assert north.owner.browser().get(f"/staff/customers/{code}/").status_code in (301, 404)


def test_old_and_never_read_numbers_stay_with_their_age(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        move_point(client.account, NOW - timedelta(hours=30))
        MiningAccount.objects.filter(pk=client.account.pk).update(
            workers_online=None, workers_low=None, workers_offline=None, workers_read_at=None
        )
    words = text(north.owner.browser().get(of(client)))
    assert "Hashrate unknown 10.05 PH/s , 3 Nov, 08:32 UTC" in words
    assert "Machines up unknown never read" in words


def test_hostile_names_are_only_text(north: Tenant) -> None:
    evil = '"><script>alert(1)</script>'
    with tenancy.access_context(north.system):
        Customer.objects.filter(pk=north.clients[0].customer.pk).update(name=evil, external_ref=evil, email=evil)
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(payout_address=evil, state="unknown")
        PoolLogin.objects.filter(pk=north.login.pk).update(name=evil)
        Credential.objects.filter(pk=north.credential.pk).update(problem=evil, state="refused")
        north.owner.user.name = evil
        north.owner.user.save()
    stray(north, evil)
    browser = north.owner.browser()
    contract = reverse("staff:contract", args=[north.clients[0].contract.code])
    for page in (
        of(north.clients[0]),
        LIST,
        NEW,
        "/staff/",
        "/staff/sync/",
        "/staff/keys/",
        "/staff/team/",
        "/staff/rewards/",
        contract,
    ):
        assert "<script>alert" not in browser.get(page).content.decode(), page
    assert "<script>alert" not in browser.get(LIST, {"q": evil}).content.decode()


# --- Bringing one in


def form(north: Tenant, **fields: str) -> dict[str, object]:
    given = {"name": "Cedar", "email": "Office@Cedar.example", "external_ref": "C-9", "how": "adopt"}
    return north.support.form(**(given | {"account_name": "stray_01"} | fields))


def test_onboarding_takes_over_a_stray_account(north: Tenant) -> None:
    account = stray(north)
    answer = north.support.browser().post(NEW, form(north), follow=True)
    (made,) = rows(north, Customer, name="Cedar")
    assert (made.email, made.external_ref) == ("office@cedar.example", "C-9")
    assert [row.customer_id for row in rows(north, MiningAccount, pk=account.pk)] == [made.pk]
    assert answer.redirect_chain == [(of_code(made), 302)]
    assert "Cedar is onboarded." in text(answer)
    assert [entry.actor for entry in rows(north, AuditEntry, action="customer.created")] == ["support@north.example"]


def of_code(customer: Customer) -> str:
    return reverse("staff:customer", args=[customer.code])


def test_creating_an_account_shows_how_far_it_is_until_it_is_there(north: Tenant) -> None:
    answer = north.support.browser().post(NEW, form(north, how="create", account_name="cedar_1"), follow=True)
    (intent,) = rows(north, PoolIntent)
    assert (intent.state, intent.kind, intent.account_name) == ("planned", "create_account", "cedar_1")
    assert "The account is being created" in text(answer)
    assert 'hx-trigger="every 3s"' in answer.content.decode()
    (made,) = rows(north, Customer, name="Cedar")
    with tenancy.access_context(north.system):
        PoolIntent.objects.filter(pk=intent.pk).update(state="done")
        MiningAccount.objects.filter(customer=made).update(state="active")
    part = north.support.browser().get(of_code(made), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "hx-trigger" not in part


def test_the_list_beside_the_form_fills_it_in(north: Tenant) -> None:
    stray(north)
    page = north.owner.browser().get(NEW)
    assert f'href="/staff/customers/new/?account=stray_01&amp;login={north.login.code}"' in page.content.decode()
    chosen = north.owner.browser().get(NEW, {"account": "stray_01", "login": north.login.code})
    assert 'value="stray_01"' in chosen.content.decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "  "}, "This field is required."),
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"account_name": "a b"}, "An account name has letters, digits and _ only"),
        ({"account_name": "client_0"}, "The account 'client_0' is that of the customer Alder & Finch"),
        ({"how": "create"}, "There is an account 'stray_01' at 'main' already"),
        ({"external_ref": "C-0"}, "the reference 'C-0' already"),
        ({"how": "steal"}, "Select a valid choice."),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"name": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_bad_input_is_told_in_a_sentence_and_changes_nothing(north: Tenant, fields: dict[str, str], says: str) -> None:
    stray(north)
    before = (rows(north, Customer), rows(north, PoolIntent), len(rows(north, AuditEntry)))
    answer = north.support.browser().post(NEW, form(north, **fields))
    assert says in text(answer)
    assert (rows(north, Customer), rows(north, PoolIntent), len(rows(north, AuditEntry))) == before


def test_onboarding_twice_makes_one_customer(north: Tenant) -> None:
    stray(north)
    browser = north.support.browser()
    browser.post(NEW, form(north))
    again = browser.post(NEW, form(north, external_ref=""))
    assert "is that of the customer Cedar" in text(again)
    assert len(rows(north, Customer, name="Cedar")) == 1


def test_without_a_working_key_the_page_says_what_to_do_first(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(state="refused")
    assert "There is no working pool key." in text(north.owner.browser().get(NEW))
    refused = text(north.support.browser().post(NEW, form(north)))
    assert "The pool refused the key of main, so nothing is read or done for it" in refused


def test_with_several_keys_the_form_asks_at_which_user(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.create(
            provider=north.provider,
            login=login_of(north.provider, "second"),
            state="active",
            key_digest="d2",
            key_hint="x",
            created_at=NOW,
        )
    stray(north)
    browser = north.support.browser()
    assert "At which WhiteBIT user" in text(browser.get(NEW))
    assert "This field is required." in text(browser.post(NEW, form(north)))
    browser.post(NEW, form(north, login=north.login.code))
    assert len(rows(north, Customer, name="Cedar")) == 1


# --- When the pool did not give the account


def failed_customer(north: Tenant, state: str) -> tuple[Customer, PoolIntent]:
    with tenancy.access_context(north.system):
        bare = Customer.objects.create(provider=north.provider, name="Cedar", email="c@c.example", created_at=NOW)
        account = None
        if state == "unknown":
            account = MiningAccount.objects.create(
                provider=north.provider,
                login=north.login,
                name="cedar",
                customer=bare,
                state="creating",
                first_seen_at=NOW,
            )
        intent = PoolIntent.objects.create(
            provider=north.provider, kind="create_account", state=state, customer=bare, login=north.login,
            account_name="cedar", mining_account=account, created_at=NOW, problem="The pool's answer was lost.",
        )  # fmt: skip
    return bare, intent


def test_a_customer_whose_account_failed_gets_another_one(north: Tenant) -> None:
    bare, _ = failed_customer(north, "failed")
    account = stray(north)
    browser = north.support.browser()
    assert "This customer has no mining account. The pool's answer was lost." in text(browser.get(of_code(bare)))
    address = reverse("staff:customer_account", args=[bare.code])
    browser.post(address, north.support.form(how="adopt", account_name="stray_01"))
    assert [row.customer_id for row in rows(north, MiningAccount, pk=account.pk)] == [bare.pk]
    again = browser.post(address, north.support.form(how="create", account_name="other"))
    assert "Cedar has a mining account already" in text(again)


@pytest.mark.parametrize(
    ("ours", "state", "second_time"),
    [
        ("yes", "planned", "A worker has this in hand"),
        ("no", "failed", "settled already"),
    ],
)
def test_a_person_decides_what_became_of_a_lost_answer(north: Tenant, ours: str, state: str, second_time: str) -> None:
    bare, intent = failed_customer(north, "unknown")
    browser = north.support.browser()
    assert "Was the account cedar created?" in text(browser.get(of_code(bare)))
    address = reverse("staff:intent_decide", args=[intent.code])
    browser.post(address, north.support.form(ours=ours))
    assert [row.state for row in rows(north, PoolIntent, pk=intent.pk)] == [state]
    again = browser.post(address, north.support.form(ours=ours), follow=True)
    assert second_time in text(again)


@pytest.mark.parametrize("problem", ["", "There is no active pool key for 'main'."])
def test_an_account_that_does_not_come_can_be_given_up_once_it_has_waited(north: Tenant, problem: str) -> None:
    browser = north.support.browser()
    browser.post(NEW, form(north, how="create", account_name="cedar_1"))
    (made,), (intent,) = rows(north, Customer, name="Cedar"), rows(north, PoolIntent)
    address = reverse("staff:intent_decide", args=[intent.code])
    for seconds, gives_up in ((50, False), (60, True)):
        with tenancy.access_context(north.system):
            asked_at = NOW - timedelta(seconds=seconds)
            PoolIntent.objects.filter(pk=intent.pk).update(created_at=asked_at, problem=problem)
        part = browser.get(of_code(made), headers={"HX-Request": "true"})
        assert (f'action="{address}"' in part.content.decode()) is gives_up
        assert ("by a worker, within a minute" in text(part)) is not gives_up
        assert f'action="{address}"' not in north.finance.browser().get(of_code(made)).content.decode()
    assert f"waits since 4 Nov 2026, 14:31 UTC Active {problem or 'No worker has taken it up yet.'} Give it up" in text(
        part
    )

    said = browser.post(address, north.support.form(ours="no"), follow=True)

    assert "It is settled. Give the customer another account." in text(said)
    assert "This customer has no mining account. A person gave it up before it was asked of the pool." in text(said)
    assert rows(north, MiningAccount, customer=made) == []


def test_deciding_without_an_answer_changes_nothing(north: Tenant) -> None:
    _, intent = failed_customer(north, "unknown")
    address = reverse("staff:intent_decide", args=[intent.code])
    answer = north.support.browser().post(address, north.support.form(ours="maybe"), follow=True)
    assert "Say whether it is at the pool" in text(answer)
    assert [row.state for row in rows(north, PoolIntent)] == ["unknown"]


# --- Its people


def test_inviting_sends_one_link_and_a_second_one_replaces_it(
    north: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    client, browser = north.clients[0], north.support.browser()
    address = reverse("staff:customer_invite", args=[client.customer.code])
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            answer = browser.post(address, north.support.form(email="New@Guest.example", role="viewer"), follow=True)
    assert "The invitation to new@guest.example is on its way." in text(answer).replace("New@Guest", "new@guest")
    sent = rows(north, Invitation)
    assert [(row.email, row.role, row.customer_id, row.revoked_at is None) for row in sent] == [
        ("new@guest.example", Role.VIEWER, client.customer.pk, False),
        ("new@guest.example", Role.VIEWER, client.customer.pk, True),
    ]
    assert [message.to for message in mail.outbox] == [["new@guest.example"]] * 2
    assert "Alder & Finch" in mail.outbox[1].body


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"email": "x"}, "Enter a valid email address."),
        ({"role": "finance"}, "Select a valid choice."),
        ({"email": "owner0@client-of-north.example"}, "owner0@client-of-north.example is a member already."),
    ],
)
def test_a_bad_invitation_is_not_sent(north: Tenant, fields: dict[str, str], says: str) -> None:
    address = reverse("staff:customer_invite", args=[north.clients[0].customer.code])
    given = north.support.form(**({"email": "new@guest.example", "role": "viewer"} | fields))
    assert says in text(north.support.browser().post(address, given))
    assert rows(north, Invitation) == []


def test_revoking_ends_the_link_and_twice_is_harmless(north: Tenant) -> None:
    customer = north.clients[0].customer
    with tenancy.access_context(north.system):
        invited = onboarding.invite(
            north.system, email="g@g.example", kind=MemberKind.CUSTOMER, role=Role.VIEWER, customer=customer, now=NOW
        )
    address = reverse("staff:customer_invitation_revoke", args=[customer.code, invited.invitation.code])
    for _ in range(2):
        north.support.browser().post(address, north.support.form())
    assert [row.revoked_at for row in rows(north, Invitation)] != [None]
    assert len(rows(north, AuditEntry, action="invitation.revoked")) == 1


def test_an_invitation_of_another_customer_is_not_found_under_this_one(north: Tenant) -> None:
    first, second = north.clients
    with tenancy.access_context(north.system):
        invited = onboarding.invite(
            north.system,
            email="g@g.example",
            kind=MemberKind.CUSTOMER,
            role=Role.VIEWER,
            customer=second.customer,
            now=NOW,
        )
    address = reverse("staff:customer_invitation_revoke", args=[first.customer.code, invited.invitation.code])
    assert north.support.browser().post(address, north.support.form()).status_code == 404
    member = reverse("staff:customer_member_end", args=[first.customer.code, second.viewer.membership.code])
    assert north.support.browser().post(member, north.support.form()).status_code == 404
    staff = reverse("staff:customer_member_end", args=[first.customer.code, north.finance.membership.code])
    assert north.support.browser().post(staff, north.support.form()).status_code == 404


def test_ending_a_membership_shuts_the_door_at_once(north: Tenant) -> None:
    client = north.clients[0]
    guest = client.viewer.browser()
    address = reverse("staff:customer_member_end", args=[client.customer.code, client.viewer.membership.code])
    answer = north.support.browser().post(address, north.support.form(), follow=True)
    assert "sees nothing of Alder & Finch any more." in text(answer)
    assert [row.is_active for row in rows(north, Membership, pk=client.viewer.membership.pk)] == [False]
    assert guest.get("/")["Location"] == "/choose/"
