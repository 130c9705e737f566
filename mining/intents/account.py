"""An account for a customer: created at the pool, or taken over from there."""

from __future__ import annotations

from datetime import datetime, timedelta

from customers.tenancy import TenantQuerySet
from mining.errors import name_taken
from mining.intents.base import Act, Done, Impossible, Nothing, Unclear
from mining.intents.timing import ACTS_WITHIN, CLOCKS_DIFFER
from mining.models import MiningAccount, PoolIntent, Reward
from mining.pool.answers.types import PoolAccount
from mining.pool.client import PoolClient
from mining.pool.errors import RequestRefused

Seen = PoolAccount | None


class AccountAct(Act[Seen, PoolAccount]):
    goes_out_within = timedelta(hours=1)
    decided_by = "onboard"
    not_there = "A person found no account of ours at the pool."
    answer_if_ours = "It is being taken over."
    answer_if_not = "It is settled. Give the customer another account."

    def look(self, pool: PoolClient) -> Seen:
        name = self.intent.account_name
        return pool.find_account(name)

    def refused(self, refusal: RequestRefused) -> str:
        return refusal.sentence

    def keep(self, thing: PoolAccount, *, now: datetime) -> None:
        self._placeholder().update(state=MiningAccount.State.ACTIVE, created_at_pool=thing.created_at)

    def drop(self, problem: str, *, now: datetime) -> None:
        """Delete the row of the account that was not made, so that the customer can have another."""
        placeholder = self._placeholder()
        PoolIntent.objects.filter(provider=self.intent.provider_id, pk=self.intent.pk).update(mining_account=None)
        placeholder.delete()

    def doubts_failure(self) -> str | None:
        rewards = Reward.objects.filter(provider=self.intent.provider_id, mining_account__in=self._placeholder())
        if not rewards.exists():
            return None
        return f"But rewards have come in for {self.intent.account_name!r}: look whose account it is."

    def believe(self, *, now: datetime) -> None:
        """The account is taken over, as by an adoption."""
        intent = self.intent
        intent.kind, intent.state, intent.problem = PoolIntent.Kind.ADOPT_ACCOUNT, PoolIntent.State.PLANNED, ""
        # What a person has found is looked up however late that gets: `overdue` leaves out what has this moment.
        intent.called_at = intent.called_at or now

    def _placeholder(self) -> TenantQuerySet[MiningAccount]:
        account = self.intent.mining_account
        return MiningAccount.objects.filter(
            provider=self.intent.provider_id, pk=account.pk if account else 0, state=MiningAccount.State.CREATING
        )


class AccountCreation(AccountAct):
    kind = PoolIntent.Kind.CREATE_ACCOUNT
    endpoint = "accounts/create"
    question = "the account was created"
    stuck = "the mining account is not created yet"
    in_doubt = "was the mining account created?"

    def before(self, seen: Seen) -> Impossible | None:
        """An account that was there before our call is not ours."""
        return None if seen is None else Impossible(str(name_taken(self.intent.account_name, self.intent.login.name)))

    def call(self, pool: PoolClient) -> PoolAccount:
        return pool.create_account(self.intent.account_name)

    def after(self, seen: Seen, *, looked_at: datetime) -> Done[PoolAccount] | Nothing | Unclear:
        name = self.intent.account_name
        if seen is None:
            return Nothing(f"but it has made no account {name!r}. Nothing was done: ask for it again.")
        if not self._made_by_our_call(seen.created_at):
            return Unclear(f"The account {name!r} at the pool was not made when we asked for it. Look whose it is.")
        return Done(seen)

    def _made_by_our_call(self, created_at: datetime | None) -> bool:
        """By its time. Before: the list lags, so that what somebody else made just then had looked like a free name.
        After: our call was lost, and somebody else took the name since."""
        called_at = self.intent.called_at
        if called_at is None or created_at is None:
            return False
        return called_at - CLOCKS_DIFFER <= created_at <= called_at + ACTS_WITHIN

    def refused(self, refusal: RequestRefused) -> str:
        if "name" in refusal.fields:
            return str(name_taken(self.intent.account_name, self.intent.login.name))
        if any("maxAccounts" in word for words in refusal.fields.values() for word in words):
            return f"The login {self.intent.login.name!r} has as many accounts as the pool allows."
        return refusal.sentence


class AccountAdoption(AccountAct):
    """Take over an account that is at the pool already: no call is made."""

    kind = PoolIntent.Kind.ADOPT_ACCOUNT
    endpoint = ""
    question = "the account is there"
    stuck = "the mining account is not taken over yet"
    in_doubt = "is the mining account there?"

    def look(self, pool: PoolClient) -> Seen:
        """Asked again before it is believed that there is none: one empty answer of a pool in trouble proves nothing,
        and would take the account from the customer."""
        return super().look(pool) or super().look(pool)

    def before(self, seen: Seen) -> Done[PoolAccount] | Impossible:
        return Done(seen) if seen is not None else Impossible(self._missing())

    def after(self, seen: Seen, *, looked_at: datetime) -> Done[PoolAccount] | Nothing:
        return Done(seen) if seen is not None else Nothing(f"and now: {self._missing()}")

    def call(self, pool: PoolClient) -> PoolAccount:
        raise NotImplementedError("An account is taken over without a call.")

    def _missing(self) -> str:
        intent = self.intent
        return f"There is no account {intent.account_name!r} at {intent.login.name!r}. Check the name: capitals count."
