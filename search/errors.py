"""The one error of the user's mistakes."""


class UserError(Exception):
    """Something the user can mend; the message is one line that says what and how.

    The command line prints it without a traceback and exits with 2.
    """
