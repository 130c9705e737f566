"""Staff at work in a real browser: the ways in, money, keys and sync, on a desk and on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.utils import timezone
from playwright.sync_api import expect

from billing.models import Document
from billing.settlement import close_period
from billing.tasks import make_files
from customers import onboarding, tenancy
from customers.models import Customer, MemberKind, Role
from mining import accounts, alerts, intents, planner, runner
from mining.keys import store as key_store
from mining.keys import verification
from mining.models import (
    Credential,
    MiningAccount,
    PayoutAgreement,
    PoolIntent,
    QuarantinedRecord,
    SyncRun,
    WatcherLink,
)
from mining.models.runs import Subject
from portal.invitations import send_invitation
from portal.sign_in import MFAAdapter
from tests.browser.conftest import DESK, PHONE, OpenPage, sideways
from tests.logins import login_of
from tests.portal.watcher_links import make_link
from tests.sandbox import Sandbox, start_sandbox
from tests.world import FIRST_DAY, NOW, PASSWORD, Person, Tenant, World, make_reward

TOTP_STEP_S = 30

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def code_for(secret: str) -> str:
    """That of this moment; it counts for as long as the test needs it (conftest.py)."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // TOTP_STEP_S)))


def secret_of(person: Person) -> str:
    stored = Authenticator.objects.get(user=person.user, type=Authenticator.Type.TOTP)
    return str(MFAAdapter().decrypt(stored.data["secret"]))


def found(tenant: Tenant, model: Any, **wanted: Any) -> list[Any]:
    with tenancy.access_context(tenant.system):
        return list(model.objects.filter(provider=tenant.provider, **wanted).order_by("pk"))


# --- The ways in


