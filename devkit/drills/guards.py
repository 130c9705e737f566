"""What the database must refuse, tried where something was restored. Each act is rolled back, refused or not."""

from collections.abc import Iterator

import psycopg

Session = psycopg.Connection[tuple[object, ...]]

# As the runtime role, inside the tenant's context: what is tried, and the words of the refusal.
REFUSED = {
    "an issued document is changed": (
        "UPDATE billing_document SET balance_sat = balance_sat + 1 WHERE status = 'issued'",
        "is issued and does not change",
    ),
    "a number is skipped": (
        "UPDATE billing_documentseries SET last_sequence = last_sequence + 2",
        "goes from",
    ),
    "two balanced legs are added to an old transaction": (
        "INSERT INTO billing_journalentry (provider_id, tx_id, account_id, asset, amount_sat, legs, leg)"
        " SELECT e.provider_id, e.tx_id, e.account_id, e.asset, sign, e.legs + 2, e.legs + n"
        " FROM billing_journalentry e, (VALUES (1, 5), (2, -5)) AS more (n, sign) WHERE e.leg = 1",
        "billing_entry_header_legs",
    ),
    "a leg is put in another one's place": (
        "INSERT INTO billing_journalentry (provider_id, tx_id, account_id, asset, amount_sat, legs, leg)"
        " SELECT provider_id, tx_id, account_id, asset, 5, legs, leg FROM billing_journalentry",
        "billing_entry_leg_once",
    ),
    "the journal is deleted": ("DELETE FROM billing_journaltx", "permission denied"),
    "a table is emptied": ("TRUNCATE billing_documentline", "permission denied"),
    "another provider's row is written": (
        "INSERT INTO billing_documentseries (provider_id, series, last_sequence) VALUES"
        " (current_setting('portal.provider')::bigint + 1, 'X', 0)",
        "violates row-level security policy",
    ),
    "a large object is made": ("SELECT lo_create(0)", "permission denied"),
}
OWNER_REFUSED = {"the owner changes the journal": ("UPDATE billing_journaltx SET posted_at = now()", "is append-only")}


def faults(runtime: Session, owner: Session) -> Iterator[str]:
    """What was done though it must not be. Sessions are not in autocommit."""
    ((provider,),) = owner.execute("SELECT min(provider_id) FROM billing_journaltx").fetchall()
    owner.rollback()
    if provider is None:
        yield "There is no posted document to try the guards on."
        return
    for context, wanted in (("", False), (str(provider), True), (str(int(str(provider)) + 1), False)):
        ((seen,),) = _in_context(runtime, context).execute("SELECT EXISTS (SELECT FROM billing_document)").fetchall()
        runtime.rollback()
        if seen is not wanted:
            yield f"In the context {context!r} documents are {'seen' if seen else 'not seen'}."
    for what, (statement, words) in REFUSED.items():
        yield from _tried(_in_context(runtime, str(provider)), what, statement, words)
    for what, (statement, words) in OWNER_REFUSED.items():
        yield from _tried(owner, what, statement, words)


def _in_context(session: Session, provider: str) -> Session:
    session.execute(
        "SELECT set_config('portal.provider', %s, true), set_config('portal.customer', '*', true)", [provider]
    )
    return session


def _tried(session: Session, what: str, statement: str, words: str) -> Iterator[str]:
    try:
        session.execute(statement)
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        if words not in str(error):
            yield f"Where {what}, the refusal is another: {error}"
    else:
        yield f"It was not refused that {what}."
    finally:
        session.rollback()
