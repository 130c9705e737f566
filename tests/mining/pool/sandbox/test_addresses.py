import pytest

from mining.pool.sandbox.addresses import is_address, make_address

# The published examples of BIP-173 and BIP-350 (main network), and two base58 addresses known to everybody.
VALID = [
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
]
INVALID = [
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "bc1gmk9yu",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8f3t4",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0",
    "",
    "bc1",
]


@pytest.mark.parametrize("address", VALID)
def test_a_valid_address_is_one(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize("address", INVALID)
def test_an_invalid_address_is_none(address: str) -> None:
    assert not is_address(address)


def test_made_addresses_are_valid_and_of_every_kind() -> None:
    made = [make_address(bytes([seed]) * 32 + bytes([seed])) for seed in range(64)]
    assert all(map(is_address, made))
    assert {address[:4] if address.startswith("bc1") else address[0] for address in made} == {"1", "3", "bc1p", "bc1q"}


def test_a_made_address_with_one_other_character_is_invalid() -> None:
    address = make_address(bytes(range(33)))
    for place in range(4, len(address)):
        other = "q" if address[place] != "q" else "p"
        assert not is_address(address[:place] + other + address[place + 1 :])