def test_an_owner_signs_in_with_password_and_code(world: World, open_page: OpenPage) -> None:
    page, owner = open_page(), world.north.owner
    page.goto("/staff/")
    page.get_by_label("E-mail").fill(owner.user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    second = page.get_by_role("heading", name="Second factor")
    expect(second).to_be_visible()
    page.goto("/staff/customers/")
    expect(second).to_be_visible()  # the password alone opens nothing
    page.get_by_label("Code").fill(code_for(secret_of(owner)))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.goto("/staff/customers/")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 customers")


def test_a_new_colleague_sees_nothing_before_the_second_factor(world: World, open_page: OpenPage) -> None:
    with tenancy.access_context(world.north.system):
        link = send_invitation(
            onboarding.invite(
                world.north.system,
                email="new@north.example",
                kind=MemberKind.STAFF,
                role=Role.SUPPORT,
                now=timezone.now(),
            )
        )
    page = open_page()
    page.goto("/invite/" + link.split("/invite/")[1])
    page.get_by_label("Your name").fill("New Colleague")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Accept the invitation").click()
    setup = page.get_by_role("heading", name="Set up your second factor")
    expect(setup).to_be_visible()
    for path in ("/staff/", "/staff/customers/", f"/staff/customers/{world.north.clients[0].customer.code}/"):
        page.goto(path)
        expect(setup).to_be_visible()
    page.get_by_label("Code that the app shows now").fill(code_for(page.locator(".secret").inner_text().strip()))
    page.get_by_role("button", name="Switch it on").click()
    page.goto("/staff/customers/")
    expect(page.get_by_role("link", name="Alder & Finch")).to_be_visible()
    page.goto("/staff/documents/")
    expect(page.get_by_role("button", name="Work out the drafts")).to_have_count(0)


# --- Money


def test_a_draft_is_issued_after_the_page_that_says_the_effect(world: World, open_page: OpenPage) -> None:
    north = world.north
    with tenancy.access_context(north.system):
        close_period(north.system, month=FIRST_DAY, now=NOW)
    page = open_page(north.finance)
    page.goto("/staff/documents/")
    page.get_by_label("Choose the draft for Alder & Finch").check()
    page.get_by_role("button", name="Issue the chosen ones…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Issue 1 document, 0.00248625 BTC owed to customers")
    assert [d.status for d in found(north, Document)] == ["draft", "draft"]
    page.get_by_role("button", name="Issue 1 document").dblclick()
    expect(page.locator("main")).to_contain_text("SET-2026-000001")
    (issued,) = found(north, Document, status="issued")
    assert issued.number == "SET-2026-000001"
    make_files(north.provider.pk, issued.pk)  # as a worker does
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "SET-2026-000001.csv"


def test_terms_are_agreed_in_per_cent(world: World, open_page: OpenPage) -> None:
    north = world.north
    page = open_page(north.finance)
    page.goto(f"/staff/contracts/{north.clients[0].contract.code}/")
    page.get_by_label("Our share, in per cent").fill("12.3456")
    page.get_by_label("Gross: before the pool's fee, which the customer bears").check()
    page.get_by_label("From", exact=False).last.fill("2026-12-01")
    page.get_by_role("button", name="Look at the effect…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 terms change from 1 December 2026")
    page.get_by_role("button", name="Agree these terms from 1 Dec 2026").click()
    expect(page.get_by_role("status").first).to_contain_text("New terms from 1 December 2026 on.")
    expect(page.locator("main")).to_contain_text("Customer 87.6544 %, provider 12.3456 % of the gross reward")


# --- The pool: the web asks, this process works as a worker would


@pytest.fixture
def pool(settings: Any, worker_keys: None) -> Iterator[Sandbox]:
    with start_sandbox("tests", 7) as sandbox:
        settings.WHITEPOOL_BASE_URL = sandbox.base_url
        yield sandbox


def test_a_key_is_pasted_tried_and_read_with(world: World, pool: Sandbox, open_page: OpenPage) -> None:
    north, key = world.north, pool.key("alpha")
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(state="retired")
    page = open_page(north.owner)
    page.goto("/staff/keys/")
    page.get_by_label("WhiteBIT user").fill("alpha")
    page.get_by_label("API key").fill(key.api_key)
    page.get_by_label("Secret").fill(key.secret)
    page.get_by_role("button", name="Seal and try the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A key is being tried")
    assert key.secret not in page.content()
    (stored,) = found(north, Credential, login__name="alpha")
    verification.verify(north.provider.pk, stored.pk, now=timezone.now())
    expect(page.get_by_role("heading", level=1)).to_have_text("The pool key works")  # by itself

    page.goto("/staff/sync/")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reading the pool")
    for run in found(north, SyncRun, state="queued"):
        runner.perform(north.provider.pk, run.pk, now=timezone.now())
    # All that can be: the login of the world's own accounts has no key that works here.
    expect(page.get_by_role("heading", level=1)).to_have_text("1 WhiteBIT user not read")
    expect(page.get_by_role("button", name="Sync now")).to_be_enabled()
    assert {run.state for run in found(north, SyncRun, login__name="alpha")} == {"ok"}


def test_the_page_of_an_account_that_waits_refreshes_itself_round_the_button_that_gives_it_up(
    world: World, open_page: OpenPage
) -> None:
    north = world.north
    with tenancy.access_context(north.system):
        bare = Customer.objects.create(provider=north.provider, name="Cedar", email="c@c.example", created_at=NOW)
        intent = PoolIntent.objects.create(
            provider=north.provider, kind="create_account", state="planned", customer=bare, login=north.login,
            account_name="cedar", created_at=timezone.now() - timedelta(minutes=2),
        )  # fmt: skip

    def tell(**facts: Any) -> None:
        with tenancy.access_context(north.system):
            PoolIntent.objects.filter(pk=intent.pk).update(**facts)

    page = open_page(north.support)
    page.goto(f"/staff/customers/{bare.code}/")
    part, button = page.locator("#account"), page.get_by_role("button", name="Give it up")
    button.focus()
    tell(problem="The pool does not answer.")
    expect(part).to_contain_text("The pool does not answer.")  # by itself
    expect(button).to_be_focused()
    tell(state="called", called_at=timezone.now())
    expect(part).to_contain_text("Looked up at the pool")
    expect(button).to_have_count(0)
    tell(state="planned")
    expect(button).to_be_visible()
    button.click()
    expect(page.get_by_role("status").first).to_contain_text("It is settled. Give the customer another account.")
    expect(part).not_to_have_attribute("hx-get", re.compile(""))


# --- Every page, on a desk and on a phone


def trouble(tenant: Tenant) -> None:
    """The longest names and the worst states at once."""
    long = "Wolverhampton International Digital Asset Infrastructure Holdings & Partners <b>"
    provider, client = tenant.provider, tenant.clients[0]
    with tenancy.access_context(tenant.system):
        Customer.objects.filter(pk=client.customer.pk).update(name=long, external_ref="A reference of a certain length")
        bare = Customer.objects.create(provider=provider, name=long, email=f"{'x' * 60}@x.example", created_at=NOW)
        for state in ("unknown", "disabled"):
            lost = Customer.objects.create(provider=provider, name=state, email="x@x.example", created_at=NOW)
            MiningAccount.objects.create(
                provider=provider, login=login_of(provider), name=f"{state}_{'0123456789' * 5}", state=state,
                customer=lost,
                first_seen_at=NOW, payout_destination="external_address", payout_address="bc1q" + "w508d6qe" * 8,
            )  # fmt: skip
        PoolIntent.objects.create(
            provider=provider, kind="create_account", state="unknown", customer=bare, login=login_of(provider),
            account_name="wanted", created_at=NOW, problem="The pool's answer was lost 3 times. Look at the pool.",
        )  # fmt: skip
        MiningAccount.objects.create(
            provider=provider,
            login=login_of(provider),
            name="stray_" + "0123456789" * 9,
            state="active",
            first_seen_at=NOW,
        )
        Credential.objects.create(
            provider=provider, login=login_of(provider, "a name as long as it may be, " + "x" * 35), state="refused",
            key_digest="d", key_hint="77fe", created_at=NOW, problem="The pool refused the key: paste both again.",
        )  # fmt: skip
        for subject, state in (("hashrate", "partial"), ("payouts", "failed")):
            SyncRun.objects.create(
                provider=provider, login=login_of(provider), subject=subject, state=state, queued_at=NOW,
                started_at=NOW,
                error="1 of 12 accounts could not be read: the pool answers that it knows no such account.",
            )  # fmt: skip
        QuarantinedRecord.objects.create(
            provider=provider, login=login_of(provider), account_name="x" * 100, sync_run=tenant.run, reason="twin",
            fingerprint="f", raw='{"date":1}' * 99, seen_at=NOW,
        )  # fmt: skip
        make_reward(client.account, FIRST_DAY + timedelta(days=4), total="1234.56789012", fee="30.86419725")
        make_reward(client.account, FIRST_DAY + timedelta(days=5), status="canceled")
        make_reward(client.account, FIRST_DAY - timedelta(days=5))
        onboarding.invite(
            tenant.system, email=f"{'y' * 50}@x.example", kind=MemberKind.STAFF, role=Role.FINANCE, now=timezone.now()
        )
        close_period(tenant.system, month=FIRST_DAY, now=NOW)
        PayoutAgreement.objects.create(
            provider=provider, mining_account=client.account, customer=client.customer, source="found",
            destination="external_address", address="bc1q" + "w508d6qe" * 8, agreed_by="worker", agreed_at=NOW,
        )  # fmt: skip
        MiningAccount.objects.filter(pk=client.account.pk).update(payout_drift_since=NOW)
    soon = timezone.now() + timedelta(hours=20)
    for number, (state, ends) in enumerate([("active", soon), ("active", None), ("unknown", None), ("failed", soon)]):
        make_link(
            tenant, client.account, number=number, state=state, live_until=ends, shows_others=not number,
            permissions=["dashboard", "rewards", "workers"], url=f"https://whitebit.com/{'a1b2c3d4' * 20}",
            name="x" * 99, problem="The pool's answer was lost, and the link is not in its list. Look at the pool.",
        )  # fmt: skip


def pages(tenant: Tenant) -> list[str]:
    (draft, *_) = found(tenant, Document)
    customers = [f"/staff/customers/{row.code}/" for row in found(tenant, Customer)]
    first = customers[0]
    contract = tenant.clients[0].contract.code
    listed = [
        "",
        "customers/",
        "customers/new/",
        "contracts/",
        "contracts/new/",
        "rewards/",
        "documents/",
        "alerts/",
        "alerts/rules/",
        "alerts/mails/",
        "sync/",
        "watcher-links/",
        "settings/tokens/",
        "settings/tokens/new/",
    ]
    return [
        *(f"/staff/{name}" for name in [*listed, "keys/", "team/", "documents/issue/?month=2026-10"]),
        *customers,
        f"{first}invite/",
        f"{first}account/",
        f"{first}watcher-links/new/",
        f"/staff/contracts/{contract}/",
        f"/staff/documents/{draft.code}/",
        "/account/sessions/",
    ]


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)])
def test_no_page_scrolls_sideways_or_complains(
    world: World, open_page: OpenPage, size: tuple[int, int], dark: bool
) -> None:
    trouble(world.north)
    alerts.refresh(world.north.provider.pk, now=NOW)
    page = open_page(world.north.owner, size=size, dark=dark)
    for path in pages(world.north):
        answer = page.goto(path)
        assert answer is not None
        assert (path, answer.status, sideways(page)) == (path, 200, [])


