"""The one exception for what a person can mend: its message says what to do."""


class Unusable(Exception):
    """Input that cannot be used. The message is one sentence for the person who gave it.

    The page shows it as a notice, the shell prints it on one line and exits with 2. Faults of
    the program keep their own exceptions and stay loud.
    """
