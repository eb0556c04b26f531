"""The suite that any token store must pass; a third party's is done when it does.

    class TestMine(TokenStoreContract):
        def make(self) -> TokenStore:
            return MyStore(self.folder)

Rule: only the contract's own words (`uploader.tokens`) are used. A store that several processes
share is held to `SharedTokenStoreContract`, whose `make()` opens the same store each time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from uploader.errors import TokensChangedError, TokenStoreError
from uploader.secret import Secret
from uploader.tokens import NEW, AccountState, AccountTokens, TokenStore

ACCESS = "act.zw9-never-in-clear"
REFRESH = "rft.zw9-never-in-clear"
"""The secrets of `tokens()`, by which they are recognised where they must not be."""


class TokenStoreContract:
    """Everything that is promised of one opened store. Override `make()`."""

    folder: Path

    def make(self) -> TokenStore:
        """Return the store in `self.folder`; an empty one at first."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @pytest.fixture
    def store(self) -> Iterator[TokenStore]:
        made = self.make()
        yield made
        made.close()

    def tokens(self, **facts: Any) -> AccountTokens:
        usual: dict[str, Any] = {
            "transport": "tiktok",
            "account": "acme",
            "access_token": Secret(ACCESS),
            "refresh_token": Secret(REFRESH),
            "expires": 1_800_007_200.0,
            "refresh_expires": 1_815_552_000.0,
            "scopes": ("video.publish", "video.upload"),
            "subject": "-000Abc",
            "updated": 1_800_000_000.0,
            "fields": {"base_url": "https://open.example"},
        }
        return AccountTokens(**(usual | facts))

    def test_what_was_saved_comes_back(self, store: TokenStore) -> None:
        """Every field of it, and a version that says it is stored."""
        saved = store.save(self.tokens())

        assert saved.version > NEW
        assert replace(saved, version=NEW) == self.tokens()
        assert store.get("tiktok", "acme") == saved

    def test_an_account_that_was_never_saved_is_none(self, store: TokenStore) -> None:
        """Nobody's tokens are not another's: transport and name count, to the letter."""
        store.save(self.tokens())

        for transport, account in (("tiktok", "Acme"), ("youtube", "acme"), ("tiktok", "")):
            assert store.get(transport, account) is None

    def test_a_save_over_something_newer_is_refused(self, store: TokenStore) -> None:
        """Of two that read the same version, the second loses, and what the first saved stays."""
        first = store.save(self.tokens())
        second = store.save(replace(first, access_token=Secret("act.second")))

        for stale in (first, self.tokens(), replace(first, version=second.version + 1)):
            with pytest.raises(TokensChangedError):
                store.save(stale)

        assert store.get("tiktok", "acme") == second

    def test_what_is_saved_where_nothing_is_must_be_new(self, store: TokenStore) -> None:
        """Whoever refreshed tokens that were removed meanwhile does not bring them back."""
        saved = store.save(self.tokens())
        store.remove("tiktok", "acme")

        with pytest.raises(TokensChangedError):
            store.save(saved)

        assert store.get("tiktok", "acme") is None

    def test_a_version_is_never_given_twice(self, store: TokenStore) -> None:
        """Tokens that come after a removal are not taken for those of before."""
        old = store.save(self.tokens())
        store.remove("tiktok", "acme")
        new = store.save(self.tokens(access_token=Secret("act.new")))

        assert new.version != old.version
        with pytest.raises(TokensChangedError):
            store.save(old)

    def test_removing_tells_whether_there_was_something(self, store: TokenStore) -> None:
        """And of one account it takes only that one's."""
        store.save(self.tokens())
        store.save(self.tokens(account="other"))

        assert store.remove("tiktok", "acme")
        assert not store.remove("tiktok", "acme")
        assert [each.account for each in store.list()] == ["other"]

    def test_a_list_is_in_order(self, store: TokenStore) -> None:
        """By transport, then by name; or only a transport's."""
        for transport, account in (("tiktok", "b"), ("other", "c"), ("tiktok", "a")):
            store.save(self.tokens(transport=transport, account=account))

        found = [(each.transport, each.account) for each in store.list()]

        assert found == [("other", "c"), ("tiktok", "a"), ("tiktok", "b")]
        assert [each.account for each in store.list("tiktok")] == ["a", "b"]

    def test_a_revoked_account_keeps_its_name_and_no_token(self, store: TokenStore) -> None:
        """What became of it must be told; what signed for it need not be kept."""
        saved = store.save(self.tokens())

        store.save(saved.revoked("invalid_grant", 5.0))

        found = store.get("tiktok", "acme")
        assert found is not None
        assert (found.state, found.reason) == (AccountState.REVOKED, "invalid_grant")
        assert not found.access_token
        assert found.refresh_token is None

    @pytest.mark.parametrize(
        "name", ["", "../../etc", "a/b", "naïve 数", "x" * 300, "a\nb", "'; --"]
    )
    def test_any_name_is_a_name(self, store: TokenStore, name: str) -> None:
        """It is neither a path nor a statement."""
        store.save(self.tokens(account=name))

        with store.lease("tiktok", name, 1.0):
            found = store.get("tiktok", name)
        assert found is not None
        assert found.account == name

    def test_one_lease_at_a_time(self, store: TokenStore) -> None:
        """The second waits as long as it was told, and another account's is not held up."""
        with store.lease("tiktok", "acme", 1.0):
            self.refused(store)
            with store.lease("tiktok", "other", 1.0), store.lease("other", "acme", 1.0):
                pass
        with store.lease("tiktok", "acme", 1.0):
            pass

    def test_a_lease_ends_with_an_error(self, store: TokenStore) -> None:
        """Nobody waits for one whose refresh failed."""
        with pytest.raises(ZeroDivisionError), store.lease("tiktok", "acme", 1.0):
            raise ZeroDivisionError
        with store.lease("tiktok", "acme", 1.0):
            pass

    def test_threads_count_one_after_the_other(self, store: TokenStore) -> None:
        """Read, change, save under the lease: none of twenty is lost, and none conflicts."""
        store.save(self.tokens(expires=0.0))

        def count() -> None:
            for _ in range(5):
                with store.lease("tiktok", "acme", 20.0):
                    found = store.get("tiktok", "acme")
                    assert found is not None
                    assert found.expires is not None
                    store.save(replace(found, expires=found.expires + 1))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        found = store.get("tiktok", "acme")
        assert found is not None
        assert found.expires == 20.0

    def test_nothing_that_is_printed_holds_a_token(self, store: TokenStore) -> None:
        """Neither tokens, nor a list of them, nor the store, nor a refusal."""
        saved = store.save(self.tokens())
        with pytest.raises(TokensChangedError) as refused:
            store.save(self.tokens())

        printed = f"{saved!r} {store.list()!r} {store!r} {refused.value} {refused.value.to_dict()}"
        assert "zw9-never-in-clear" not in printed

    def refused(self, store: TokenStore) -> None:
        """Ask for the lease in another thread, and be refused."""
        said: list[TokenStoreError] = []

        def ask() -> None:
            try:
                with store.lease("tiktok", "acme", 0.05):
                    pass
            except TokenStoreError as error:
                said.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert len(said) == 1


