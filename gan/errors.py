"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """Something a user got wrong: one sentence with what was wrong, where, and what to do.

    Front doors print it without a traceback (exit code 2 on the command line, a message on the page). `skipped` lists the
    files (data.Skipped) that were passed over on the way, where that explains it.
    """

    skipped: tuple = ()
