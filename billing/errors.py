"""What billing refuses, each as one sentence that says what to do: doors show it as it is."""


class Refused(Exception):
    """The act was not done, nothing changed, and str() is the sentence for the person who asked."""


class TermsRefused(Refused):
    """Terms that can not be agreed: wrong, not built yet, or in the way of what is billed already."""


class PeriodRefused(Refused):
    """A month that can not be closed."""


class IssueRefused(Refused):
    """A document that can not be issued as it stands."""
