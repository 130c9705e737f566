"""Documents too small to issue: their balance is carried to the next month, as the contract's minimum says.

A carried document gets no number and posts nothing. Its lines count as not billed, so that the next close bills them
again, whatever they are worth then.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from billing.models import Document
from customers.tenancy import Access

# The minimum of the period's last day. Who leaves is paid out to the last satoshi: the customer is closed, no terms
# hold on the day after, or a person says so (a customer is closed once all is issued: somebody has to say it first).
BELOW = """
SELECT d.id, v.minimum_sat
FROM billing_document d
JOIN customers_customer c ON c.provider_id = d.provider_id AND c.id = d.customer_id AND c.status = 'active'
JOIN billing_contractversion v ON v.provider_id = d.provider_id AND v.contract_id = d.contract_id
    AND v.withdrawn_at IS NULL AND v.valid @> upper(d.period) - 1
WHERE d.provider_id = %s AND d.id = ANY (%s) AND abs(d.balance_sat) < v.minimum_sat
    AND EXISTS (
        SELECT 1 FROM billing_contractversion n
        WHERE n.provider_id = d.provider_id AND n.contract_id = d.contract_id AND n.withdrawn_at IS NULL
            AND n.valid @> upper(d.period)
    )
"""


def below(access: Access, drafts: Iterable[Document]) -> dict[int, int]:
    """Those of these drafts that are below their minimum, by primary key, with it. One query."""
    with connection.cursor() as cursor:
        cursor.execute(BELOW, [access.provider.pk, [draft.pk for draft in drafts]])
        return dict(cursor.fetchall())
