"""Sync: the web asks, workers read, and the page says how far it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from customers import tenancy
from mining.models import Credential, MiningAccount, QuarantinedRecord, SyncRun
from tests.logins import login_of
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db

PAGE, NOW_URL = "/staff/sync/", "/staff/sync/now/"


def test_sync_now_queues_one_run_for_each_subject_and_twice_is_harmless(
    north: Tenant, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("celery.Celery.send_task", lambda _app, name, **_kwargs: sent.append(name))
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            answer = north.support.browser().post(NOW_URL, north.support.form())
        assert answer["Location"] == PAGE
    queued = [run.subject for run in rows(north, SyncRun, state="queued")]
    assert sorted(queued) == ["accounts", "hashrate", "payouts", "rewards", "watchers", "workers"]
    assert set(sent) == {"mining.tasks.run_asked_sync"}


def test_the_page_polls_a_fragment_only_while_something_is_under_way(north: Tenant) -> None:
    browser = north.support.browser()
    assert "hx-trigger" not in browser.get(PAGE).content.decode()
    browser.post(NOW_URL, north.support.form())
    page = browser.get(PAGE)
    assert heading(page) == "Reading the pool"
    part = browser.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<div")
    assert 'hx-trigger="every 2s"' in part
    assert "disabled" in part
    with tenancy.access_context(north.system):
        SyncRun.objects.filter(provider=north.provider).update(state="ok", started_at=NOW, finished_at=NOW)
    done = browser.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in done
    assert "Everything is read" in done


WHY = "The pool refused the key of {} (last tried on 3 Nov 2026)"


def test_without_a_key_sync_now_says_what_to_do(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(
            state="refused", problem="Wrong signature.", checked_at=NOW - timedelta(days=1)
        )
    answer = north.support.browser().post(NOW_URL, north.support.form(), follow=True)
    told = text(answer).count(WHY.format("main"))
    assert (heading(answer), told) == ("1 WhiteBIT user not read", 2)  # message and page
    assert len(rows(north, SyncRun)) == 1


def test_a_login_that_is_not_read_is_told_once_and_not_beside_each_reading(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(state="refused")
        for subject in ("hashrate", "workers"):
            SyncRun.objects.create(
                provider=north.provider, login=north.login, subject=subject, state="failed", error="Switched off.",
                queued_at=NOW, started_at=NOW, finished_at=NOW,
            )  # fmt: skip
    answer = north.support.browser().get(PAGE)
    assert [(row.name, row.error) for row in answer.context["readings"]] == [
        ("Rewards", ""),
        ("Hashrate", ""),
        ("Machines", ""),
    ]
    assert text(answer).count("Switched off.") == 2  # of the two runs


def test_sync_now_says_which_login_it_does_not_read_and_why(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.create(
            provider=north.provider, login=login_of(north.provider, "second"), state="refused", key_digest="2",
            key_hint="x", created_at=NOW,
            checked_at=NOW - timedelta(days=1),
        )  # fmt: skip
    answer = north.support.browser().post(NOW_URL, north.support.form(), follow=True)
    assert f"this page shows how far it is. {WHY.format('second')}" in text(answer)
    assert {run.login_id for run in rows(north, SyncRun, state="queued")} == {north.login.pk}


def test_the_auditor_may_look_and_not_ask(north: Tenant) -> None:
    assert "Sync now" not in text(north.auditor.browser().get(PAGE))
    assert north.auditor.browser().post(NOW_URL, north.auditor.form()).status_code == 403


def test_failed_and_partial_runs_say_why(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        for subject, state, error in (
            ("hashrate", "failed", "The pool did not answer."),
            ("workers", "partial", "1 of 2 accounts could not be read."),
        ):
            SyncRun.objects.create(
                provider=north.provider, login=north.login, subject=subject, state=state, error=error, queued_at=NOW,
                started_at=NOW, finished_at=NOW, calls=1234,
            )  # fmt: skip
    answer = north.owner.browser().get(PAGE)
    assert heading(answer) == "1 reading failed"
    words = text(answer)
    assert "Hashrate main Failed just now The pool did not answer. just now 1,234 0 0 0" in words
    assert "Machines main Partial just now 1 of 2 accounts could not be read." in words


def test_quarantined_records_and_unassigned_accounts_are_shown_only_to_their_own(world: World) -> None:
    for tenant in (world.north, world.south):
        with tenancy.access_context(tenant.system):
            MiningAccount.objects.create(
                provider=tenant.provider, login=tenant.login, name=f"stray_{tenant.provider.slug}", state="active",
                first_seen_at=NOW,
            )  # fmt: skip
            for reason in ("twin", "reward: too_long"):
                QuarantinedRecord.objects.create(
                    provider=tenant.provider, login=tenant.login, account_name="client_0", sync_run=tenant.run,
                    reason=reason, fingerprint=tenant.provider.slug, raw=f'{{"of": "{tenant.provider.slug}"}}',
                    seen_at=NOW,
                )  # fmt: skip
    words = text(world.north.owner.browser().get(PAGE))
    assert "stray_north" in words
    assert "A second record exactly like another one: the first counts client_0 at main" in words
    assert "A record that could not be read (reward: too long)" in words
    assert '{"of": "north"}' in words
    assert "stray_south" not in words
    assert '{"of": "south"}' not in words


def test_runs_are_paged_and_the_neighbours_run_is_no_place(world: World) -> None:
    browser = world.north.owner.browser()
    assert browser.get(PAGE, {"after": world.south.run.code}).status_code == 404
    assert browser.get(PAGE, {"after": world.north.run.code}).status_code == 200
    with tenancy.access_context(world.north.system):
        for _ in range(25):
            SyncRun.objects.create(
                provider=world.north.provider, login=world.north.login, subject="rewards", state="ok", queued_at=NOW,
                started_at=NOW, finished_at=NOW,
            )  # fmt: skip
    first = browser.get(PAGE)
    second = browser.get(PAGE, {"after": first.context["after"]})
    assert (len(first.context["runs"]), len(second.context["runs"])) == (20, 6)
    assert reverse("staff:sync_now") in first.content.decode()