class SharedTokenStoreContract(TokenStoreContract):
    """And what is promised when several have the same store open; `make()` opens it each time."""

    def test_all_openings_see_the_same(self, store: TokenStore) -> None:
        """What one saves the other reads, removes, and is refused over."""
        other = self.make()
        saved = store.save(self.tokens())

        assert other.get("tiktok", "acme") == saved
        other.save(replace(saved, expires=None))
        with pytest.raises(TokensChangedError):
            store.save(saved)
        assert other.remove("tiktok", "acme")
        assert store.get("tiktok", "acme") is None
        other.close()

    def test_one_lease_over_all_openings(self, store: TokenStore) -> None:
        """A lease of the one is held against the other, until it ends."""
        other = self.make()
        with store.lease("tiktok", "acme", 1.0):
            self.refused(other)
        with other.lease("tiktok", "acme", 1.0):
            pass
        other.close()

    def test_nothing_on_the_disk_holds_a_token(self, store: TokenStore) -> None:
        """No file does, nor a name of one, during and after all that a store does."""
        saved = store.save(self.tokens())
        with store.lease("tiktok", "acme", 1.0):
            self.no_token_on_the_disk()
            store.save(replace(saved, expires=None))
        self.no_token_on_the_disk()
        store.remove("tiktok", "acme")
        self.no_token_on_the_disk()

    def no_token_on_the_disk(self) -> None:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert b"zw9-never-in-clear" not in path.read_bytes() + str(path).encode()
