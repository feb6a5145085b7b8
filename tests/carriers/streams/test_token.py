"""The stream token: row 6 of the conformance plan, without a socket."""

from __future__ import annotations

import base64

import pytest

from antiphon.carriers.streams import token as token_module
from antiphon.carriers.streams.token import MAX_TOKEN_CHARS, Parties, SpentNonces, StreamTokens, TokenClaims
from antiphon.errors import AuthenticationError, CapacityError, StoreUnavailable

SECRET = b"s" * 32
NOW = 1_700_000_000_000
CLAIMS = TokenClaims("0b0e4cf5-0000-4000-8000-000000000001", "reception", "CA" + "1" * 32, "AC1", "outbound")
PARTIES = Parties("+15550001111", "+15550002222")


def verify(
    tokens: StreamTokens,
    token: str,
    *,
    provider_call_id: str = CLAIMS.provider_call_id,
    wall_ms: int = NOW,
    now_ms: int = 0,
    parties: Parties = PARTIES,
    account_id: str = "AC1",
) -> TokenClaims:
    return tokens.verify(token, provider_call_id, wall_ms, now_ms, parties, account_id)


def refusal(tokens: StreamTokens, token: str, **changes: object) -> str:
    with pytest.raises(AuthenticationError) as raised:
        verify(tokens, token, **changes)  # type: ignore[arg-type]
    return raised.value.reason


@pytest.fixture
def tokens() -> StreamTokens:
    return StreamTokens(SECRET)


def test_says_what_was_minted(tokens: StreamTokens) -> None:
    assert verify(tokens, tokens.mint(CLAIMS, PARTIES, NOW)) == CLAIMS


def test_another_process_with_the_secret_can_verify(tokens: StreamTokens) -> None:
    assert verify(StreamTokens(SECRET), tokens.mint(CLAIMS, PARTIES, NOW)) == CLAIMS


def test_fits_a_twilio_parameter_with_its_name(tokens: StreamTokens) -> None:
    token = tokens.mint(TokenClaims(CLAIMS.call_id, "a" * 100, CLAIMS.provider_call_id, "AC" + "1" * 32), PARTIES, NOW)
    assert len("token" + token) < 500


def test_a_name_too_long_to_fit_is_refused_at_once(tokens: StreamTokens) -> None:
    with pytest.raises(ValueError, match="too long"):
        tokens.mint(TokenClaims(CLAIMS.call_id, "a" * 400, CLAIMS.provider_call_id), PARTIES, NOW)


def test_numbers_are_not_written_into_it(tokens: StreamTokens) -> None:
    content = tokens.mint(CLAIMS, PARTIES, NOW).partition(".")[0]
    assert b"5550001111" not in base64.urlsafe_b64decode(content + "==")


def test_no_two_are_alike(tokens: StreamTokens) -> None:
    assert tokens.mint(CLAIMS, PARTIES, NOW) != tokens.mint(CLAIMS, PARTIES, NOW)


def test_once_only(tokens: StreamTokens) -> None:
    token = tokens.mint(CLAIMS, PARTIES, NOW)
    verify(tokens, token)
    assert refusal(tokens, token) == "replayed"


def test_expires_after_its_minute_and_not_before(tokens: StreamTokens) -> None:
    token = tokens.mint(CLAIMS, PARTIES, NOW)
    assert refusal(tokens, token, wall_ms=NOW + 60_000) == "expired"
    assert verify(tokens, token, wall_ms=NOW + 59_999) == CLAIMS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"provider_call_id": "CA2"}, "wrong_call"),
        ({"account_id": "AC2"}, "wrong_call"),
        ({"account_id": ""}, "wrong_call"),
        ({"parties": Parties("+15550009999", PARTIES.called)}, "bad_signature"),
        ({"parties": Parties(PARTIES.called, PARTIES.caller)}, "bad_signature"),
        ({"parties": Parties(PARTIES.caller + PARTIES.called, "")}, "bad_signature"),
        ({"parties": Parties()}, "bad_signature"),
    ],
)
def test_bound_to_its_call(tokens: StreamTokens, changes: dict[str, object], reason: str) -> None:
    token = tokens.mint(CLAIMS, PARTIES, NOW)
    assert refusal(tokens, token, **changes) == reason
    assert verify(tokens, token) == CLAIMS, "a refused attempt must not spend it"


