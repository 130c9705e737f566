from devkit.sandbox.addresses import is_address, make_address


def test_made_addresses_are_valid_and_of_every_kind() -> None:
    made = [make_address(bytes([seed]) * 32 + bytes([seed])) for seed in range(64)]
    assert all(map(is_address, made))
    assert {address[:4] if address.startswith("bc1") else address[0] for address in made} == {"1", "3", "bc1p", "bc1q"}


def test_made_addresses_stay_what_they_were() -> None:
    """Worlds are made anew from their seed: an address may not change under a history that was billed."""
    made = [make_address(bytes([seed]) * 32 + bytes([seed])) for seed in range(4)]
    assert made == [
        "1111111111111111111114oLvT2",
        "31nKoVLBc2BXUeKQKhnimyrt9DD12VwG6p",
        "bc1pqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqfy7ys3",
        "bc1qqvpsxqcrqvpsxqcrqvpsxqcrqvpsxqcr5ac3gx",
    ]
