"""What only the journal in memory promises."""

from tests.journals.uploads import upload
from uploader.journal import State
from uploader.journals import MemoryJournal


def end(journal: MemoryJournal, upload_id: str, state: State) -> None:
    """Record an upload and bring it to its end."""
    lease = journal.claim(upload(upload_id), 1000).lease
    assert lease is not None
    journal.save(lease, {"state": state})
    journal.release(lease)


def test_a_long_lived_process_keeps_within_bounds() -> None:
    """What failed goes first, then what is done, the oldest before the others."""
    journal = MemoryJournal(keep_ended=3)
    for upload_id, state in [
        ("done 1", State.DONE),
        ("failed", State.FAILED),
        ("done 2", State.DONE),
        ("unknown", State.UNKNOWN),
        ("done 3", State.DONE),
    ]:
        end(journal, upload_id, state)

    kept = {entry.upload_id for entry in journal.latest()}

    assert kept == {"done 2", "unknown", "done 3"}
    assert journal.claim(upload("again", "identity of done 1"), 1000).fresh


def test_what_has_not_ended_is_never_forgotten() -> None:
    """Rather more memory than a second post."""
    journal = MemoryJournal(keep_ended=2)
    for state in (State.QUEUED, State.SENDING, State.PROCESSING, State.UNKNOWN):
        end(journal, str(state), state)

    assert len(journal.latest()) == 4


def test_it_can_carry_an_environment() -> None:
    """As any journal."""
    assert MemoryJournal().environment is None
    assert MemoryJournal(environment="staging").environment == "staging"
