"""Codes are the names that rows carry outside the database: in addresses, the API and events."""

import secrets

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 base32, lower case
CODE_LENGTH = 20  # 100 bits: nobody guesses one, and two never meet


def new_code(prefix: str) -> str:
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
