"""The WhiteBIT users whose pool keys were pasted. No endpoint of the pool names them: they are rows of ours."""

from functools import partial

from django.db import models
from django.db.models.functions import Lower

from customers.codes import new_code
from customers.models import TenantModel

LONGEST_NAME = 64


class PoolLogin(TenantModel):
    """Keys of one login replace each other; its accounts, runs, quarantined records and intents point at it.

    The name is the provider's own (NFC, trimmed), can be changed, and is told apart by its letters, not by capitals.
    """

    code = models.CharField(max_length=32, default=partial(new_code, "lgn"), editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_login_code"),
            models.UniqueConstraint("provider", Lower("name"), name="mining_login_name"),
        ]

    def __str__(self) -> str:
        return self.name
