"""The vectors of BIP-173 and BIP-350, and the base58check ones that Bitcoin Core publishes."""

import pytest

from mining.pool.addresses import is_same, problem_of, segwit

# BIP-350, which replaced BIP-173's own list: there, versions above 0 still had the checksum of version 0.
VALID_SEGWIT = [
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", 0, "751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        1,
        "751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("BC1SW50QGDZ25J", 16, "751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", 2, "751e76e8199196d454941c45d1b3a323"),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        1,
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    # The examples of BIP-173.
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0, "751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
        0,
        "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
]
# Good by the standards, of a network that we do not pay on.
VALID_ELSEWHERE = [
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "mo9ncXisMeAoXwqcV5EWuyncbmCcQN4rVs",
    "n3ZddxzLvAY9o7184TB4c6FJasAybsw4HZ",
    "myoqcgYiehufrsnnkqdqbp69dddVDMopJu",
    "2N2JD6wb56AfK4tfmM6PwdVmoYk2dCKf4Br",
    "2MxgPqX1iThW3oZVk9KoFcE5M4JpiETssVN",
    "2NEWDzHWwY5ZZp8CQWbB7ouNMLqCia6YRda",
]
INVALID_SEGWIT = [
    # BIP-350
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
    "bc1gmk9yu",
    # BIP-173
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    # BIP-173's valid ones of later versions: BIP-350 took them back.
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
    "BC1SW50QA3JX3S",
    "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
]
VALID_BASE58 = [
    "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62i",
    "3CMNFxN1oHBc4R1EpboAL5yzHGgE611Xou",
    "1Ax4gZtb7gAit2TivwejZHYtNNLT18PUXJ",
    "3QjYXhTkvuj8qPaXHTTWb5wjXhdsLAAWVy",
    "1C5bSj1iEGUgSTbziymG7Cn18ENQuT36vv",
    "3AnNxabYGoTxYiTEZwFEnerUoeFXK2Zoks",
    "13p1ijLwsnrcuyqcTvJXkq2ASdXqcnEBLE",
    "3ALJH9Y951VCGcVZYAdpA3KchoP9McEj1G",
    "1111111111111111111114oLvT2",
]
INVALID_BASE58 = [
    "x",
    "37qgekLpCCHrQuSjvX3fs496FWTGsHFHizjJAs6NPcR47aefnnCWECAhHV6E3g4YN7u7Yuwod5Y",
    "dzb7VV1Ui55BARxv7ATxAtCUeJsANKovDGWFVgpTbhq9gvPqP3yv",
    "MuNu7ZAEDFiHthiunm7dPjwKqrVNCM3mAz6rP9zFveQu14YA8CxExSJTHcVP9DErn6u84E6Ej7S",
    "17QpPprjeg69fW1DV8DcYYCKvWjYhXvWkov6MJ1iTTvMFj6weAqW7wybZeH57WTNxXVCRH4veVs",
    "31QQ7ZMLkScDiB4VyZjuptr7AEc9j1SjstF7pRoLhHTGkW4Q2y9XELobQmhhWxeRvqcukGd1XCq",
    "461QQ2sYWxU7H2PV4oBwJGNch8XVTYYbZxU",
    "dB7cwYdcPSgiyAwKWL3JwCVwSk6epU2txw",
    "4ctAH6AkHzq5ioiM1m9T3E2hiYEev5mTsB",
    "2mbZwFXF6cxShaCo2czTRB62WTx9LxhTtpP",
    "1Gm3N3rkef6iMbx4voBzaxtXcmmiMTqZPhcuAepRzYUJQW4qRpEnHvMojzof42hjFRf8PE2jPde",
    # An address that everybody knows, spelled wrongly: another last character, one 1 more, one not of the alphabet.
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0",
]
KNOWN, KNOWN_SEGWIT = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


