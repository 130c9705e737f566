"""Rotation of the sealing key: open with the old private key, seal with the first public one, row by row."""

from django.conf import settings

from customers import tenancy
from customers.sealing import seal, unseal
from mining.models import Credential

FIELDS = ("api_key", "secret")


def reseal(provider_id: int) -> int:
    """Seal this provider's credentials with the newest key; how many rows changed.

    Resumable: a row is done when its sealed values name the newest key, and each row is its own transaction.
    """
    newest = next(iter(settings.POOL_SEALING_PUBLIC_KEYS))
    with tenancy.provider_context(provider_id):
        # A retired key has been emptied: there is nothing to seal.
        kept = Credential.objects.filter(provider=provider_id).exclude(state=Credential.State.RETIRED)
        due = [c.pk for c in kept.order_by("pk") if not _sealed_with(c, newest)]
    return sum(_reseal_one(provider_id, pk, newest) for pk in due)


def _sealed_with(credential: Credential, key_id: str) -> bool:
    return all(getattr(credential, f"sealed_{field}").startswith(f"{key_id}:") for field in FIELDS)


def _reseal_one(provider_id: int, pk: int, newest: str) -> bool:
    with tenancy.provider_context(provider_id):
        # Locked, or a key pasted at this moment could be overwritten by its former self.
        credential = Credential.objects.select_for_update().select_related("provider").filter(pk=pk).first()
        if credential is None or not credential.sealed_secret or _sealed_with(credential, newest):
            return False
        for field in FIELDS:
            place = credential.place(field)
            opened = unseal(getattr(credential, f"sealed_{field}"), place)
            setattr(credential, f"sealed_{field}", seal(opened.reveal(), place))
        credential.save(update_fields=[f"sealed_{field}" for field in FIELDS])
    return True
