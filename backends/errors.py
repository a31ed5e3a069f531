"""The errors a person can cause or meet, each as one plain sentence with the way out."""

from __future__ import annotations

from pathlib import Path


class ClearbandError(Exception):
    """Something the user can understand and act on.

    Parameters
    ----------
    sentence : str
        What happened, in one plain sentence.
    subject : str or Path, optional
        The file or layer it happened to.
    way_out : str, optional
        What to do about it.
    details : str, optional
        Technical facts, shown only when asked for.
    """

    exit_code = 3

    def __init__(
        self,
        sentence: str,
        *,
        subject: str | Path | None = None,
        way_out: str = "",
        details: str = "",
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.subject = None if subject is None else str(subject)
        self.way_out = way_out
        self.details = details

    def __str__(self) -> str:
        text = self.sentence
        if self.subject and Path(self.subject).name not in text:
            text = f"{Path(self.subject).name}: {text}"
        return f"{text} {self.way_out}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments survive the trip back from a worker process.
        state = (self.sentence, self.subject, self.way_out, self.details)
        return (_rebuild, (type(self), *state))


class BadInput(ClearbandError):
    """The file or the values given cannot be used (exit code 3)."""

    exit_code = 3


class WrongUse(ClearbandError):
    """The command or the setting makes no sense (exit code 2)."""

    exit_code = 2


class MissingCapability(ClearbandError):
    """A library, a device or weights are not there (exit code 4)."""

    exit_code = 4


class NeedsChoice(BadInput):
    """Several things in a file fit; the user must say which.

    Attributes
    ----------
    option : str
        Name of the open option to set, for example ``"key"``.
    choices : tuple of str
        What may be chosen.
    titles : tuple of str
        The same in words for people, where the choices are none; else the choices.
    """

    def __init__(
        self,
        sentence: str,
        *,
        option: str,
        choices: tuple[str, ...],
        subject: str | Path,
        titles: tuple[str, ...] = (),
    ) -> None:
        pairs = zip(choices, titles, strict=True) if titles else ((c, "") for c in choices)
        listed = ", ".join(f"{c} ({title})" if title else c for c, title in pairs)
        super().__init__(sentence, subject=subject, way_out=f"Choose {option} from: {listed}.")
        self.option = option
        self.choices = choices
        self.titles = titles or choices

    def __reduce__(self) -> tuple[object, ...]:
        titles = () if self.titles == self.choices else self.titles
        return (_rebuild_choice, (self.sentence, self.option, self.choices, self.subject, titles))


class Cancelled(Exception):
    """The user stopped a job. Not a failure."""

    exit_code = 130


def _rebuild(
    kind: type[ClearbandError], sentence: str, subject: str | None, way_out: str, details: str
) -> ClearbandError:
    return kind(sentence, subject=subject, way_out=way_out, details=details)


def _rebuild_choice(
    sentence: str, option: str, choices: tuple[str, ...], subject: str, titles: tuple[str, ...]
) -> NeedsChoice:
    return NeedsChoice(sentence, option=option, choices=choices, subject=subject, titles=titles)
