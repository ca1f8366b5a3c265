"""H8: where the key may be, and which key a lake takes. H6: what a pseudonym tells without it."""

from __future__ import annotations

import hashlib

import pytest

from visitgrain.errors import ConfigError
from visitgrain.expressions.keyed_hash import subscriber_id
from visitgrain.sources.sealing import opened, sealed
from visitgrain.sources.secret import key_id, pseudonym_key

KEY = "0123456789abcdef" * 4
NUMBER = "13800138000"


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "key"
    made.write_text(KEY + "\n")
    made.chmod(0o600)
    return made


def test_h08_a_key_in_the_environment_is_refused(path, monkeypatch):
    assert pseudonym_key(path) == KEY.encode()  # the control
    monkeypatch.setenv("PSEUDONYM_KEY", KEY)
    with pytest.raises(ConfigError, match="environment variable PSEUDONYM_KEY holds") as refused:
        pseudonym_key(path)
    assert KEY not in str(refused.value)


def test_h08_a_lake_takes_its_own_key_only(path):
    own = key_id(KEY.encode())
    assert pseudonym_key(path, known=own) == KEY.encode()
    with pytest.raises(ConfigError, match=f"key {own}, but the lake's pseudonyms were made with key 00000000"):
        pseudonym_key(path, known="00000000")
    path.unlink()
    with pytest.raises(ConfigError, match="missing, and the lake's pseudonyms were made with key"):
        pseudonym_key(path, known=own)
    assert not path.exists()


def test_h06_a_dictionary_without_the_key_finds_nobody():
    there = {subscriber_id(KEY.encode(), f"1380013{n:04}") for n in range(10_000)}
    plain = {int.from_bytes(hashlib.sha256(f"1380013{n:04}".encode()).digest()[:8], "big") >> 1 for n in range(10_000)}
    guessed = {subscriber_id(b"0" * 64, f"1380013{n:04}") for n in range(10_000)}
    assert len(there) == 10_000
    assert not there & (plain | guessed)


@pytest.mark.parametrize("number", [NUMBER, "8613800138000", "138 0013 8000", f"9{NUMBER}", f"{NUMBER}0"])
def test_a_number_is_sealed_and_opened(number):
    text = f'a1,"{number}",/page?x=1,{number}'
    hidden = sealed(KEY.encode(), text)
    assert number not in hidden
    assert "8000" not in hidden
    assert sealed(KEY.encode(), text) == hidden  # the same content whenever it is written
    assert opened(KEY.encode(), hidden) == text
    assert opened(b"1" * 64, hidden) == hidden