def test_a_phone_reaches_every_page_through_the_menu(world: World, open_page: OpenPage) -> None:
    page = open_page(world.north.owner, size=PHONE)
    page.goto("/staff/")
    page.get_by_role("button", name="More").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Team").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 people on the team")
    page.get_by_role("button", name="Remove: owner@north.example").click()
    page.get_by_role("button", name="Remove from the team").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Owner is the only owner left.")


# --- Watcher links and payouts


def test_a_link_for_ever_is_issued_after_its_own_page_and_copied_once_it_is_there(
    world: World, pool: Sandbox, open_page: OpenPage
) -> None:
    north, key = world.north, pool.key("alpha")
    customer = hosted(north, key)
    page = open_page(north.owner)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/staff/customers/{customer.code}/")
    page.get_by_role("link", name="Issue a link").click()
    page.get_by_label("Rewards").check()
    page.get_by_label("For ever").check()
    page.get_by_role("button", name="Issue the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A link to Cedar that never ends")
    assert found(north, WatcherLink) == []
    page.get_by_role("button", name="Issue it for ever").click()
    links = page.locator("#links")
    expect(links).to_contain_text("Being made")
    (intent,) = found(north, PoolIntent, kind="create_link")
    intents.settle_intent(north.provider.pk, intent.pk, now=timezone.now())
    expect(links).to_contain_text("never ends")  # by itself
    (link,) = found(north, WatcherLink)
    links.get_by_role("button", name="Copy").click()
    expect(page.locator(".toast")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == link.url


def hosted(tenant: Tenant, key: Any) -> Customer:
    """A customer whose account is at the sandbox, with a key that works."""
    with tenancy.access_context(tenant.system):
        Credential.objects.filter(pk=tenant.credential.pk).update(state="retired")
        credential = key_store.paste_key(
            tenant.owner.access, login_name="alpha", api_key=key.api_key, secret=key.secret, now=timezone.now()
        )
    verification.verify(tenant.provider.pk, credential.pk, now=timezone.now())
    run_sync(tenant, Subject.ACCOUNTS)
    with tenancy.access_context(tenant.system):
        account = MiningAccount.objects.filter(login__name="alpha").order_by("pk").first()
        assert account is not None
        return accounts.onboard_customer(
            tenant.owner.access,
            name="Cedar",
            email="c@c.example",
            account_name=account.name,
            adopt=True,
            login=account.login,
            now=timezone.now(),
        )


def run_sync(tenant: Tenant, subject: Subject) -> None:
    with tenancy.access_context(tenant.system):
        planner.request_sync(tenant.owner.access, only=subject, now=timezone.now())
    for run in found(tenant, SyncRun, state="queued"):
        runner.perform(tenant.provider.pk, run.pk, now=timezone.now())


def test_a_payout_address_is_accepted_after_the_second_factor(world: World, open_page: OpenPage) -> None:
    north, client = world.north, world.north.clients[0]
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=client.account.pk).update(
            payout_destination="external_address",
            payout_address="3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            payout_drift_since=timezone.now(),
        )
    page = open_page(north.finance, fresh=False)
    page.goto(f"/staff/customers/{client.customer.code}/")
    page.get_by_role("link", name="Accept what the pool says…").click()
    page.get_by_label("Code from your second factor").fill(code_for(secret_of(north.finance)))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Accept this address for Alder & Finch?")
    copied = page.locator("main .address").evaluate(
        "(address) => { getSelection().selectAllChildren(address); return getSelection().toString(); }"
    )
    assert copied == "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
    page.get_by_role("button", name="Accept this address").dblclick()
    expect(page.locator("main")).not_to_contain_text("The pool pays elsewhere")
    assert [row.address for row in found(north, PayoutAgreement)] == [copied]
