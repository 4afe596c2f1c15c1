"""Reads the part of a Dockerfile's language that ours uses; another word is an error, so that nothing is passed over."""

import pathlib
import re
from typing import NamedTuple

WORDS = {"FROM", "COPY", "RUN", "WORKDIR", "ENTRYPOINT", "LABEL"}


class Step(NamedTuple):
    word: str
    rest: str


class Stage(NamedTuple):
    image: str
    name: str
    steps: list


def read(path):
    """The stages in order. @throws ValueError at what is not known."""
    text = re.sub(r"^\s*#.*\n", "", pathlib.Path(path).read_text(), flags=re.M)
    stages = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split())
        if word not in WORDS:
            raise ValueError(f"{path}: unknown instruction {word}")
        if word == "FROM":
            found = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            if not found:
                raise ValueError(f"{path}: FROM {rest}")
            stages.append(Stage(found.group(1), found.group(2) or "", []))
        elif not stages:
            raise ValueError(f"{path}: {word} before FROM")
        else:
            stages[-1].steps.append(Step(word, rest))
    return stages
