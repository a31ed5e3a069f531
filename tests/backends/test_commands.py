"""Undo and redo."""

from __future__ import annotations

import pytest

from backends.commands import Command, CommandStack


class Paper:
    """A list of words with commands that write on it."""

    def __init__(self, stack: CommandStack) -> None:
        self.words: list[str] = []
        self.stack = stack

    def write(self, word: str, where: object = None) -> None:
        self.stack.do(
            Command(f"Write {word}", lambda: self.words.append(word), self.words.pop, where)
        )


@pytest.fixture
def stack() -> CommandStack:
    return CommandStack()


@pytest.fixture
def paper(stack: CommandStack) -> Paper:
    return Paper(stack)


def test_undo_and_redo(stack: CommandStack, paper: Paper) -> None:
    paper.write("a")
    paper.write("b")
    assert (stack.undo_label, stack.redo_label) == ("Write b", None)
    assert stack.undo() == "Write b"
    assert paper.words == ["a"]
    assert (stack.undo_label, stack.redo_label) == ("Write a", "Write b")
    assert stack.redo() == "Write b"
    assert paper.words == ["a", "b"]
    assert stack.redo() is None
    assert stack.undo() == "Write b"
    assert stack.undo() == "Write a"
    assert stack.undo() is None
    assert paper.words == []


def test_a_new_step_forgets_what_was_undone(stack: CommandStack, paper: Paper) -> None:
    paper.write("a")
    stack.undo()
    paper.write("b")
    assert stack.redo() is None
    assert paper.words == ["b"]


def test_record_does_not_run_it_again(stack: CommandStack) -> None:
    ran: list[str] = []
    stack.record(Command("Stroke", lambda: ran.append("do"), lambda: ran.append("undo")))
    assert ran == []
    stack.undo()
    stack.redo()
    assert ran == ["undo", "do"]


def test_a_bundle_is_one_step(stack: CommandStack, paper: Paper) -> None:
    with stack.bundle("Write all"):
        paper.write("a")
        with stack.bundle("inner"):
            paper.write("b")
        paper.write("c", where=("scene", 1, 2))
    assert stack.undo_label == "Write all"
    seen: list[object] = []
    stack.shown.connect(seen.append)
    stack.undo()
    assert paper.words == []
    stack.redo()
    assert paper.words == ["a", "b", "c"]
    assert seen == [("scene", 1, 2)] * 2


def test_a_bundle_that_fails_can_still_be_undone(stack: CommandStack, paper: Paper) -> None:
    def fail() -> None:
        with stack.bundle("Write all"):
            paper.write("a")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert stack.undo() == "Write all"
    assert paper.words == []


def test_an_empty_bundle_is_no_step(stack: CommandStack) -> None:
    with stack.bundle("Nothing"):
        pass
    assert stack.undo_label is None


def test_the_view_goes_where_it_happened(stack: CommandStack, paper: Paper) -> None:
    seen: list[object] = []
    stack.shown.connect(seen.append)
    paper.write("a", where=("scene", 3, 4))
    assert seen == []
    stack.undo()
    stack.redo()
    assert seen == [("scene", 3, 4)] * 2


def test_the_oldest_go_first(paper: Paper) -> None:
    paper.stack = CommandStack(limit=3)
    for word in "abcde":
        paper.write(word)
    while paper.stack.undo():
        pass
    assert paper.words == ["a", "b"]


def test_drop_and_clear_tell_the_menu(stack: CommandStack, paper: Paper) -> None:
    told: list[None] = []
    paper.write("a", where=("one", 0, 0))
    paper.write("b", where=("two", 0, 0))
    stack.changed.connect(lambda: told.append(None))
    stack.drop(lambda c: c.where[0] == "nobody")
    assert told == []
    stack.drop(lambda c: c.where[0] == "two")
    assert (stack.undo_label, len(told)) == ("Write a", 1)
    stack.clear()
    assert (stack.undo_label, len(told)) == (None, 2)
