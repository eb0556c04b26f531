"""The records that a run makes of an upload of three parts, in their order."""

RECORDS = (
    "claim",
    "opening",
    "session",
    "first part",
    "second part",
    "committing",
    "last part",
    "done",
    "lease given back",
)
(
    CLAIM,
    OPENING,
    SESSION,
    FIRST,
    SECOND,
    COMMITTING,
    LAST,
    DONE,
    GIVEN_BACK,
) = range(1, len(RECORDS) + 1)