@pytest.mark.parametrize(("address", "version", "program"), VALID_SEGWIT)
def test_a_segwit_address_is_good_and_made_from_what_it_stands_for(address: str, version: int, program: str) -> None:
    assert problem_of(address) is None
    assert segwit(version, bytes.fromhex(program)) == address.lower()


@pytest.mark.parametrize("address", VALID_BASE58)
def test_a_legacy_address_is_good(address: str) -> None:
    assert problem_of(address) is None


@pytest.mark.parametrize("address", VALID_ELSEWHERE)
def test_an_address_of_another_network_is_refused_as_such(address: str) -> None:
    assert "test network" in (problem_of(address) or "")


@pytest.mark.parametrize("address", [*INVALID_SEGWIT, *INVALID_BASE58])
def test_an_invalid_address_is_refused(address: str) -> None:
    assert problem_of(address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "empty"),
        ("1", "1 characters long"),
        ("bc1", "3 characters long"),
        ("bc1q" * 30, "120 characters long"),
        (f" {KNOWN}", "space or line break"),
        (f"{KNOWN}\n", "space or line break"),
        (KNOWN_SEGWIT[:9] + "\u00a0" + KNOWN_SEGWIT[9:], "space or line break"),
        (KNOWN_SEGWIT[:9] + "\u200b" + KNOWN_SEGWIT[9:], "invisible character (zero width space)"),
        (f"\ufeff{KNOWN}", "invisible character (zero width no-break space)"),
        (f"{KNOWN}\u202e", "invisible character (right-to-left override)"),
        (f"{KNOWN}\x00", "invisible character (U+0000)"),
        (KNOWN.replace("A", "\u0410"), "only looks right (cyrillic capital letter a)"),
        (KNOWN_SEGWIT.replace("1", "\uff11", 1), "only looks right (fullwidth digit one)"),
        (KNOWN.replace("A", "\ud800"), "invisible character (U+D800)"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8f3t4", "mixes capital and small"),
        ("Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "mixes capital and small"),
        (KNOWN_SEGWIT.replace("v8f3t4", "v8f3ti"), "has the character i"),
        (KNOWN_SEGWIT[:-1], "checksum"),
        (KNOWN.replace("zP1eP5", "zPleP5"), "has the character l"),
        (f"bitcoin:{KNOWN}", "has the character :"),
        ("0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "has the character 0"),
        ("LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ", "begins with bc1, 1 or 3, not with L"),
        ("5Kd3NBUAdUnhyzenEwVLy9pBKxSwXvE9FMPyR4UKZvpe6E3AgLr", "private key"),
        ("cTpB4YiyKiBcPxnefsDpbnDxFDffjqJob8wGCEDXxgQ7zQoMXJdH", "private key"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "out of date"),
    ],
)
def test_the_sentence_says_what_is_wrong(address: str, words: str) -> None:
    problem = problem_of(address)
    assert problem is not None
    assert words in problem
    assert problem.isprintable()
    assert len(problem) < 160


def test_every_single_wrong_character_is_noticed() -> None:
    for address, others in ((KNOWN_SEGWIT, "qp"), (KNOWN, "Az")):
        for place, character in enumerate(address):
            other = others[0] if character != others[0] else others[1]
            assert problem_of(address[:place] + other + address[place + 1 :]), (address, place)


def test_a_q_more_before_a_last_p_is_noticed() -> None:
    """The weakness of bech32 that bech32m was made for: the address of version 1 below ends in p."""
    for number in range(200):
        address = segwit(1, bytes([number]) * 32)
        if address.endswith("p"):
            assert problem_of(address) is None
            assert problem_of(f"{address[:-1]}qp")
            return
    pytest.fail("no address of two hundred ends in p")


def test_capitals_count_in_base58_and_not_in_segwit() -> None:
    assert is_same(KNOWN_SEGWIT, KNOWN_SEGWIT.upper())
    assert not is_same(KNOWN_SEGWIT, KNOWN_SEGWIT.capitalize())
    assert not is_same(KNOWN, KNOWN.swapcase())
    assert is_same(KNOWN, KNOWN)