@pytest.mark.parametrize(
    "token", ["x", ".", "a.b", "é.é", "a" * MAX_TOKEN_CHARS + ".b", "!!.!!", "\ud800.a", "YQ", "YQ.YQ"]
)
def test_nonsense(tokens: StreamTokens, token: str) -> None:
    assert refusal(tokens, token) in ("malformed", "bad_signature")


def test_missing(tokens: StreamTokens) -> None:
    assert refusal(tokens, "") == "missing"


def test_any_changed_character_breaks_it(tokens: StreamTokens) -> None:
    token = tokens.mint(CLAIMS, PARTIES, NOW)
    for place in range(len(token) - 1):  # the last character of unpadded base64 carries spare bits
        changed = "A" if token[place] != "A" else "B"
        forged = token[:place] + changed + token[place + 1 :]
        assert refusal(tokens, forged) in ("bad_signature", "malformed")
    assert verify(tokens, token) == CLAIMS


def test_one_of_another_version_of_ourselves(tokens: StreamTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(token_module, "_VERSION", 2)
        minted = tokens.mint(CLAIMS, PARTIES, NOW)
    assert refusal(tokens, minted) == "malformed"


def test_another_secret_does_not_verify(tokens: StreamTokens) -> None:
    assert refusal(StreamTokens(b"t" * 32), tokens.mint(CLAIMS, PARTIES, NOW)) == "bad_signature"


def test_a_spent_one_stays_spent_when_the_clock_was_ahead_and_is_put_right(tokens: StreamTokens) -> None:
    spent = tokens.mint(CLAIMS, PARTIES, NOW)
    verify(tokens, spent)
    ahead = NOW + 300_000
    for now_ms in range(1, 50):
        verify(tokens, tokens.mint(CLAIMS, PARTIES, ahead), wall_ms=ahead, now_ms=now_ms)
    assert refusal(tokens, spent, now_ms=60) == "replayed"


class TestSpentNonces:
    def test_forgets_what_has_expired(self) -> None:
        spent = SpentNonces(capacity=3)
        for number in range(50):
            assert spent.spend(f"n{number}", number + 2, number, number + 2, number)
        assert len(spent) <= 3

    def test_full_of_live_ones_it_refuses_instead_of_forgetting(self) -> None:
        spent = SpentNonces(capacity=2)
        assert spent.spend("a", 100, 0, 100, 0)
        assert spent.spend("b", 100, 0, 100, 0)
        for wall_ms, now_ms in ((0, 0), (100, 0), (0, 100)):
            with pytest.raises(CapacityError):
                spent.spend("c", 200, wall_ms, 200, now_ms)
        assert not spent.spend("a", 100, 0, 100, 0)
        assert spent.spend("c", 200, 100, 200, 100), "room again once they have expired by both clocks"


class TestSpentForAll:
    """Before a token is verified, the other processes are asked."""

    async def asked(self, tokens: StreamTokens, token: str, answer: bool = True) -> tuple[bool, list[int]]:
        nonces: list[int] = []

        async def spend(nonce: str, ttl_ms: int) -> bool:
            assert len(nonce) >= 22
            nonces.append(ttl_ms)
            return answer

        return await tokens.spend_for_all(token, PARTIES, spend), nonces

    async def test_its_nonce_is_spent_for_as_long_as_it_is_good(self, tokens: StreamTokens) -> None:
        token = tokens.mint(CLAIMS, PARTIES, NOW)
        assert await self.asked(tokens, token) == (True, [60_000])
        assert await self.asked(tokens, token, answer=False) == (False, [60_000])

    async def test_nobody_is_asked_about_what_we_did_not_sign(self, tokens: StreamTokens) -> None:
        foreign = StreamTokens(b"t" * 32).mint(CLAIMS, PARTIES, NOW)
        for token in ("", "nonsense", foreign):
            assert await self.asked(tokens, token) == (True, []), "verify says what is wrong with it"

    async def test_where_they_cannot_be_asked_it_is_once_in_each_process(self, tokens: StreamTokens) -> None:
        async def spend(nonce: str, ttl_ms: int) -> bool:
            raise StoreUnavailable("no")

        assert await tokens.spend_for_all(tokens.mint(CLAIMS, PARTIES, NOW), PARTIES, spend)
