"""What a document leaves out, and a person issues it all the same."""

from django.db import models

from billing.models.documents import Document
from customers.models import Customer, TenantModel


class OmissionPass(TenantModel):
    """For this document and this cause only: a new cause holds the document again. Append-only."""

    document = models.ForeignKey(Document, models.PROTECT, db_constraint=False, db_index=False, related_name="passes")
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    cause = models.CharField(max_length=255)  # as billing_omissions names it (omissions.sql)
    note = models.CharField(max_length=500)
    passed_by = models.CharField(max_length=254)  # as the audit names people and programs
    passed_at = models.DateTimeField()

    customer_field = "customer"
    append_only = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "document", "cause"], name="billing_omission_pass_once"),
        ]
        indexes = [models.Index(fields=["provider", "customer", "cause"], name="billing_omission_pass_cause")]
