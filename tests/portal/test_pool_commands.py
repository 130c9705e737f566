"""The commands that speak to the pool: a key stored and verified, then everything read, in the foreground."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers import onboarding, tenancy
from customers.models import Provider
from mining.models import MiningAccount
from mining.rewards import rereading
from mining.rewards import sync as reward_sync
from tests.sandbox import Sandbox, start_sandbox


@pytest.fixture
def whitepool(settings: Any, worker_keys: None, transactional_db: None) -> Iterator[Sandbox]:
    with start_sandbox("tests", 7) as sandbox:
        settings.WHITEPOOL_BASE_URL = sandbox.base_url
        onboarding.create_provider(slug="north", name="North", now=timezone.now())
        yield sandbox


def store_key(whitepool: Sandbox, secret_file: Path) -> None:
    key = whitepool.key("alpha")
    secret_file.write_text(key.secret)
    call_command(
        "provider", "credential", slug="north", label="Main", api_key=key.api_key, secret_file=str(secret_file)
    )


def test_a_key_is_stored_and_read_with_and_both_say_its_login(
    whitepool: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_key(whitepool, tmp_path / "secret")
    assert capsys.readouterr().out.endswith("is sealed, verified and active for the login Main.\n")

    call_command("sync", provider="north", only="accounts")
    assert capsys.readouterr().out.startswith("Main  accounts: ok, ")


def test_the_command_says_how_many_accounts_are_read_again(
    whitepool: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_key(whitepool, tmp_path / "secret")
    call_command("sync", provider="north", only="rewards")
    provider = Provider.objects.get()
    with tenancy.provider_context(provider.pk):
        rereading.ask(MiningAccount.objects.filter(provider=provider), now=timezone.now())
    monkeypatch.setattr(reward_sync, "BY_NAME_FOR", timedelta(0))
    capsys.readouterr()

    call_command("sync", provider="north", only="rewards")

    assert "Rewards read again from the first one on: 0 of 3 accounts." in capsys.readouterr().out


def test_a_provider_without_a_key_is_told_so(whitepool: Sandbox) -> None:
    with pytest.raises(CommandError, match="There is no active pool key"):
        call_command("sync", provider="north")
