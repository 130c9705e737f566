"""A bad neighbour and the others' data age: `python -m devkit.benchmarks.neighbour_speed [SECONDS]` for each case.

Ten providers are read again and again by four workers that take runs from one line, as Celery does. The runs, keys,
turns and breakers are the product's own; so are the calls, to the sandbox. The data's age is the time from a provider's
run being queued to its end. Everybody's calls go at a third of the real rate, or the processor of a small machine
would be what is measured.
"""

from __future__ import annotations

import base64
import logging
import multiprocessing
import os
import queue
import secrets
import statistics
import sys
import time
from collections import defaultdict
from functools import partial
from typing import Any

import django
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import call_command

from devkit import servers
from tests.mining.pool.transport.raw_server import raw_server
from tests.sandbox import Sandbox, start_sandbox

PROVIDERS, ACCOUNTS, WORKERS = 10, 40, 4
RATE, BURST = 30.0, 15
SPAWN = multiprocessing.get_context("spawn")
CASES = ("none is bad", "one has ten times the accounts", "one has a dead key", "one gets no answers for 15 s")

Run = tuple[int, int, float]  # provider, run, when it was queued first


def set_up_django() -> None:
    django.setup()
    logging.disable(logging.CRITICAL)  # figures only


def work(line: Any, ages: Any, ends_at: float, silent: dict[int, str]) -> None:
    """One worker: take a run, do a turn of it, put it back; when it is done, queue the provider's next."""
    set_up_django()
    from django.utils import timezone

    from mining import runner
    from mining.keys import store as key_store
    from mining.models import SyncRun
    from mining.pool.client import PoolClient

    def client(**given: Any) -> PoolClient:
        given["base_url"] = silent.get(int(given["party"]), given["base_url"])
        return PoolClient(**given, calls_per_second=RATE, burst_calls=BURST)

    vars(key_store)["PoolClient"] = client
    while time.time() < ends_at:
        try:
            provider_id, run_id, queued_at = line.get(timeout=0.5)
        except queue.Empty:
            continue
        run = runner.perform(provider_id, run_id, now=timezone.now())
        if run is not None and run.state == SyncRun.State.QUEUED:
            line.put((provider_id, run_id, queued_at))
            continue
        ages.put((provider_id, time.time() - queued_at))
        line.put(next_run(provider_id))


def next_run(provider_id: int) -> Run:
    from django.utils import timezone

    from customers import tenancy
    from mining import runs
    from mining.models import PoolLogin
    from mining.models.runs import Subject

    with tenancy.provider_context(provider_id):
        login = PoolLogin.objects.get(provider=provider_id)
        run, _ = runs.open_run(provider_id, login.pk, Subject.WORKERS, now=timezone.now())
    return provider_id, run.pk, time.time()


def make_provider(sandbox: Sandbox, number: int, names: list[str]) -> tuple[int, str]:
    """A provider with a verified key of its own and so many accounts; its id and API key."""
    from django.utils import timezone

    from customers import onboarding, tenancy
    from mining.keys import store as key_store
    from mining.keys import verification
    from mining.models import MiningAccount

    now = timezone.now()
    access = onboarding.create_provider(slug=f"provider-{number}", name=f"Provider {number}", now=now)
    pasted = sandbox.edit("add_key", login="colossus")
    with tenancy.access_context(access):
        credential = key_store.paste_key(
            access, login_name="main", api_key=pasted["api_key"], secret=pasted["secret"], now=now
        )
    verification.verify(access.provider.pk, credential.pk, now=now)
    with tenancy.access_context(access):
        MiningAccount.objects.bulk_create(
            MiningAccount(
                provider=access.provider,
                login=credential.login,
                name=name,
                state=MiningAccount.State.ACTIVE,
                first_seen_at=now,
            )
            for name in names
        )
    return access.provider.pk, pasted["api_key"]


def measure(case: str, sandbox: Sandbox, providers: dict[int, str], big: int, seconds: float) -> float:
    """The typical age of the good providers' data, in seconds."""
    bad = next(iter(providers))
    chosen = [big if case == CASES[1] else bad, *list(providers)[1:]]
    line, ages = SPAWN.Queue(), SPAWN.Queue()
    sandbox.edit("set_key", api_key=providers[bad], enabled=case != CASES[2])
    with raw_server(lambda _connection: time.sleep(20)) as silence:
        silent = {bad: silence.base_url} if case == CASES[3] else {}
        for provider_id in chosen:
            line.put(next_run(provider_id))
        ends_at = time.time() + seconds
        workers = [SPAWN.Process(target=work, args=(line, ages, ends_at, silent)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        found: dict[int, list[float]] = defaultdict(list)
        while any(worker.is_alive() for worker in workers) or not ages.empty():
            try:
                provider_id, age = ages.get(timeout=0.5)
            except queue.Empty:
                continue
            found[provider_id].append(age)
    # The first pass of each began with a full burst and all at once.
    return statistics.median(age for provider_id in chosen[1:] for age in found[provider_id][1:])


def run_cases(seconds: float) -> None:
    set_up_django()
    call_command("migrate", verbosity=0, interactive=False)
    with start_sandbox("large", 7) as sandbox:
        os.environ["WHITEPOOL_BASE_URL"] = sandbox.base_url
        from django.conf import settings

        settings.WHITEPOOL_BASE_URL = sandbox.base_url
        names = [account["name"] for account in sandbox.truth()["users"][0]["accounts"]]
        make = partial(make_provider, sandbox)
        providers = dict(make(number, names[:ACCOUNTS]) for number in range(PROVIDERS))
        big, _ = make(PROVIDERS, names[: 10 * ACCOUNTS])
        alone = None
        for case in CASES:
            age = measure(case, sandbox, providers, big, seconds)
            alone = alone or age
            print(f"{case:<32} the others' data is {age:6.1f} s old, {age / alone:4.2f} of the first", flush=True)


def main(seconds: float = 90.0) -> None:
    with servers.running(None) as addresses:
        key = X25519PrivateKey.generate()
        private, public = (
            base64.urlsafe_b64encode(raw).decode().rstrip("=")
            for raw in (key.private_bytes_raw(), key.public_key().public_bytes_raw())
        )
        os.environ.update(addresses)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PORTAL_MODE": "test",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "POOL_SEALING_PUBLIC_KEYS": f"bench:{public}",
            "POOL_SEALING_PRIVATE_KEYS": f"bench:{private}",
        }
        run_cases(seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 90.0)
